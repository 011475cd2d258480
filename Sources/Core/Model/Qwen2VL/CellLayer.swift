/// Bidirectional self-attention with rotary positions, queries, keys and values from one matrix. x: T × C.
struct CellAttention<A: Arithmetic>: Sendable {
    /// From C to 3·C: rows of queries, of keys, of values.
    let joint: Linear<A>
    let output: Linear<A>
    /// Within each segment: a picture, or a window of one.
    let attention: SegmentAttention<A>

    /// What `backward` needs.
    struct Activations {
        let joint, output: Linear<A>.Activations
        let attention: SegmentAttention<A>.Activations
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    func forward(
        _ x: Matrix<A.Element>, _ batch: CellBatch<A.Element>, _ segments: [AttentionSegment]
    ) -> (Matrix<A.Element>, Activations) {
        let (all, savedJoint) = joint.forward(x)
        let parts = (0..<3).map { part(all, $0).copied() }
        for x in parts.prefix(2) { rotate(x, batch, inverse: false) }
        let (mixed, savedAttention) = attention.forward(q: parts[0], k: parts[1], v: parts[2], segments)
        let (y, savedOutput) = output.forward(mixed)
        return (y, Activations(joint: savedJoint, output: savedOutput, attention: savedAttention))
    }

    /// Returns dx.
    func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ batch: CellBatch<A.Element>, _ segments: [AttentionSegment],
        _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element> {
        let dMixed = Matrix<A.Element>(uninitialized: dy.rows, output.weight.columns)
        A.setSum(dMixed, output.backward(dy, saved.output, gradient))
        let (dq, dk, dv) = attention.backward(dMixed, saved.attention, segments)
        for d in [dq, dk] { rotate(d, batch, inverse: true) }
        let dAll = Matrix<A.Element>(uninitialized: dy.rows, joint.weight.rows)
        for (index, d) in [dq, dk, dv].enumerated() { part(dAll, index).copyElements(of: d) }
        let dx = Matrix<A.Element>(uninitialized: dy.rows, joint.weight.columns)
        A.setSum(dx, joint.backward(dAll, saved.joint, gradient))
        return dx
    }

    private func part(_ all: Matrix<A.Element>, _ index: Int) -> Matrix<A.Element> {
        let width = attention.heads * attention.headSize
        return all.columns(index * width..<(index + 1) * width)
    }

    private func rotate(_ x: Matrix<A.Element>, _ batch: CellBatch<A.Element>, inverse: Bool) {
        A.rotate(x, heads: attention.heads, cosines: batch.cosines, sines: batch.sines, inverse: inverse)
    }
}

/// h = x + attention(norm(x)); y = h + network(norm(h)): a layer of the tower. x: T × C.
struct CellLayer<A: Arithmetic, Norm: RowNorm<A>, Network: RowNetwork<A>>: Sendable {
    let attentionNorm: Norm
    let attention: CellAttention<A>
    let networkNorm: Norm
    let network: Network
    /// Whether a row sees its whole picture; otherwise its window.
    let seesPictures: Bool

    /// What `backward` needs.
    struct Activations {
        let attentionNorm: Norm.Activations
        let attention: CellAttention<A>.Activations
        let networkNorm: Norm.Activations
        let network: Network.Activations
    }

    private func segments(_ batch: CellBatch<A.Element>) -> [AttentionSegment] {
        seesPictures ? batch.pictures : batch.windows
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    func forward(_ x: Matrix<A.Element>, _ batch: CellBatch<A.Element>) -> (Matrix<A.Element>, Activations) {
        let (normalX, savedNorm1) = attentionNorm.forward(x)
        let (h, savedAttention) = attention.forward(normalX, batch, segments(batch))
        A.add(x, to: h)
        let (normalH, savedNorm2) = networkNorm.forward(h)
        let (y, savedNetwork) = network.forward(normalH)
        A.add(h, to: y)
        let saved = Activations(
            attentionNorm: savedNorm1, attention: savedAttention, networkNorm: savedNorm2, network: savedNetwork)
        return (y, saved)
    }

    /// Turns `dy` into dx, in place.
    func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ batch: CellBatch<A.Element>, _ gradient: Gradient<A.Element>
    ) {
        networkNorm.backward(network.backward(dy, saved.network, gradient), saved.networkNorm, gradient, to: dy)
        let dNormalX = attention.backward(dy, saved.attention, batch, segments(batch), gradient)
        attentionNorm.backward(dNormalX, saved.attentionNorm, gradient, to: dy)
    }
}
