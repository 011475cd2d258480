/// One pairwise loss of text margin, image margin against noise, and the responses' divergences (Fu et al., arXiv
/// 2501.16629, as its published code computes it):
/// softplus(−β·{[h(y_p|m_p) − h(y_n|m_p)] + [h(y_p|m_p) − h(y_p|m_noise)] − γ·[KL_n − sg(KL_p)]}).
public struct CHiP: Objective {
    /// `objective.kind: chip`
    public static let name = "chip"
    /// β 0.1, γ 0.1 and a token weight of 4.
    public static let defaults = ObjectiveSettings()

    /// β
    public let beta: Double
    /// γ
    public let divergenceWeight: Double
    private let tokenWeight: Double

    /// Takes β, γ and the token weight.
    public init(_ settings: ObjectiveSettings) {
        (beta, divergenceWeight) = (settings.beta, settings.divergenceWeight)
        tokenWeight = settings.tokenWeight
    }

    /// A rejected response, the noised picture, weighted tokens and, unless γ is 0, the divergences.
    public var needs: ObjectiveNeeds {
        var needs = ObjectiveNeeds()
        needs.rejected = true
        needs.negatives = .noise
        needs.divergence = divergenceWeight != 0
        needs.tokenWeight = tokenWeight
        return needs
    }

    /// A bracket of which the group lacks the data is left out.
    public func callAsFunction(_ group: ScoredGroup) -> GroupLoss {
        let h = group.logRatios
        var result = GroupLoss(of: group)
        var margin = 0.0
        for other in h.negatives + (h.rejected.map { [$0] } ?? []) { margin += h.chosen - other }
        if let divergence = group.divergence {
            margin -= divergenceWeight * (divergence.rejected - divergence.chosen)
        }
        let terms = Double(h.negatives.count) + (h.rejected == nil ? 0 : 1)
        guard terms > 0 else { return result }
        let (loss, weight) = PlackettLuce.pairwise(beta * margin)
        result.loss = loss
        result.coefficients.chosen = -terms * beta * weight
        result.coefficients.rejected = h.rejected.map { _ in beta * weight }
        result.coefficients.negatives = h.negatives.map { _ in beta * weight }
        if group.divergence != nil { result.rejectedDivergence = divergenceWeight * beta * weight }
        return result
    }
}
