/// The image loss alone: S-DPO's softmax loss (Chen et al., arXiv 2406.09215) over pictures.
public struct SDPO: Objective {
    public static let name = "sdpo"
    /// β as reported for it.
    public static let defaults = ObjectiveSettings(beta: 1)

    public let beta: Double

    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.negatives = .pool
        return needs
    }

    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        var result = GroupLoss(of: group)
        result.addImageTerm(group.logRatios, group.draw, beta: beta)
        return result
    }
}
