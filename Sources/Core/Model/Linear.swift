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
        let y = Matrix<S>(uninitialized: x.rows, weight.rows)
        var terms = [ProductTerm(x, weight.factor, transposeB: true)]
        var low: Matrix<S>?
        if let adapter {
            let product = Matrix<S>.product(x, transposed: adapter.a.matrix)
            terms.append(ProductTerm(product, adapter.b.matrix, transposeB: true, scale: adapter.scale))
            low = product
        }
        y.setSum(terms)
        if let bias { S.addBias(bias.vector, to: y) }
        return (y, Activations(input: x, low: low))
    }

    /// Adds the weights' gradients. Returns the terms of dx = dy·W + scale·(dy·B)·A, so that layers with one input can
    /// add theirs up in one pass.
    public func backward(
        _ dy: Matrix<S>, _ activations: Activations, _ gradient: Gradient<S>
    ) -> [ProductTerm<S>] {
        weight.gradient(in: gradient)?.setProduct(dy, transposeA: true, activations.input, keep: 1)
        if let db = bias?.gradient(in: gradient) { S.addColumnSums(of: dy, to: db.base) }
        let dense = ProductTerm(dy, weight.factor)
        guard let adapter, let low = activations.low else { return [dense] }
        adapter.b.gradient(in: gradient)?
            .setProduct(dy, transposeA: true, low, scale: adapter.scale, keep: 1)
        let dLow = Matrix<S>(uninitialized: low.rows, low.columns)
        dLow.setProduct(dy, adapter.b.matrix, scale: adapter.scale)
        adapter.a.gradient(in: gradient)?.setProduct(dLow, transposeA: true, activations.input, keep: 1)
        return [dense, ProductTerm(dLow, adapter.a.matrix)]
    }
}
