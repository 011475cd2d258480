/// softplus(−β·[h(y_p|m_p) − h(y_n|m_p)]): DPO on the two responses (Rafailov et al., arXiv 2305.18290, eq. 7).
public struct DPO: Objective {
    public static let name = "dpo"
    public static let defaults = ObjectiveSettings()

    public let beta: Double

    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = true
        return needs
    }

    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        var result = GroupLoss(of: group)
        result.addTextTerm(group.logRatios, beta: beta)
        return result
    }
}
