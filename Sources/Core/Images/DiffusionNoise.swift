/// The forward process of a diffusion model: x ← √ᾱ·x + √(1−ᾱ)·ε on preprocessed pixels, ε standard
/// normal.
///
/// The schedule is the one that CHiP takes over from VCD: 1,000 steps, β_t = 10⁻⁵ + σ(t′)·(5·10⁻³ −
/// 10⁻⁵) with t′ evenly spaced from −6 to 6, ᾱ_t the product of 1 − β up to and including t.
public struct DiffusionNoise: Hashable, Sendable {
    /// With the group's id the key of ε.
    public let seed: UInt64
    /// The group's id.
    public let group: String
    /// 0 to 999: how far the picture has dissolved.
    public let step: Int

    /// ε is a pure function of (seed, group id), so that policy and reference see the same picture in every epoch.
    ///
    /// - Parameter step: 500 in CHiP's public code
    public init(seed: UInt64, group: String, step: Int = 500) {
        self.seed = seed
        self.group = group
        self.step = step
    }

    /// ᾱ of the step.
    public var signal: Double {
        (0...step).reduce(1.0) { product, t in
            let place = -6 + 12 * Double(t) / 999
            return product * (1 - (1e-5 + (5e-3 - 1e-5) / (1 + Double.exponential(-place))))
        }
    }

    /// √ᾱ·x + √(1−ᾱ)·ε for preprocessed pixels of any number; returned anew.
    public func added(to pixels: [Float]) -> [Float] {
        let signal = signal
        let (keep, scale) = (Float(signal.squareRoot()), Float((1 - signal).squareRoot()))
        var random = KeyedRandom(seed, "noise", group)
        return pixels.map { keep * $0 + scale * Float(random.normal()) }
    }
}
