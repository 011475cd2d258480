/// What a layer needs to know of the batch: which rows attend to which, and the rotary angles of each row.
public struct DecoderContext<Element: Scalar> {
    /// Which rows attend together, and which of them ask.
    public let segments: [AttentionSegment]
    /// T × D/2
    public let cosines: Matrix<Element>
    /// T × D/2
    public let sines: Matrix<Element>
    /// The rows, ascending, that the layer's output is wanted for; nil for all T.
    public let kept: [Int]?
    /// Before the adapters, of the T rows; nil: none.
    let dropout: RowDropout?
    /// Of the kept rows.
    let keptDropout: RowDropout?

    package init(
        segments: [AttentionSegment], cosines: Matrix<Element>, sines: Matrix<Element>, dropout: RowDropout? = nil
    ) {
        (self.segments, self.cosines, self.sines, kept) = (segments, cosines, sines, nil)
        (self.dropout, keptDropout) = (dropout, dropout)
    }

    /// The context of a layer whose output is wanted at some rows only: keys and values come from all.
    package init(_ context: DecoderContext, keeping rows: [Int]) {
        segments = context.segments.asking(rows)
        (cosines, sines, kept) = (context.cosines, context.sines, rows)
        (dropout, keptDropout) = (context.dropout, context.dropout?.kept(rows))
    }

    /// The kept rows of a matrix.
    func kept(of x: Matrix<Element>) -> Matrix<Element> { kept.map { x.gathered($0) } ?? x }
}

/// down(silu(gate(x))·up(x)), LLaMA's feed-forward network. x: T × C.
public struct GatedNetwork<A: Arithmetic>: Sendable {
    /// From C to the network's width.
    public var gate: Linear<A>
    /// From C to the network's width.
    public var up: Linear<A>
    /// From the network's width to C.
    public var down: Linear<A>

    /// What `backward` needs.
    public struct Activations {
        let gate: (output: Matrix<A.Element>, saved: Linear<A>.Activations)
        let up: (output: Matrix<A.Element>, saved: Linear<A>.Activations)
        let down: Linear<A>.Activations
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    public func forward(_ x: Matrix<A.Element>) -> (Matrix<A.Element>, Activations) { forward(x, dropout: nil) }

    /// - Parameter dropout: before the adapters, of the T rows; nil: none
    func forward(_ x: Matrix<A.Element>, dropout: RowDropout?) -> (Matrix<A.Element>, Activations) {
        let laid = A.laid(x)
        let g = gate.forward(x, laid: laid, dropout: dropout)
        let u = up.forward(x, laid: laid, dropout: dropout)
        let product = Matrix<A.Element>(uninitialized: x.rows, g.0.columns)
        A.swiGLU(gate: g.0, up: u.0, into: product)
        let (y, saved) = down.forward(product, dropout: dropout)
        return (y, Activations(gate: g, up: u, down: saved))
    }

    /// Returns dx.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element> {
        let dProduct = Matrix<A.Element>(uninitialized: dy.rows, down.weight.columns)
        A.setSum(dProduct, down.backward(dy, saved.down, gradient))
        let dGate = Matrix<A.Element>(uninitialized: dProduct.rows, dProduct.columns)
        let dUp = Matrix<A.Element>(uninitialized: dProduct.rows, dProduct.columns)
        A.swiGLUBackward(
            dProduct, gate: saved.gate.output, up: saved.up.output, gateGradient: dGate, upGradient: dUp)
        let dx = Matrix<A.Element>(uninitialized: dy.rows, gate.weight.columns)
        A.setSum(
            dx,
            gate.backward(dGate, saved.gate.saved, gradient) + up.backward(dUp, saved.up.saved, gradient))
        return dx
    }
}

/// Causal self-attention with rotary positions and grouped keys. x: T × C; y: a row for each kept one.
public struct RotaryAttention<A: Arithmetic>: Sendable {
    /// From C to H·D.
    public var query: Linear<A>
    /// From C to H_kv·D.
    public var key: Linear<A>
    /// From C to H_kv·D.
    public var value: Linear<A>
    /// From H·D to C.
    public var output: Linear<A>
    /// Mixes the values of what each row sees; queries and keys are rotated before.
    public let attention: SegmentAttention<A>

    /// What `backward` needs.
    public struct Activations {
        let query, key, value, output: Linear<A>.Activations
        let attention: SegmentAttention<A>.Activations
    }

    /// x: T × C. Returns y, a row of C for each kept one, and what `backward` needs.
    public func forward(
        _ x: Matrix<A.Element>, _ context: DecoderContext<A.Element>
    ) -> (Matrix<A.Element>, Activations) {
        let laid = A.laid(x)
        let (q, savedQ) = query.forward(
            context.kept(of: x), laid: context.kept == nil ? laid : nil, dropout: context.keptDropout)
        let (k, savedK) = key.forward(x, laid: laid, dropout: context.dropout)
        let (v, savedV) = value.forward(x, laid: laid, dropout: context.dropout)
        rotate(q, k, context, inverse: false)
        let (mixed, savedAttention) = attention.forward(q: q, k: k, v: v, context.segments)
        let (y, savedOutput) = output.forward(mixed, dropout: context.keptDropout)
        return (
            y,
            Activations(query: savedQ, key: savedK, value: savedV, output: savedOutput, attention: savedAttention)
        )
    }

    /// Overwrites `dx`; nil where nothing below is trained.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ context: DecoderContext<A.Element>,
        _ gradient: Gradient<A.Element>, into dx: Matrix<A.Element>?
    ) {
        let dMixed = Matrix<A.Element>(uninitialized: dy.rows, output.weight.columns)
        A.setSum(dMixed, output.backward(dy, saved.output, gradient))
        let (dq, dk, dv) = attention.backward(dMixed, saved.attention, context.segments)
        rotate(dq, dk, context, inverse: true)
        let byQuery = query.backward(dq, saved.query, gradient)
        let byKey = key.backward(dk, saved.key, gradient)
        let byValue = value.backward(dv, saved.value, gradient)
        guard let dx else { return }
        if let kept = context.kept {
            A.setSum(dx, byKey + byValue)
            let dKept = Matrix<A.Element>(uninitialized: dq.rows, dx.columns)
            A.setSum(dKept, byQuery)
            A.addRows(dKept, to: dx, at: kept)
        } else {
            A.setSum(dx, byQuery + byKey + byValue)
        }
    }

    func rotate(_ q: Matrix<A.Element>, _ k: Matrix<A.Element>, _ context: DecoderContext<A.Element>, inverse: Bool) {
        A.rotate(
            q, heads: attention.heads, cosines: context.kept(of: context.cosines),
            sines: context.kept(of: context.sines), inverse: inverse)
        A.rotate(k, heads: attention.keyHeads, cosines: context.cosines, sines: context.sines, inverse: inverse)
    }
}

/// h = x + attention(norm(x)); y = h + network(norm(h)): one layer of a LLaMA decoder. x: T × C; y: a row for each
/// kept one.
public struct DecoderLayer<A: Arithmetic>: Sendable {
    /// Before the attention.
    public let attentionNorm: RMSNorm<A>
    /// Its output is added to x.
    public var attention: RotaryAttention<A>
    /// Before the network.
    public let networkNorm: RMSNorm<A>
    /// Its output is added to h.
    public var network: GatedNetwork<A>

    /// What `backward` needs.
    public struct Activations {
        let attentionNorm: RMSNorm<A>.Activations
        let attention: RotaryAttention<A>.Activations
        let networkNorm: RMSNorm<A>.Activations
        let network: GatedNetwork<A>.Activations
    }

    /// x: T × C. Returns y, a row of C for each kept one, and what `backward` needs.
    public func forward(
        _ x: Matrix<A.Element>, _ context: DecoderContext<A.Element>
    ) -> (Matrix<A.Element>, Activations) {
        let (normalX, savedNorm1) = attentionNorm.forward(x)
        let (h, savedAttention) = attention.forward(normalX, context)
        A.add(context.kept(of: x), to: h)
        let (normalH, savedNorm2) = networkNorm.forward(h)
        let (y, savedNetwork) = network.forward(normalH, dropout: context.keptDropout)
        A.add(h, to: y)
        let saved = Activations(
            attentionNorm: savedNorm1, attention: savedAttention, networkNorm: savedNorm2, network: savedNetwork)
        return (y, saved)
    }

    /// Returns dx, in the memory of `dy` where all rows are kept; nil, and `dy` meaningless, when `needsInput` is
    /// false.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ context: DecoderContext<A.Element>,
        _ gradient: Gradient<A.Element>, needsInput: Bool
    ) -> Matrix<A.Element>? {
        let dNormalH = network.backward(dy, saved.network, gradient)
        networkNorm.backward(dNormalH, saved.networkNorm, gradient, to: dy)
        let rows = saved.attentionNorm.input.rows
        let dNormalX =
            needsInput || attentionNorm.weight.isTrained ? Matrix<A.Element>(uninitialized: rows, dy.columns) : nil
        attention.backward(dy, saved.attention, context, gradient, into: dNormalX)
        guard let dNormalX else { return nil }
        var dx = dy
        if let kept = context.kept {
            dx = Matrix(zeros: rows, dy.columns)
            A.addRows(dy, to: dx, at: kept)
        }
        attentionNorm.backward(dNormalX, saved.attentionNorm, gradient, to: dx)
        return needsInput ? dx : nil
    }
}
