/// ℓ_img over a set of negatives + λ·ℓ_text + α·anchor: MISP-DPO's loss (docs/method.md, the whole loss).
public struct MISP: Objective {
    /// `objective.kind: misp`
    public static let name = "misp"
    /// β as in the paper.
    public static let defaults = ObjectiveSettings(beta: 0.5)

    /// β
    public let beta: Double
    /// λ
    public let textWeight: Double
    /// α
    public let anchorWeight: Double

    /// Takes β, λ and α.
    public init(_ settings: ObjectiveSettings) {
        (beta, textWeight, anchorWeight) = (settings.beta, settings.textWeight, settings.anchorWeight)
    }

    /// Negatives of the pool, the reference and, unless its weight is 0, what each other term compares.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = textWeight != 0
        needs.negatives = .pool
        needs.chosenAlone = anchorWeight != 0
        return needs
    }

    /// The image term, λ times the text term and α times the anchor; a term of which the group lacks the data is left
    /// out.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        let h = group.logRatios
        var result = GroupLoss(of: group)
        result.addImageTerm(h, group.draw, beta: beta)
        if textWeight != 0 { result.addTextTerm(h, beta: beta, weight: textWeight) }
        if anchorWeight != 0 { result.addAnchor(h, beta: beta, weight: anchorWeight) }
        return result
    }
}
