/// The image loss alone: S-DPO's softmax loss (Chen et al., arXiv 2406.09215) over pictures.
public struct SDPO: Objective {
    /// `objective.kind: sdpo`
    public static let name = "sdpo"
    /// β as reported for it.
    public static let defaults = ObjectiveSettings(beta: 1)

    /// β
    public let beta: Double

    /// Takes β.
    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    /// Negatives of the pool and the reference.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.negatives = .pool
        return needs
    }

    /// The image term; a loss of 0 for a group without negatives.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        var result = GroupLoss(of: group)
        result.addImageTerm(group.logRatios, group.draw, beta: beta)
        return result
    }
}
