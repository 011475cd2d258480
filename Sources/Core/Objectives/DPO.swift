/// softplus(−β·[h(y_p|m_p) − h(y_n|m_p)]): DPO on the two responses (Rafailov et al., arXiv 2305.18290, eq. 7).
public struct DPO: Objective {
    /// `objective.kind: dpo`
    public static let name = "dpo"
    /// β 0.1, as in TRL.
    public static let defaults = ObjectiveSettings()

    /// β
    public let beta: Double

    /// Takes β.
    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    /// A rejected response and the reference.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = true
        return needs
    }

    /// The text term; a loss of 0 for a group without a rejected response.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        var result = GroupLoss(of: group)
        result.addTextTerm(group.logRatios, beta: beta)
        return result
    }
}
