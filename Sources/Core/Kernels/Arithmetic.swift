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
    /// The number type of every matrix and vector here.
    associatedtype Element: Scalar
    /// The first of a run of elements: a vector, or a row of a matrix.
    typealias Pointer = UnsafeMutablePointer<Element>

    // Matrix products; all may be strided views
    /// x as products read a left factor that they do not transpose, where it pays to make that once for several of
    /// them (`ProductTerm.laid`); nil where they read x as it stands.
    static func laid(_ x: Matrix<Element>) -> Matrix<Element>?
    /// c ← Σ terms + keep·c, where `keep` 0 overwrites whatever was there, NaN included. Called by `setSum`, which
    /// has checked the shapes: there is at least one term, and nothing is empty.
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
    /// y ← y + x
    static func add(_ x: Pointer, to y: Pointer, count: Int)
    /// y ← y + scale·x
    static func addScaled(_ scale: Element, _ x: Pointer, to y: Pointer, count: Int)
    /// x ← factor·x
    static func scale(_ x: Pointer, by factor: Element, count: Int)
    /// z ← scale·(x − y)
    static func difference(_ x: Pointer, _ y: Pointer, scale: Element, into z: Pointer, count: Int)
    /// Σ x[i], added in Double.
    static func sum(_ x: Pointer, count: Int) -> Double
    /// Σ x[i]², added in Double.
    static func sumOfSquares(_ x: Pointer, count: Int) -> Double
    /// The first index of the largest of `count` values; 0 where there is none.
    static func firstLargest(_ x: Pointer, count: Int) -> Int
    /// x[t, c] += bias[c]. x: T × C.
    static func addBias(_ bias: Pointer, to x: Matrix<Element>)
    /// sums[c] += Σ_t x[t, c]. x: T × C.
    static func addColumnSums(of x: Matrix<Element>, to sums: Pointer)
    /// y[t, c] ← x[t, c]·factors[c]. x, y: T × C.
    static func scaleColumns(_ x: Matrix<Element>, by factors: Pointer, into y: Matrix<Element>)
    /// sums[c] += Σ_t x[t, c]·y[t, c]. x, y: T × C.
    static func addColumnSums(ofProduct x: Matrix<Element>, _ y: Matrix<Element>, to sums: Pointer)

    // Normalization
    /// y ← x·r·weight with r = 1/√(mean x² + ε) of each row (Zhang and Sennrich, arXiv 1910.07467). x, y: T ×
    /// C; `inverseRMS` takes the T values r.
    static func rmsNorm(
        _ x: Matrix<Element>, weight: Pointer, epsilon: Double, into y: Matrix<Element>, inverseRMS: Pointer)
    /// Adds to dx: T × C and, where it is given, to the C values of `weightGradient`. `inverseRMS` is what `rmsNorm`
    /// left.
    static func rmsNormBackward(
        _ dy: Matrix<Element>, x: Matrix<Element>, weight: Pointer, inverseRMS: Pointer, to dx: Matrix<Element>,
        weightGradient: Pointer?)
    /// y ← (x − μ)·r·weight + bias with r = 1/√(var x + ε) of each row (Ba et al., arXiv 1607.06450). x, y: T
    /// × C; `mean` and `inverseDeviation` take the T values μ and r.
    static func layerNorm(
        _ x: Matrix<Element>, weight: Pointer, bias: Pointer, epsilon: Double, into y: Matrix<Element>, mean: Pointer,
        inverseDeviation: Pointer)
    /// Adds to dx: T × C and, where they are given, to the C values of each gradient. `mean` and `inverseDeviation`
    /// are what `layerNorm` left.
    static func layerNormBackward(
        _ dy: Matrix<Element>, x: Matrix<Element>, weight: Pointer, mean: Pointer, inverseDeviation: Pointer,
        to dx: Matrix<Element>, weightGradient: Pointer?, biasGradient: Pointer?)

    // Rotary positions
    /// In place: in each head the pair (x_i, x_{i+D/2}) turns by the row's angle i, or back where `inverse`, which is
    /// the backward pass (Su et al., RoFormer, arXiv 2104.09864). x: T × (H·D); cosines, sines: T × D/2.
    static func rotate(
        _ x: Matrix<Element>, heads: Int, cosines: Matrix<Element>, sines: Matrix<Element>, inverse: Bool)

    // Activations
    /// y ← silu(gate)·up, element by element, in matrices of one shape (Shazeer, arXiv 2002.05202).
    static func swiGLU(gate: Matrix<Element>, up: Matrix<Element>, into y: Matrix<Element>)
    /// Overwrites `gateGradient` and `upGradient`; `gate` and `up` are what `swiGLU` was given. All of one shape.
    static func swiGLUBackward(
        _ dy: Matrix<Element>, gate: Matrix<Element>, up: Matrix<Element>, gateGradient: Matrix<Element>,
        upGradient: Matrix<Element>)
    /// y ← f(x), element by element.
    static func activate(_ kind: Activation, _ x: Matrix<Element>, into y: Matrix<Element>)
    /// dx ← dy·f′(x), where `x` is what `activate` was given. `dx` may be `dy`.
    static func activateBackward(
        _ kind: Activation, _ dy: Matrix<Element>, x: Matrix<Element>, into dx: Matrix<Element>)
    /// x[t, c] ← σ(x[t, c] + bias[c]). x: T × C.
    static func sigmoid(_ x: Matrix<Element>, bias: Pointer)

    // Dropout
    /// y ← m∘x/(1 − p), m being 0 where the mask leaves an element out and 1 elsewhere. x, y: T × C; y may be x.
    static func dropOut(_ x: Matrix<Element>, _ mask: DropoutMask, into y: Matrix<Element>)

    // Attention
    /// In place: the scores of queries (rows) and keys (columns) become probabilities of scale·score over the keys
    /// that a row sees, 0 elsewhere. `logSumExp` takes a value per row.
    ///
    /// Row i sees its first `visible + i` keys, at most all; of these the last `window` alone where there is one.
    static func softmax(_ scores: Matrix<Element>, scale: Element, visible: Int, window: Int?, logSumExp: Pointer)
    /// As `softmax`, with the log-sum-exp that it left.
    static func softmaxAgain(_ scores: Matrix<Element>, scale: Element, visible: Int, window: Int?, logSumExp: Pointer)
    /// Rows may be strided views.
    static func rowDots(_ x: Matrix<Element>, _ y: Matrix<Element>, into dots: Pointer)
    /// dP ← scale·p·(dP − δ), the scores' gradient, in place. The caller gives δ_i = Σ_j p_ij·dP_ij of each
    /// row.
    static func softmaxBackward(
        _ probabilities: Matrix<Element>, dP: Matrix<Element>, delta: Pointer, scale: Element)

    // Token log-probabilities
    /// log p(targets[t]) of each row. logits: T × V; `logProbabilities` and `logSumExp` take T values.
    static func tokenLogProbability(
        _ logits: Matrix<Element>, targets: [Int32], into logProbabilities: UnsafeMutablePointer<Double>,
        logSumExp: Pointer)
    /// logits ← coefficient·(1[target] − softmax(logits)): the gradient of Σ_t coefficients[t]·log
    /// p(targets[t]), in place.
    static func tokenLogProbabilityBackward(
        _ logits: Matrix<Element>, targets: [Int32], logSumExp: Pointer, coefficients: [Double])
    /// KL(reference‖policy) of each row into `divergences` (docs/method.md, CHiP). logits, which are the policy's,
    /// and reference: T × V.
    static func tokenDivergence(
        _ logits: Matrix<Element>, logSumExp: Pointer, reference: Matrix<Element>, referenceLogSumExp: Pointer,
        into divergences: UnsafeMutablePointer<Double>)
    /// reference ← coefficient·(p − p_ref): the gradient of Σ_t coefficients[t]·KL_t by the policy's logits,
    /// written over the reference's.
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
    /// float64.
    public typealias Element = Double

    /// c ← Σ terms + keep·c, by OpenBLAS, one term after the other.
    public static func setCheckedSum(_ c: Matrix<Double>, _ terms: [ProductTerm<Double>], keep: Double) {
        BLAS.setSum(c, terms, keep: keep)
    }
}
