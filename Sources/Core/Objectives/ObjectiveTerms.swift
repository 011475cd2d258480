/// The terms of which the objectives are made (docs/method.md). Each adds its loss and coefficients to what is there.
extension GroupLoss {
    /// ℓ_img = log(1 + Σ exp(a_i + log-weight_i)), a_i = β·[h(y_p|m_i) − h(y_p|m_p)]: +βw_i each, −βΣw_i on
    /// the chosen. Nothing for a group without negatives.
    mutating func addImageTerm(_ h: GroupValues, _ draw: NegativeDraw, beta: Double) {
        guard !h.negatives.isEmpty else { return }
        let advantages = h.negatives.map { beta * ($0 - h.chosen) }
        let (loss, exact) = PlackettLuce.loss(zip(advantages, draw.logWeights).map { $0 + $1 })
        let weights = draw.gradientWeights(exact, advantages: advantages)
        image = loss
        self.loss += loss
        coefficients.negatives = weights.map { beta * $0 }
        coefficients.chosen -= beta * weights.reduce(0, +)
    }

    /// λ·ℓ_text, ℓ_text = softplus(−β·[h(y_p|m_p) − h(y_n|m_p)]). Nothing for a group without a rejected
    /// response.
    mutating func addTextTerm(_ h: GroupValues, beta: Double, weight scale: Double = 1) {
        guard let rejected = h.rejected else { return }
        let (loss, weight) = PlackettLuce.pairwise(beta * (h.chosen - rejected))
        text = loss
        self.loss += scale * loss
        coefficients.chosen -= scale * beta * weight
        coefficients.rejected = (coefficients.rejected ?? 0) + scale * beta * weight
    }

    /// α·softplus(−β·h(y_p|m_p)): the chosen response itself is not to lose probability (mDPO).
    mutating func addAnchor(_ h: GroupValues, beta: Double, weight scale: Double = 1) {
        let (loss, weight) = PlackettLuce.pairwise(beta * h.chosen)
        self.loss += scale * loss
        coefficients.chosen -= scale * beta * weight
    }
}
