#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The likelihood that a choice ranks above a set, in log space throughout.
public enum PlackettLuce {
    /// ℓ = log(1 + Σ_i exp z_i), and w_i = exp z_i / (1 + Σ_j exp z_j) = ∂ℓ/∂z_i.
    ///
    /// `logits` z_i = a_i + log-weight_i, where a_i = β·[h(y_p|x,m_i) − h(y_p|x,m_p)]: docs/method.md, image term
    /// (MISP-DPO, Lemma 4.1). Finite and exact for logits of any size; −∞ adds nothing; NaN comes out as NaN.
    public static func loss(_ logits: [Double]) -> (loss: Double, weights: [Double]) {
        var largest = 0.0
        for z in logits where !(z <= largest) { largest = z }
        let sum = logits.reduce(exp(-largest)) { $0 + exp($1 - largest) }
        let loss = largest + log(sum)
        return (loss, logits.map { exp($0 - loss) })
    }

    /// ℓ = softplus(−x) = −log σ(x), and σ(−x) = −∂ℓ/∂x: the two-item case.
    public static func pairwise(_ margin: Double) -> (loss: Double, weight: Double) {
        let (loss, weights) = loss([-margin])
        return (loss, weights[0])
    }
}
