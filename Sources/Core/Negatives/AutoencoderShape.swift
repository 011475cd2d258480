/// Sizes of a sparse autoencoder over differences d = vec(δ hᵀ).
public struct AutoencoderShape: Sendable, Equatable {
    /// K, the latents.
    public let latents: Int
    /// d_v, the length of an image embedding and of δ.
    public let image: Int
    /// d_t, the length of a text embedding h.
    public let text: Int

    /// K, d_v and d_t.
    public init(latents: Int = 128, image: Int, text: Int) {
        (self.latents, self.image, self.text) = (latents, image, text)
    }

    /// d_v·d_t, the entries of d; entry v·d_t + t is δ[v]·h[t]. No array of that length times a batch ever exists.
    public var entries: Int { image * text }
    /// Numbers of W, a, D and b together.
    public var parameters: Int { (2 * latents + 1) * entries + latents }
}

/// How the autoencoder is trained (docs/mining.md); what the paper leaves open is chosen here.
public struct AutoencoderSettings: Sendable, Equatable {
    /// K
    public var latents = 128
    /// ρ, the mean activation that the penalty asks of each latent.
    public var sparsity = 0.05
    /// γ, the penalty's weight.
    public var sparsityWeight = 1.0
    /// The greatest length of a latent's atom D_j. Without it latents shrink, atoms grow and nothing is sparse: the
    /// penalty asks for small means only, and differences are about as long as 1.
    public var atomLength = 0.5
    /// AdamW's; 0 stands for 0.5/√(d_v·d_t), 10⁻³ at 512: a step moves every entry by about the rate, and what a
    /// latent sees by the rate times the sum of the entries of |d|, which grows with √(d_v·d_t).
    public var learningRate = 0.0
    /// AdamW's λ.
    public var weightDecay = 0.0
    /// Updates, of one batch each.
    public var steps = 300
    /// p, prompts of a batch.
    public var promptsPerStep = 16
    /// Samples of each prompt of a batch.
    public var candidatesPerPrompt = 32
    /// Key of the initial values and of the batches.
    public var seed: UInt64 = 0

    /// The defaults.
    public init() {}

    /// The learning rate of a step, counted from 0: a warm-up over the first twentieth, 10 steps at least, then half a
    /// cosine to 0. AdamW's first steps move all atoms alike, and at the full rate overshoot.
    public func learningRate(step: Int, _ shape: AutoencoderShape) -> Double {
        let peak = learningRate > 0 ? learningRate : 0.5 / Double(shape.entries).squareRoot()
        var schedule = LearningRateSchedule(.cosine, peak: peak, warmupRatio: 0.05, totalSteps: steps)
        schedule.warmupSteps = max(schedule.warmupSteps, 10)
        return schedule.rate(at: step)
    }
}
