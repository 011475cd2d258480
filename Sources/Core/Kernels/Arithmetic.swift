/// The kernels that a model is computed with, over matrices of one element type: layers are generic over it.
///
/// Every kernel has a plain loop as its default (`Plain`; the formula stands beside it), so that a conforming type
/// overrides what it does better: `Vector` nearly all, `DoublePrecision` the products alone. Another precision of the
/// products is one more type that overrides them and nothing else. It states its `Element`, which the compiler would
/// otherwise look for in every kernel, for hours:
///
///     enum BFloat16: VectorArithmetic {
///         typealias Element = Float
///         static func setCheckedSum(_ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float) { … }
///     }
///
/// `VisionLanguageModel<BFloat16>` then runs on it. Attention's products share one factor and have a requirement of
/// their own, `setProducts`; those of decoding are `fewRowsProduct` and `mixRows`. What a type does not override stays
/// as it is in the protocol that it conforms to.
///
/// Matrices are contiguous unless a kernel says otherwise; gradients are added to what is there ("to:"), results
/// overwrite ("into:"). Legend: `T` rows (tokens), `C` channels, `H` heads, `D` head size, `V` vocabulary.
public protocol Arithmetic: Sendable {
    associatedtype Element: Scalar
    typealias Pointer = UnsafeMutablePointer<Element>

    // Matrix products; all may be strided views
    /// c ← Σ terms + keep·c, where `keep` 0 overwrites whatever was there, NaN included. Called by `setSum`, which has
    /// checked the shapes: there is at least one term, and nothing is empty.
    static func setCheckedSum(_ c: Matrix<Element>, _ terms: [ProductTerm<Element>], keep: Element)
    /// cᵢ ← aᵢ·op(b) + keep·cᵢ, the shapes of all aᵢ being the same.
    static func setProducts(
        _ c: [Matrix<Element>], _ a: [Matrix<Element>], _ b: Matrix<Element>, transposeB: Bool, keep: Element)
    /// y[i, r] ← Σₖ x[i, k]·W[r, k] for the listed rows of W, of which 16-bit ones are widened as they are read.
    static func fewRowsProduct(
        _ x: Matrix<Element>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Element>)
    /// y[i, j] ← Σₜ shares[i, t]·values[t, j]
    static func mixRows(_ shares: Matrix<Element>, _ values: Matrix<Element>, into y: Matrix<Element>)
    /// y ← y + xᵀ
    static func addTransposed(_ x: Matrix<Element>, to y: Matrix<Element>)

    // Elementwise
    static func add(_ x: Pointer, to y: Pointer, count: Int)
    static func addScaled(_ scale: Element, _ x: Pointer, to y: Pointer, count: Int)
    static func scale(_ x: Pointer, by factor: Element, count: Int)
    static func difference(_ x: Pointer, _ y: Pointer, scale: Element, into z: Pointer, count: Int)
    static func sum(_ x: Pointer, count: Int) -> Double
    static func sumOfSquares(_ x: Pointer, count: Int) -> Double
    static func firstLargest(_ x: Pointer, count: Int) -> Int
    static func addBias(_ bias: Pointer, to x: Matrix<Element>)
    static func addColumnSums(of x: Matrix<Element>, to sums: Pointer)
    static func scaleColumns(_ x: Matrix<Element>, by factors: Pointer, into y: Matrix<Element>)
    static func addColumnSums(ofProduct x: Matrix<Element>, _ y: Matrix<Element>, to sums: Pointer)

    // Normalization
    static func rmsNorm(
        _ x: Matrix<Element>, weight: Pointer, epsilon: Double, into y: Matrix<Element>, inverseRMS: Pointer)
    static func rmsNormBackward(
        _ dy: Matrix<Element>, x: Matrix<Element>, weight: Pointer, inverseRMS: Pointer, to dx: Matrix<Element>,
        weightGradient: Pointer?)
    static func layerNorm(
        _ x: Matrix<Element>, weight: Pointer, bias: Pointer, epsilon: Double, into y: Matrix<Element>, mean: Pointer,
        inverseDeviation: Pointer)
    static func layerNormBackward(
        _ dy: Matrix<Element>, x: Matrix<Element>, weight: Pointer, mean: Pointer, inverseDeviation: Pointer,
        to dx: Matrix<Element>, weightGradient: Pointer?, biasGradient: Pointer?)

    // Rotary positions
    static func rotate(
        _ x: Matrix<Element>, heads: Int, cosines: Matrix<Element>, sines: Matrix<Element>, inverse: Bool)

    // Activations
    static func swiGLU(gate: Matrix<Element>, up: Matrix<Element>, into y: Matrix<Element>)
    static func swiGLUBackward(
        _ dy: Matrix<Element>, gate: Matrix<Element>, up: Matrix<Element>, gateGradient: Matrix<Element>,
        upGradient: Matrix<Element>)
    static func activate(_ kind: Activation, _ x: Matrix<Element>, into y: Matrix<Element>)
    static func activateBackward(
        _ kind: Activation, _ dy: Matrix<Element>, x: Matrix<Element>, into dx: Matrix<Element>)
    static func sigmoid(_ x: Matrix<Element>, bias: Pointer)

    // Attention
    static func softmax(_ scores: Matrix<Element>, scale: Element, visible: Int, window: Int?, logSumExp: Pointer)
    static func softmaxAgain(_ scores: Matrix<Element>, scale: Element, visible: Int, window: Int?, logSumExp: Pointer)
    /// Rows may be strided views.
    static func rowDots(_ x: Matrix<Element>, _ y: Matrix<Element>, into dots: Pointer)
    static func softmaxBackward(
        _ probabilities: Matrix<Element>, dP: Matrix<Element>, delta: Pointer, scale: Element)

    // Token log-probabilities
    static func tokenLogProbability(
        _ logits: Matrix<Element>, targets: [Int32], into logProbabilities: UnsafeMutablePointer<Double>,
        logSumExp: Pointer)
    static func tokenLogProbabilityBackward(
        _ logits: Matrix<Element>, targets: [Int32], logSumExp: Pointer, coefficients: [Double])
    static func tokenDivergence(
        _ logits: Matrix<Element>, logSumExp: Pointer, reference: Matrix<Element>, referenceLogSumExp: Pointer,
        into divergences: UnsafeMutablePointer<Double>)
    static func tokenDivergenceBackward(
        _ logits: Matrix<Element>, logSumExp: Pointer, reference: Matrix<Element>, referenceLogSumExp: Pointer,
        coefficients: [Double])

    // Optimization
    /// Returns whether all parameters and second moments are finite afterwards.
    @discardableResult
    static func adamW(
        _ parameters: Pointer, gradient: Pointer, firstMoment: Pointer, secondMoment: Pointer, count: Int,
        step: AdamWStep
    ) -> Bool
}

/// The plain loops, products too: what the vector kernels are held to. A whole model on it is slow, as the compiler
/// does not specialise it.
public enum Plain<Element: Scalar>: Arithmetic {}

/// Double precision, for sums that need the digits and for checks of gradients: the plain loops, but products by BLAS.
public enum DoublePrecision: Arithmetic {
    public typealias Element = Double

    public static func setCheckedSum(_ c: Matrix<Double>, _ terms: [ProductTerm<Double>], keep: Double) {
        BLAS.setSum(c, terms, keep: keep)
    }
}
