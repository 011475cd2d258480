/// ℓ_img over a set of negatives + λ·ℓ_text + α·anchor: MISP-DPO's loss (docs/method.md, the whole loss).
public struct MISP: Objective {
    public static let name = "misp"
    /// β as in the paper.
    public static let defaults = ObjectiveSettings(beta: 0.5)

    public let beta: Double
    /// λ
    public let textWeight: Double
    /// α
    public let anchorWeight: Double

    public init(_ settings: ObjectiveSettings) {
        (beta, textWeight, anchorWeight) = (settings.beta, settings.textWeight, settings.anchorWeight)
    }

    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = textWeight != 0
        needs.negatives = .pool
        needs.chosenAlone = anchorWeight != 0
        return needs
    }

    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        let h = group.logRatios
        var result = GroupLoss(of: group)
        result.addImageTerm(h, group.draw, beta: beta)
        if textWeight != 0 { result.addTextTerm(h, beta: beta, weight: textWeight) }
        if anchorWeight != 0 { result.addAnchor(h, beta: beta, weight: anchorWeight) }
        return result
    }
}
