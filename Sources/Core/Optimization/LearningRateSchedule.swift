#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The learning rate of each optimiser step, as Hugging Face's schedulers give it (`get_scheduler`).
///
/// The rate rises linearly over the warm-up steps (the very first step has rate 0 when there is a warm-up) and then
/// stays, falls linearly to 0, or falls along half a cosine to 0. `constant` has no warm-up, whatever the ratio says.
public struct LearningRateSchedule: Sendable, Equatable {
    /// The schedules, by Hugging Face's names.
    public enum Kind: String, Sendable, CaseIterable {
        /// The peak at every step.
        case constant
        /// A rise to the peak, which stays.
        case constantWithWarmup = "constant_with_warmup"
        /// A rise to the peak; then a fall to 0 along a line, or along half a cosine.
        case linear, cosine
    }

    /// What follows the warm-up.
    public var kind: Kind
    /// The greatest rate.
    public var peak: Double
    /// Steps of the rise.
    public var warmupSteps: Int
    /// Steps of the run, the warm-up included.
    public var totalSteps: Int

    /// The warm-up takes `warmupRatio` of the steps, rounded up; none for `constant`.
    public init(_ kind: Kind, peak: Double, warmupRatio: Double, totalSteps: Int) {
        self.kind = kind
        self.peak = peak
        warmupSteps = kind == .constant ? 0 : Int((Double(totalSteps) * warmupRatio).rounded(.up))
        self.totalSteps = totalSteps
    }

    /// - Parameter step: steps taken before this one, from 0.
    public func rate(at step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        switch kind {
        case .constant, .constantWithWarmup: return peak
        case .linear: return peak * max(0, 1 - progress)
        case .cosine: return peak * max(0, 0.5 * (1 + cos(.pi * progress)))
        }
    }
}

/// The factor that `torch.nn.utils.clip_grad_norm_` applies: max/(norm + 1e-6), at most 1.
public func clippingFactor(norm: Double, maximum: Double) -> Double {
    min(1, maximum / (norm + 1e-6))
}
