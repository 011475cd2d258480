import Core
import Foundation
import TestSupport
import Testing

/// Single layers against transformers' modules in float64 (Tests/Goldens/layers.py): values and all gradients.
@Suite struct LayerGoldenTests {
    /// A case of layers.json.
    struct Case {
        let json: JSONField

        init(_ name: String) throws {
            json = try JSONField(contentsOf: golden("layers.json"))[name]
        }

        static func numbers(_ field: JSONField) throws -> [Double] {
            try field["data"].array().map { try $0.double() }
        }

        static func matrix(_ field: JSONField) throws -> Matrix<Double> {
            let shape = try field["shape"].array().map { try $0.int() }
            let rows = shape.count > 1 ? shape[0] : 1
            return Matrix(rows, shape.reduce(1, *) / rows, try numbers(field))
        }

        var x: Matrix<Double> { get throws { try Self.matrix(json["inputs"]["x"]) } }
        var positions: [Int] { get throws { try json["settings"]["positions"].array().map { try $0.int() } } }

        /// The weights under the names of a model that has the layer at `prefix`.
        func weights(_ prefix: String = "") throws -> [String: [Double]] { try named("weights", prefix) }

        private func named(_ key: String, _ prefix: String) throws -> [String: [Double]] {
            var result: [String: [Double]] = [:]
            for (name, _) in try json[key].object().members {
                result[TensorCatalog.canonical(prefix + name)] = try Self.numbers(json[key][name])
            }
            return result
        }

        func check(_ probe: LayerProbe, _ prefix: String = "") throws {
            let (y, pullback) = probe.apply(try x)
            #expect(error(y.elements, try Self.numbers(json["output"])) < 1e-8, "\(json.path)")
            let gradient = Gradient(zerosFor: probe.store)
            let dx = pullback(try Self.matrix(json["output_gradient"]).reshaped(y.rows, y.columns), gradient)
            #expect(error(dx.elements, try Self.numbers(json["input_gradients"]["x"])) < 1e-8, "\(json.path)")
            let expected = try named("weight_gradients", prefix)
            #expect(Set(expected.keys) == Set(probe.slots.map(\.name)), "\(json.path)")
            for slot in probe.slots {
                #expect(error(gradient[slot].elements, expected[slot.name] ?? []) < 1e-8, "\(json.path) \(slot.name)")
            }
        }

        /// The largest |a − b| / max(1, |b|): the goldens have nine digits.
        private func error(_ a: [Double], _ b: [Double]) -> Double {
            guard a.count == b.count else { return .infinity }
            return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1) / max(1, abs($1.1))) }
        }
    }

    @Test func rmsNorm() throws {
        let one = try Case("RMSNorm")
        try one.check(try rmsNormProbe(ProbeWeights(given: one.weights()), epsilon: 1e-5))
    }

    @Test func layerNorm() throws {
        let one = try Case("LayerNorm")
        try one.check(try layerNormProbe(ProbeWeights(given: one.weights()), epsilon: 1e-6))
    }

    @Test func gatedNetwork() throws {
        let one = try Case("SwiGLU")
        let prefix = "language_model.layers.0.mlp."
        let model = try LayerModel(width: 12, inner: 20).build(LayerTensors(given: one.weights(prefix)))
        try one.check(model.gatedNetworkProbe(), prefix)
    }

    @Test(arguments: [("LlamaAttention", 16, 4, 2), ("LlamaAttention segments", 8, 2, 1)])
    func attention(name: String, width: Int, heads: Int, keyHeads: Int) throws {
        let one = try Case(name)
        let positions = try one.positions
        var segments = [AttentionSegment(rows: 0..<positions.count)]
        if one.json["settings"]["segments"].isPresent {
            segments = [AttentionSegment(rows: 0..<3)]
            segments += [
                AttentionSegment(rows: 3..<6, prefix: [0..<3]), AttentionSegment(rows: 6..<8, prefix: [0..<3]),
            ]
        }
        let prefix = "language_model.layers.0.self_attn."
        let model = try LayerModel(width: width, heads: heads, keyHeads: keyHeads)
            .build(LayerTensors(given: one.weights(prefix)))
        let context = DecoderContext(segments, positions: positions, headSize: width / heads, base: 1e4)
        try one.check(model.rotaryAttentionProbe(context), prefix)
    }

    @Test func decoderLayer() throws {
        let one = try Case("LlamaDecoderLayer")
        let prefix = "language_model.layers.0."
        let model = try LayerModel(width: 16, inner: 20).build(LayerTensors(given: one.weights(prefix)))
        let context = DecoderContext(
            [AttentionSegment(rows: 0..<6)], positions: try one.positions, headSize: 8, base: 1e5)
        try one.check(model.decoderLayerProbe(context), prefix)
    }

    @Test(arguments: [
        ("CLIPEncoderLayer", "clip_vision_model", "vision_tower.encoder.layers.0.", 20, 1e-5),
        ("Dinov2Layer", "dinov2", "vision_tower.encoder.layer.0.", 16, 1e-6),
    ])
    func visionLayer(name: String, shape: String, prefix: String, inner: Int, epsilon: Double) throws {
        let one = try Case(name)
        let model = try LayerModel(
            vision: shape, visionWidth: 16, visionInner: inner, visionNormEpsilon: epsilon
        ).build(LayerTensors(given: one.weights(prefix)))
        try one.check(model.visionLayerProbe([AttentionSegment(rows: 0..<5)]), prefix)
    }

    @Test func projector() throws {
        let one = try Case("projector")
        let prefix = "multi_modal_projector."
        let model = try LayerModel(width: 16, visionWidth: 12).build(LayerTensors(given: one.weights(prefix)))
        try one.check(model.projectorProbe(), prefix)
    }

    @Test func tokenLogProbability() throws {
        let one = try Case("token log-probability")
        let targets = try one.json["settings"]["targets"].array().map { Int32(try $0.int()) }
        try one.check(try tokenLogProbabilityProbe(ProbeWeights(given: one.weights()), vocabulary: 21, targets))
    }

    @Test(arguments: [3, 7]) func positionInterpolation(side: Int) throws {
        let one = try Case("position interpolation \(side)")
        let matrix: Matrix<Double> = PositionResampling.bicubic(from: 5, toHeight: side, width: side)
        try one.check(
            LayerProbe(ParameterStore()) { x in
                (
                    DoublePrecision.product(matrix, x),
                    { dy, _ in
                        let dx = Matrix<Double>(uninitialized: x.rows, x.columns)
                        DoublePrecision.setProduct(dx, matrix, transposeA: true, dy)
                        return dx
                    }
                )
            })
    }
}

func rmsNormProbe(_ weights: ProbeWeights, epsilon: Double) throws -> LayerProbe {
    let part = RMSNorm<DoublePrecision>(weight: weights("weight", 1, 12), epsilon: epsilon)
    try weights.store.seal()
    return LayerProbe(weights.store) { x in
        let (y, saved) = part.forward(x)
        return (
            y,
            { dy, gradient in
                let dx = Matrix<Double>(zeros: x.rows, x.columns)
                part.backward(dy, saved, gradient, to: dx)
                return dx
            }
        )
    }
}

func layerNormProbe(_ weights: ProbeWeights, epsilon: Double) throws -> LayerProbe {
    let part = LayerNorm<DoublePrecision>(
        weight: weights("weight", 1, 12), bias: weights("bias", 1, 12), epsilon: epsilon)
    try weights.store.seal()
    return LayerProbe(weights.store) { x in
        let (y, saved) = part.forward(x)
        return (
            y,
            { dy, gradient in
                let dx = Matrix<Double>(zeros: x.rows, x.columns)
                part.backward(dy, saved, gradient, to: dx)
                return dx
            }
        )
    }
}

/// log softmax(x·Wᵀ)[target], a row per token.
func tokenLogProbabilityProbe(_ weights: ProbeWeights, vocabulary: Int, _ targets: [Int32]) throws -> LayerProbe {
    let head = weights("lm_head.weight", vocabulary, 12)
    try weights.store.seal()
    return LayerProbe(weights.store) { x in
        let logits = DoublePrecision.product(x, transposed: head.matrix)
        let (y, logSumExp) = (Matrix<Double>(uninitialized: 1, x.rows), Matrix<Double>(uninitialized: 1, x.rows))
        DoublePrecision.tokenLogProbability(logits, targets: targets, into: y.base, logSumExp: logSumExp.base)
        return (
            y,
            { dy, gradient in
                DoublePrecision.tokenLogProbabilityBackward(
                    logits, targets: targets, logSumExp: logSumExp.base, coefficients: dy.elements)
                if let dHead = head.gradient(in: gradient) {
                    DoublePrecision.setProduct(dHead, logits, transposeA: true, x, keep: 1)
                }
                return DoublePrecision.product(logits, head.matrix)
            }
        )
    }
}
