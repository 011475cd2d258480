/// The ranking of the positive above the negatives and of the negatives among themselves, in their order, by
/// Plackett and Luce, + λ·ℓ_text + α·anchor: LPOI (Pesaran Zadeh et al., arXiv 2505.21061).
///
/// ℓ_img = Σ_{k=0}^{K−1} [log Σ_{j≥k} exp s_j − s_k], s_k = β·h(y_p|x, m_k), with m_0 the positive and m_1
/// … m_K the negatives, the one nearest to it first. With one negative it is DPO's pairwise loss on the two pictures.
public struct LPOI: Objective {
    /// `objective.kind: lpoi`
    public static let name = "lpoi"
    /// As in its published code: the three losses added up, β 0.1.
    public static let defaults = ObjectiveSettings(beta: 0.1, anchorWeight: 1)

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

    /// Negatives in their order, the reference and, unless its weight is 0, what each other term compares.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = textWeight != 0
        needs.negatives = .rankedPool
        needs.chosenAlone = anchorWeight != 0
        return needs
    }

    /// The ranking, λ times the text term and α times the anchor; a term of which the group lacks the data is left
    /// out.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        let h = group.logRatios
        var result = GroupLoss(of: group)
        addRanking(h, to: &result)
        if textWeight != 0 { result.addTextTerm(h, beta: beta, weight: textWeight) }
        if anchorWeight != 0 { result.addAnchor(h, beta: beta, weight: anchorWeight) }
        return result
    }

    /// Place k of the ranking is the image term of m_k against all that stand below it:
    /// ℓ_k = log(1 + Σ_{j>k} exp(s_j − s_k)), ∂ℓ_k/∂s_j = w_j, ∂ℓ_k/∂s_k = −Σ w_j.
    private func addRanking(_ h: GroupValues, to result: inout GroupLoss) {
        guard !h.negatives.isEmpty else { return }
        let scores = [beta * h.chosen] + h.negatives.map { beta * $0 }
        var slopes = [Double](repeating: 0, count: scores.count)
        var total = 0.0
        for place in scores.indices.dropLast() {
            let below = scores[(place + 1)...]
            let (loss, weights) = PlackettLuce.loss(below.map { $0 - scores[place] })
            total += loss
            slopes[place] -= weights.reduce(0, +)
            for (index, weight) in zip(below.indices, weights) { slopes[index] += weight }
        }
        result.image = total
        result.loss += total
        result.coefficients.chosen += beta * slopes[0]
        result.coefficients.negatives = slopes.dropFirst().map { beta * $0 }
    }
}
