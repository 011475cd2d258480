/// −log π_θ(y_p|x, m_p) per token: supervised training, without a reference.
public struct SFT: Objective {
    public static let name = "sft"
    public static let defaults = ObjectiveSettings()

    public let beta: Double

    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.reference = false
        needs.chosenAlone = true
        return needs
    }

    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        var result = GroupLoss(of: group)
        let rate = -1 / Double(group.chosenTokens)
        result.loss = rate * group.policy.chosen
        result.text = result.loss
        result.coefficients.chosen = rate
        return result
    }
}
