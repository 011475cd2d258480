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
    public enum Kind: String, Sendable, CaseIterable {
        case constant
        case constantWithWarmup = "constant_with_warmup"
        case linear, cosine
    }

    public var kind: Kind
    public var peak: Double
    public var warmupSteps: Int
    public var totalSteps: Int

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
