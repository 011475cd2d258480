/// DPO on the two responses, on the positive against a crop of itself, and the anchor with weight 1
/// (Wang et al., arXiv 2406.11839).
public struct MDPO: Objective {
    public static let name = "mdpo"
    public static let defaults = ObjectiveSettings()

    public let beta: Double

    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = true
        needs.negatives = .crop
        needs.chosenAlone = true
        return needs
    }

    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        let h = group.logRatios
        var result = GroupLoss(of: group)
        result.addImageTerm(h, group.draw, beta: beta)
        result.addTextTerm(h, beta: beta)
        result.addAnchor(h, beta: beta)
        return result
    }
}
