/// −log π_θ(y_p|x, m_p) per token: supervised training, without a reference.
public struct SFT: Objective {
    /// `objective.kind: sft`
    public static let name = "sft"
    /// The loss uses none of them.
    public static let defaults = ObjectiveSettings()

    /// The loss does not use it: there is no reference to be tied to.
    public let beta: Double

    /// Takes β, which the loss does not use.
    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    /// The chosen response alone, without a reference.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.reference = false
        needs.chosenAlone = true
        return needs
    }

    /// −log π_θ(y_p|x, m_p) divided by the number of its scored tokens.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        var result = GroupLoss(of: group)
        let rate = -1 / Double(group.chosenTokens)
        result.loss = rate * group.policy.chosen
        result.text = result.loss
        result.coefficients.chosen = rate
        return result
    }
}
