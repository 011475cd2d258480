/// The element type of a computation: Float to train with, Double to check gradients with.
///
/// Each requirement is a kernel. The default of each is the plain loop of `Reference`, beside which the formula
/// stands; Float overrides them with vector code (Kernels/Fast…) that a test holds to the reference. Matrices are
/// contiguous unless a kernel says otherwise; gradients are added to what is there ("to:"), results overwrite
/// ("into:").
public protocol Scalar: BinaryFloatingPoint, Sendable {
    typealias Pointer = UnsafeMutablePointer<Self>

    /// c ← scale·op(a)·op(b) + keep·c, by BLAS.
    static func gemm(
        _ c: Matrix<Self>, _ a: Matrix<Self>, _ transposeA: Bool, _ b: Matrix<Self>, _ transposeB: Bool, scale: Self,
        keep: Self)
    /// c ← Σ terms + keep·c; called through `Matrix.setSum`, which checks the shapes.
    static func setSum(_ c: Matrix<Self>, _ terms: [ProductTerm<Self>], keep: Self)
    /// cᵢ ← aᵢ·op(b) + keep·cᵢ, the shapes of all aᵢ being the same.
    static func setProducts(
        _ c: [Matrix<Self>], _ a: [Matrix<Self>], _ b: Matrix<Self>, transposeB: Bool, keep: Self)
    /// y ← y + xᵀ; may be strided views.
    static func addTransposed(_ x: Matrix<Self>, to y: Matrix<Self>)

    // Elementwise
    static func add(_ x: Pointer, to y: Pointer, count: Int)
    static func addScaled(_ scale: Self, _ x: Pointer, to y: Pointer, count: Int)
    static func scale(_ x: Pointer, by factor: Self, count: Int)
    static func sumOfSquares(_ x: Pointer, count: Int) -> Double
    static func addBias(_ bias: Pointer, to x: Matrix<Self>)
    static func addColumnSums(of x: Matrix<Self>, to sums: Pointer)
    static func scaleColumns(_ x: Matrix<Self>, by factors: Pointer, into y: Matrix<Self>)
    static func addColumnSums(ofProduct x: Matrix<Self>, _ y: Matrix<Self>, to sums: Pointer)

    // Normalization
    static func rmsNorm(
        _ x: Matrix<Self>, weight: Pointer, epsilon: Double, into y: Matrix<Self>, inverseRMS: Pointer)
    static func rmsNormBackward(
        _ dy: Matrix<Self>, x: Matrix<Self>, weight: Pointer, inverseRMS: Pointer, to dx: Matrix<Self>,
        weightGradient: Pointer?)
    static func layerNorm(
        _ x: Matrix<Self>, weight: Pointer, bias: Pointer, epsilon: Double, into y: Matrix<Self>, mean: Pointer,
        inverseDeviation: Pointer)
    static func layerNormBackward(
        _ dy: Matrix<Self>, x: Matrix<Self>, weight: Pointer, mean: Pointer, inverseDeviation: Pointer,
        to dx: Matrix<Self>, weightGradient: Pointer?, biasGradient: Pointer?)

    // Rotary positions
    static func rotate(
        _ x: Matrix<Self>, heads: Int, cosines: Matrix<Self>, sines: Matrix<Self>, inverse: Bool)

    // Activations
    static func swiGLU(gate: Matrix<Self>, up: Matrix<Self>, into y: Matrix<Self>)
    static func swiGLUBackward(
        _ dy: Matrix<Self>, gate: Matrix<Self>, up: Matrix<Self>, gateGradient: Matrix<Self>, upGradient: Matrix<Self>)
    static func activate(_ kind: Activation, _ x: Matrix<Self>, into y: Matrix<Self>)
    static func activateBackward(_ kind: Activation, _ dy: Matrix<Self>, x: Matrix<Self>, into dx: Matrix<Self>)

    // Attention
    static func softmax(_ scores: Matrix<Self>, scale: Self, visible: Int, window: Int?, logSumExp: Pointer)
    static func softmaxAgain(_ scores: Matrix<Self>, scale: Self, visible: Int, window: Int?, logSumExp: Pointer)
    /// Rows may be strided views.
    static func rowDots(_ x: Matrix<Self>, _ y: Matrix<Self>, into dots: Pointer)
    static func softmaxBackward(_ probabilities: Matrix<Self>, dP: Matrix<Self>, delta: Pointer, scale: Self)

    // Token log-probabilities
    static func tokenLogProbability(
        _ logits: Matrix<Self>, targets: [Int32], into logProbabilities: UnsafeMutablePointer<Double>,
        logSumExp: Pointer)
    static func tokenLogProbabilityBackward(
        _ logits: Matrix<Self>, targets: [Int32], logSumExp: Pointer, coefficients: [Double])
    static func tokenDivergence(
        _ logits: Matrix<Self>, logSumExp: Pointer, reference: Matrix<Self>, referenceLogSumExp: Pointer,
        into divergences: UnsafeMutablePointer<Double>)
    static func tokenDivergenceBackward(
        _ logits: Matrix<Self>, logSumExp: Pointer, reference: Matrix<Self>, referenceLogSumExp: Pointer,
        coefficients: [Double])

    // Optimization
    /// Returns whether all parameters and second moments are finite afterwards.
    @discardableResult
    static func adamW(
        _ parameters: Pointer, gradient: Pointer, firstMoment: Pointer, secondMoment: Pointer, count: Int,
        step: AdamWStep
    ) -> Bool

    // Mining of negatives
    static func sigmoid(_ x: Matrix<Self>, bias: Pointer)
    static func difference(_ x: Pointer, _ y: Pointer, scale: Self, into z: Pointer, count: Int)
    static func sum(_ x: Pointer, count: Int) -> Double

    // 16-bit weights
    static func widen(_ source: UnsafeRawPointer, _ format: StoredFormat, into target: Pointer, count: Int)
    /// To nearest, ties to even. Returns false where a finite value became infinite.
    static func narrow(_ source: Pointer, _ format: StoredFormat, into target: UnsafeMutableRawPointer, count: Int)
        -> Bool

    // Generation
    /// y[i, r] ← Σₖ x[i, k]·W[r, k] for the listed rows of W, of which 16-bit ones are widened as they are read.
    static func fewRowsProduct(_ x: Matrix<Self>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Self>)
    /// y[i, j] ← Σₜ shares[i, t]·values[t, j]; rows may be strided views.
    static func mixRows(_ shares: Matrix<Self>, _ values: Matrix<Self>, into y: Matrix<Self>)
    /// The first index of the largest of `count` values.
    static func firstLargest(_ x: Pointer, count: Int) -> Int

    static func exponential(_ x: Self) -> Self
    static func naturalLogarithm(_ x: Self) -> Self
    static func errorFunction(_ x: Self) -> Self
    static func hyperbolicTangent(_ x: Self) -> Self
    static func cosine(_ x: Self) -> Self
}

/// Number formats of stored weights.
public enum StoredFormat: String, Sendable, CaseIterable {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"

    public var bytes: Int { self == .float32 ? 4 : 2 }

    /// As PyTorch and Hugging Face's configurations call it.
    public var configured: String {
        switch self {
        case .float32: "float32"
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        }
    }
}

/// Activation functions by the names Hugging Face configurations use.
public enum Activation: String, Sendable, CaseIterable {
    /// x·Φ(x) with the exact normal distribution function
    case gelu
    /// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
    case geluTanh = "gelu_pytorch_tanh"
    /// x·σ(1.702·x), CLIP's
    case quickGelu = "quick_gelu"
    /// x·σ(x)
    case silu
    /// max(0, x)
    case relu

    /// Accepts Hugging Face's synonyms (`gelu_new`, `swish`).
    public init?(configured name: String) {
        switch name {
        case "gelu_new", "gelu_fast", "gelu_pytorch_tanh": self = .geluTanh
        case "swish": self = .silu
        default: self.init(rawValue: name)
        }
    }
}

/// The scalars of one AdamW update, equal for all parameters; `torch.optim.AdamW`'s formulas.
///
/// With t counted from 1: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²,
/// θ ← θ·(1 − lr·λ) − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε).
public struct AdamWStep: Sendable, Equatable {
    public var learningRate: Double
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    public var weightDecay: Double
    /// Multiplies every gradient first: the mean over groups and the clipping in one.
    public var gradientScale: Double
    /// Updates made, this one included: 1 at the first.
    public var count: Int

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
