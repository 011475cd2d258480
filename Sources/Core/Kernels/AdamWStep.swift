/// The scalars of one AdamW update, equal for all parameters; `torch.optim.AdamW`'s formulas.
///
/// With t counted from 1: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²,
/// θ ← θ·(1 − lr·λ) − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε).
public struct AdamWStep: Sendable, Equatable {
    /// lr of this step.
    public var learningRate: Double
    /// β₁: the share of the first moment that stays.
    public var beta1: Double
    /// β₂: the share of the second moment that stays.
    public var beta2: Double
    /// ε, added to the root of the corrected second moment.
    public var epsilon: Double
    /// λ. It is decoupled: it shrinks the parameters and never enters the moments.
    public var weightDecay: Double
    /// Multiplies every gradient first: the mean over groups and the clipping in one.
    public var gradientScale: Double
    /// Updates made, this one included: 1 at the first.
    public var count: Int

    /// The defaults are those of `torch.optim.AdamW`, but for λ, which is 0.01 there.
    public init(
        learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        weightDecay: Double = 0, gradientScale: Double = 1, count: Int
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.gradientScale = gradientScale
        self.count = count
    }

    var firstCorrection: Double { 1 - power(beta1, count) }
    var secondCorrection: Double { 1 - power(beta2, count) }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        exponent <= 0 ? 1 : Double.exponential(Double(exponent) * Double.naturalLogarithm(base))
    }
}
