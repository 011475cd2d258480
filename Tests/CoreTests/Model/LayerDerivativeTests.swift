import Core
import Testing

/// Every layer's backward pass against central differences in Double.
@Suite struct LayerDerivativeTests {
    private func input(_ rows: Int, _ columns: Int) -> Matrix<Double> {
        var random = KeyedRandom(4, "input")
        return Matrix(rows, columns, (0..<rows * columns).map { _ in random.normal() })
    }

    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
    func linear(hasBias: Bool, hasAdapter: Bool) throws {
        let weights = ProbeWeights()
        let part = Linear<DoublePrecision>(
            weight: weights("weight", 4, 6), bias: hasBias ? weights("bias", 1, 4) : nil,
            adapter: hasAdapter
                ? LowRankAdapter(a: weights("a", 2, 6), b: weights("b", 4, 2), scale: 1.5) : nil)
        try weights.store.seal()
        // The gradient of the input is added to what is there, or replaces it.
        for keep in [0.0, 1.0] {
            let probe = LayerProbe(weights.store) { x in
                let (y, saved) = part.forward(x)
                return (
                    y,
                    { dy, gradient in
                        let dx = Matrix<Double>(zeros: x.rows, x.columns)
                        DoublePrecision.setSum(dx, part.backward(dy, saved, gradient), keep: keep)
                        return dx
                    }
                )
            }
            probe.checkDerivatives(at: input(3, 6), "linear \(hasBias) \(hasAdapter)")
        }
    }

    @Test func norms() throws {
        try rmsNormProbe(ProbeWeights(), epsilon: 1e-3).checkDerivatives(at: input(4, 12), "RMSNorm")
        try layerNormProbe(ProbeWeights(), epsilon: 1e-3).checkDerivatives(at: input(4, 12), "LayerNorm")
    }

    /// A prefix with two continuations, one of which is continued again; and a sequence by itself.
    static let tree = [
        AttentionSegment(rows: 0..<3), AttentionSegment(rows: 3..<5, prefix: [0..<3]),
        AttentionSegment(rows: 5..<6, prefix: [0..<3, 3..<5]), AttentionSegment(rows: 6..<8, prefix: [0..<3]),
        AttentionSegment(rows: 8..<10),
    ]

    @Test(arguments: [(true, 2), (true, 4), (false, 4)])
    func attention(isCausal: Bool, keyHeads: Int) {
        let part = SegmentAttention<DoublePrecision>(heads: 4, keyHeads: keyHeads, headSize: 2, isCausal: isCausal)
        let segments = isCausal ? Self.tree : [AttentionSegment(rows: 0..<4), AttentionSegment(rows: 4..<10)]
        let (queries, keys) = (8, 2 * keyHeads)
        let spans = [0..<queries, queries..<queries + keys, queries + keys..<queries + 2 * keys]
        let probe = LayerProbe(ParameterStore()) { x in
            let parts = spans.map { x.columns($0).copied() }
            let (y, saved) = part.forward(q: parts[0], k: parts[1], v: parts[2], segments)
            return (
                y,
                { dy, _ in
                    let (dq, dk, dv) = part.backward(dy, saved, segments)
                    let dx = Matrix<Double>(uninitialized: x.rows, x.columns)
                    for (span, d) in zip(spans, [dq, dk, dv]) { dx.columns(span).copyElements(of: d) }
                    return dx
                }
            )
        }
        probe.checkDerivatives(at: input(10, queries + 2 * keys), "attention", elementsPerTensor: 120)
    }

    /// Blocks of query rows that do not divide the segments, against the same rows one segment of fewer rows each.
    @Test func attentionInBlocksEqualsAttentionWithPrefixes() {
        let part = SegmentAttention<DoublePrecision>(heads: 2, keyHeads: 1, headSize: 2, isCausal: true)
        let rows = 300
        let (q, kv) = (input(rows, 4), input(rows, 4))
        let (k, v) = (kv.columns(0..<2).copied(), kv.columns(2..<4).copied())
        let whole = part.forward(q: q, k: k, v: v, [AttentionSegment(rows: 0..<rows)]).0
        let pieces = stride(from: 0, to: rows, by: 50).map { start in
            AttentionSegment(
                rows: start..<start + 50, prefix: stride(from: 0, to: start, by: 50).map { $0..<$0 + 50 })
        }
        let joined = part.forward(q: q, k: k, v: v, pieces).0
        for i in 0..<whole.count { #expect(abs(whole.base[i] - joined.base[i]) < 1e-13) }
    }

    @Test func gatedNetwork() throws {
        try LayerModel().build().gatedNetworkProbe().checkDerivatives(at: input(5, 12), "GatedNetwork")
    }

    @Test func decoderLayer() throws {
        let model = try LayerModel(heads: 6, keyHeads: 2).build()
        let context = DecoderContext(
            Self.tree, positions: [0, 1, 2, 3, 4, 5, 3, 4, 0, 1], headSize: 2, base: 100)
        model.rotaryAttentionProbe(context).checkDerivatives(at: input(10, 12), "RotaryAttention")
        model.decoderLayerProbe(context).checkDerivatives(at: input(10, 12), "DecoderLayer")
        let last = DecoderContext(context, keeping: [2, 4, 6, 7, 9])
        model.decoderLayerProbe(last).checkDerivatives(at: input(10, 12), "DecoderLayer, some rows")
    }

    @Test(arguments: ["clip_vision_model", "siglip_vision_model", "dinov2"]) func visionLayer(shape: String) throws {
        let segments = [AttentionSegment(rows: 0..<3), AttentionSegment(rows: 3..<6)]
        let probe = try LayerModel(vision: shape).build().visionLayerProbe(segments)
        #expect(probe.slots.contains { $0.name.hasSuffix("lambda1") } == (shape == "dinov2"))
        probe.checkDerivatives(at: input(6, 8), shape)
    }

    @Test(arguments: Activation.allCases.filter { $0 != .relu }) func projector(activation: Activation) throws {
        let model = try LayerModel(projector: activation.rawValue).build()
        try model.projectorProbe().checkDerivatives(at: input(4, 8), "projector with \(activation)")
    }

    @Test func tokenLogProbability() throws {
        try tokenLogProbabilityProbe(ProbeWeights(), vocabulary: 9, [3, 0, 8, 3])
            .checkDerivatives(at: input(4, 12), "token log-probability")
    }
}
