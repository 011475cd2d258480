/// What a layer needs to know of the batch: which rows attend to which, and the rotary angles of each row.
public struct DecoderContext<S: Scalar> {
    public let segments: [AttentionSegment]
    /// T × D/2
    public let cosines: Matrix<S>
    public let sines: Matrix<S>
    /// The rows, ascending, that the layer's output is wanted for; nil for all T.
    public let kept: [Int]?

    package init(segments: [AttentionSegment], cosines: Matrix<S>, sines: Matrix<S>) {
        (self.segments, self.cosines, self.sines, kept) = (segments, cosines, sines, nil)
    }

    /// The context of a layer whose output is wanted at some rows only: keys and values come from all.
    package init(_ context: DecoderContext, keeping rows: [Int]) {
        segments = context.segments.asking(rows)
        (cosines, sines, kept) = (context.cosines, context.sines, rows)
    }

    /// The kept rows of a matrix.
    func kept(of x: Matrix<S>) -> Matrix<S> { kept.map { x.gathered($0) } ?? x }
}

/// down(silu(gate(x))·up(x)), LLaMA's feed-forward network. x: T × C.
public struct GatedNetwork<S: Scalar>: Sendable {
    public var gate: Linear<S>
    public var up: Linear<S>
    public var down: Linear<S>

    public struct Activations {
        let gate: (output: Matrix<S>, saved: Linear<S>.Activations)
        let up: (output: Matrix<S>, saved: Linear<S>.Activations)
        let down: Linear<S>.Activations
    }

    public func forward(_ x: Matrix<S>) -> (Matrix<S>, Activations) {
        let g = gate.forward(x)
        let u = up.forward(x)
        let product = Matrix<S>(uninitialized: x.rows, g.0.columns)
        S.swiGLU(gate: g.0, up: u.0, into: product)
        let (y, saved) = down.forward(product)
        return (y, Activations(gate: g, up: u, down: saved))
    }

    /// Returns dx.
    public func backward(_ dy: Matrix<S>, _ saved: Activations, _ gradient: Gradient<S>) -> Matrix<S> {
        let dProduct = Matrix<S>(uninitialized: dy.rows, down.weight.columns)
        dProduct.setSum(down.backward(dy, saved.down, gradient))
        let dGate = Matrix<S>(uninitialized: dProduct.rows, dProduct.columns)
        let dUp = Matrix<S>(uninitialized: dProduct.rows, dProduct.columns)
        S.swiGLUBackward(
            dProduct, gate: saved.gate.output, up: saved.up.output, gateGradient: dGate, upGradient: dUp)
        let dx = Matrix<S>(uninitialized: dy.rows, gate.weight.columns)
        dx.setSum(
            gate.backward(dGate, saved.gate.saved, gradient) + up.backward(dUp, saved.up.saved, gradient))
        return dx
    }
}

/// Causal self-attention with rotary positions and grouped keys. x: T × C; y: a row for each kept one.
public struct RotaryAttention<S: Scalar>: Sendable {
    public var query: Linear<S>
    public var key: Linear<S>
    public var value: Linear<S>
    public var output: Linear<S>
    public let attention: SegmentAttention

    public struct Activations {
        let query, key, value, output: Linear<S>.Activations
        let attention: SegmentAttention.Activations<S>
    }

    public func forward(_ x: Matrix<S>, _ context: DecoderContext<S>) -> (Matrix<S>, Activations) {
        let (q, savedQ) = query.forward(context.kept(of: x))
        let (k, savedK) = key.forward(x)
        let (v, savedV) = value.forward(x)
        rotate(q, k, context, inverse: false)
        let (mixed, savedAttention) = attention.forward(q: q, k: k, v: v, context.segments)
        let (y, savedOutput) = output.forward(mixed)
        return (
            y,
            Activations(query: savedQ, key: savedK, value: savedV, output: savedOutput, attention: savedAttention)
        )
    }

    /// Overwrites `dx`; nil where nothing below is trained.
    public func backward(
        _ dy: Matrix<S>, _ saved: Activations, _ context: DecoderContext<S>, _ gradient: Gradient<S>,
        into dx: Matrix<S>?
    ) {
        let dMixed = Matrix<S>(uninitialized: dy.rows, output.weight.columns)
        dMixed.setSum(output.backward(dy, saved.output, gradient))
        let (dq, dk, dv) = attention.backward(dMixed, saved.attention, context.segments)
        rotate(dq, dk, context, inverse: true)
        let byQuery = query.backward(dq, saved.query, gradient)
        let byKey = key.backward(dk, saved.key, gradient)
        let byValue = value.backward(dv, saved.value, gradient)
        guard let dx else { return }
        if let kept = context.kept {
            dx.setSum(byKey + byValue)
            let dKept = Matrix<S>(uninitialized: dq.rows, dx.columns)
            dKept.setSum(byQuery)
            dx.addRows(dKept, at: kept)
        } else {
            dx.setSum(byQuery + byKey + byValue)
        }
    }

    func rotate(_ q: Matrix<S>, _ k: Matrix<S>, _ context: DecoderContext<S>, inverse: Bool) {
        S.rotate(
            q, heads: attention.heads, cosines: context.kept(of: context.cosines),
            sines: context.kept(of: context.sines), inverse: inverse)
        S.rotate(k, heads: attention.keyHeads, cosines: context.cosines, sines: context.sines, inverse: inverse)
    }
}

/// h = x + attention(norm(x)); y = h + network(norm(h)): one layer of a LLaMA decoder. x: T × C; y: a row for each kept
/// one.
public struct DecoderLayer<S: Scalar>: Sendable {
    public let attentionNorm: RMSNorm<S>
    public var attention: RotaryAttention<S>
    public let networkNorm: RMSNorm<S>
    public var network: GatedNetwork<S>

    public struct Activations {
        let attentionNorm: RMSNorm<S>.Activations
        let attention: RotaryAttention<S>.Activations
        let networkNorm: RMSNorm<S>.Activations
        let network: GatedNetwork<S>.Activations
    }

    public func forward(_ x: Matrix<S>, _ context: DecoderContext<S>) -> (Matrix<S>, Activations) {
        let (normalX, savedNorm1) = attentionNorm.forward(x)
        let (h, savedAttention) = attention.forward(normalX, context)
        h += context.kept(of: x)
        let (normalH, savedNorm2) = networkNorm.forward(h)
        let (y, savedNetwork) = network.forward(normalH)
        y += h
        let saved = Activations(
            attentionNorm: savedNorm1, attention: savedAttention, networkNorm: savedNorm2, network: savedNetwork)
        return (y, saved)
    }

    /// Returns dx, in the memory of `dy` where all rows are kept; nil, and `dy` meaningless, when `needsInput` is
    /// false.
    public func backward(
        _ dy: Matrix<S>, _ saved: Activations, _ context: DecoderContext<S>, _ gradient: Gradient<S>, needsInput: Bool
    ) -> Matrix<S>? {
        let dNormalH = network.backward(dy, saved.network, gradient)
        networkNorm.backward(dNormalH, saved.networkNorm, gradient, to: dy)
        let rows = saved.attentionNorm.input.rows
        let dNormalX =
            needsInput || attentionNorm.weight.isTrained ? Matrix<S>(uninitialized: rows, dy.columns) : nil
        attention.backward(dy, saved.attention, context, gradient, into: dNormalX)
        guard let dNormalX else { return nil }
        var dx = dy
        if let kept = context.kept {
            dx = Matrix(zeros: rows, dy.columns)
            dx.addRows(dy, at: kept)
        }
        attentionNorm.backward(dNormalX, saved.attentionNorm, gradient, to: dx)
        return needsInput ? dx : nil
    }
}
