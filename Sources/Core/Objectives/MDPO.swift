/// DPO on the two responses, on the positive against a crop of itself, and the anchor with weight 1
/// (Wang et al., arXiv 2406.11839).
public struct MDPO: Objective {
    /// `objective.kind: mdpo`
    public static let name = "mdpo"
    /// β 0.1. The anchor's weight is 1, whatever the settings say.
    public static let defaults = ObjectiveSettings()

    /// β
    public let beta: Double

    /// Takes β.
    public init(_ settings: ObjectiveSettings) { beta = settings.beta }

    /// A rejected response, the crop, and the chosen response for its anchor.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = true
        needs.negatives = .crop
        needs.chosenAlone = true
        return needs
    }

    /// Image term, text term and anchor, added up; a term of which the group lacks the data is left out.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        let h = group.logRatios
        var result = GroupLoss(of: group)
        result.addImageTerm(h, group.draw, beta: beta)
        result.addTextTerm(h, beta: beta)
        result.addAnchor(h, beta: beta)
        return result
    }
}
