/// The trained pair of a low-rank adapter: W + scale·B·A. A: r × in; B: out × r; scale = α/r.
///
/// Source: Hu et al., LoRA (arXiv 2106.09685), eq. 3, with PEFT's names.
public struct LowRankAdapter<S: Scalar>: Sendable {
    public let a: Weight<S>
    public let b: Weight<S>
    public let scale: S

    public init(a: Weight<S>, b: Weight<S>, scale: S) {
        self.a = a
        self.b = b
        self.scale = scale
    }
}

/// y = x·Wᵀ + bias + scale·(x·Aᵀ)·Bᵀ. x: T × in; W: out × in; y: T × out.
public struct Linear<S: Scalar>: Sendable {
    public let weight: Weight<S>
    public let bias: Weight<S>?
    public var adapter: LowRankAdapter<S>?

    public init(weight: Weight<S>, bias: Weight<S>? = nil, adapter: LowRankAdapter<S>? = nil) {
        self.weight = weight
        self.bias = bias
        self.adapter = adapter
    }

    public var isTrained: Bool { weight.isTrained || bias?.isTrained == true || adapter != nil }

    /// What the backward pass needs.
    public struct Activations {
        let input: Matrix<S>
        /// x·Aᵀ, T × r
        let low: Matrix<S>?
    }

    public func forward(_ x: Matrix<S>) -> (Matrix<S>, Activations) {
        let y = Matrix<S>.product(x, transposed: weight.matrix)
        if let bias { S.addBias(bias.vector, to: y) }
        guard let adapter else { return (y, Activations(input: x, low: nil)) }
        let low = Matrix<S>.product(x, transposed: adapter.a.matrix)
        y.setProduct(low, adapter.b.matrix, transposeB: true, scale: adapter.scale, keep: 1)
        return (y, Activations(input: x, low: low))
    }

    /// Adds the weights' gradients; adds dx = dy·W + scale·(dy·B)·A to `dx` (`keep` 1) or overwrites it (`keep` 0),
    /// unless it is nil.
    public func backward(
        _ dy: Matrix<S>, _ activations: Activations, _ gradient: Gradient<S>, to dx: Matrix<S>?, keep: S = 1
    ) {
        dx?.setProduct(dy, weight.matrix, keep: keep)
        weight.gradient(in: gradient)?.setProduct(dy, transposeA: true, activations.input, keep: 1)
        if let db = bias?.gradient(in: gradient) { S.addColumnSums(of: dy, to: db.base) }
        guard let adapter, let low = activations.low else { return }
        adapter.b.gradient(in: gradient)?
            .setProduct(dy, transposeA: true, low, scale: adapter.scale, keep: 1)
        let dLow = Matrix<S>(uninitialized: low.rows, low.columns)
        dLow.setProduct(dy, adapter.b.matrix, scale: adapter.scale)
        adapter.a.gradient(in: gradient)?.setProduct(dLow, transposeA: true, activations.input, keep: 1)
        dx?.setProduct(dLow, adapter.a.matrix, keep: 1)
    }
}
