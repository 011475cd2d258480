/// The trained pair of a low-rank adapter: W + scale·B·A. A: r × in; B: out × r; scale = α/r.
///
/// Source: Hu et al., LoRA (arXiv 2106.09685), eq. 3, with PEFT's names.
public struct LowRankAdapter<Element: Scalar>: Sendable {
    /// A: r × in.
    public let a: Weight<Element>
    /// B: out × r.
    public let b: Weight<Element>
    /// What B·A is multiplied by.
    public let scale: Element
    /// Keys what dropout leaves out before it.
    let key: UInt64

    /// Shapes are not checked: `a` is r × in, `b` is out × r.
    ///
    /// - Parameter module: path of the module in the model
    public init(a: Weight<Element>, b: Weight<Element>, scale: Element, module: String = "") {
        self.a = a
        self.b = b
        self.scale = scale
        var random = KeyedRandom(0, module)
        key = random.next()
    }
}

/// The gradient of a layer's input before it is added up: products, and what stands already.
public struct InputGradient<Element: Scalar> {
    var terms: [ProductTerm<Element>]
    var parts: [Matrix<Element>] = []

    static func + (left: InputGradient, right: InputGradient) -> InputGradient {
        InputGradient(terms: left.terms + right.terms, parts: left.parts + right.parts)
    }
}

extension Arithmetic {
    /// dx ← the gradient's sum + keep·dx
    package static func setSum(_ dx: Matrix<Element>, _ gradient: InputGradient<Element>, keep: Element = 0) {
        setSum(dx, gradient.terms, keep: keep)
        for part in gradient.parts { add(part, to: dx) }
    }
}

/// y = x·Wᵀ + bias + scale·(d(x)·Aᵀ)·Bᵀ. x: T × in; W: out × in; y: T × out. d is dropout in
/// training, where there is any, and d(x) = x otherwise.
public struct Linear<A: Arithmetic>: Sendable {
    /// W: out × in.
    public let weight: Weight<A.Element>
    /// 1 × out; nil for none.
    public let bias: Weight<A.Element>?
    /// Added to W; nil for none.
    public var adapter: LowRankAdapter<A.Element>?

    /// W: out × in; bias: 1 × out.
    public init(weight: Weight<A.Element>, bias: Weight<A.Element>? = nil, adapter: LowRankAdapter<A.Element>? = nil) {
        self.weight = weight
        self.bias = bias
        self.adapter = adapter
    }

    /// Whether `backward` has a gradient to add to: W's, the bias's or the adapter's.
    public var isTrained: Bool { weight.isTrained || bias?.isTrained == true || adapter != nil }

    /// What the backward pass needs.
    public struct Activations {
        let input: Matrix<A.Element>
        /// d(x)·Aᵀ, T × r
        let low: Matrix<A.Element>?
        let mask: DropoutMask?
    }

    /// x: T × in, and the same laid for products where layers share it. Returns y: T × out and what `backward` needs.
    ///
    /// - Parameter dropout: of the T rows; nil: none
    public func forward(
        _ x: Matrix<A.Element>, laid: Matrix<A.Element>? = nil, dropout: RowDropout? = nil
    ) -> (Matrix<A.Element>, Activations) {
        let y = Matrix<A.Element>(uninitialized: x.rows, weight.rows)
        let laid = laid ?? A.laid(x)
        var terms = [ProductTerm(x, laid: laid, weight.factor, transposeB: true)]
        var low: Matrix<A.Element>?
        var mask: DropoutMask?
        if let adapter {
            mask = dropout?.mask(adapter.key)
            let product = Matrix<A.Element>(uninitialized: x.rows, adapter.a.rows)
            let input = dropped(x, mask)
            A.setSum(
                product,
                [ProductTerm(input, laid: mask == nil ? laid : nil, adapter.a.matrix, transposeB: true)])
            terms.append(ProductTerm(product, adapter.b.matrix, transposeB: true, scale: adapter.scale))
            low = product
        }
        A.setSum(y, terms)
        if let bias { A.addBias(bias.vector, to: y) }
        return (y, Activations(input: x, low: low, mask: mask))
    }

    /// d(x)
    private func dropped(_ x: Matrix<A.Element>, _ mask: DropoutMask?) -> Matrix<A.Element> {
        guard let mask else { return x }
        let dropped = Matrix<A.Element>(uninitialized: x.rows, x.columns)
        A.dropOut(x, mask, into: dropped)
        return dropped
    }

    /// Adds the weights' gradients. Returns the terms of dx = dy·W + d(scale·(dy·B)·A), so that layers with one
    /// input can add theirs up in one pass.
    public func backward(
        _ dy: Matrix<A.Element>, _ activations: Activations, _ gradient: Gradient<A.Element>
    ) -> InputGradient<A.Element> {
        if let dW = weight.gradient(in: gradient) {
            A.setProduct(dW, dy, transposeA: true, activations.input, keep: 1)
        }
        if let db = bias?.gradient(in: gradient) { A.addColumnSums(of: dy, to: db.base) }
        let laid = A.laid(dy)
        let dense = ProductTerm(dy, laid: laid, weight.factor)
        guard let adapter, let low = activations.low else { return InputGradient(terms: [dense]) }
        if let dB = adapter.b.gradient(in: gradient) {
            A.setProduct(dB, dy, transposeA: true, low, scale: adapter.scale, keep: 1)
        }
        let dLow = Matrix<A.Element>(uninitialized: low.rows, low.columns)
        A.setSum(dLow, [ProductTerm(dy, laid: laid, adapter.b.matrix, scale: adapter.scale)])
        if let dA = adapter.a.gradient(in: gradient) {
            A.setProduct(dA, dLow, transposeA: true, dropped(activations.input, activations.mask), keep: 1)
        }
        let byAdapter = ProductTerm(dLow, adapter.a.matrix)
        guard let mask = activations.mask else { return InputGradient(terms: [dense, byAdapter]) }
        let part = Matrix<A.Element>(uninitialized: dy.rows, weight.columns)
        A.setSum(part, [byAdapter])
        A.dropOut(part, mask, into: part)
        return InputGradient(terms: [dense], parts: [part])
    }
}
