import Core
import Foundation
import Testing

/// A part of a model as a function of its input and its weights, in Double.
struct LayerProbe {
    let store: ParameterStore<Double>
    /// The part's weights.
    let slots: [ParameterSlot]
    /// x ↦ y, and dy ↦ dx, which also adds the weights' gradients and may overwrite dy.
    let apply: (Matrix<Double>) -> (y: Matrix<Double>, pullback: (Matrix<Double>, Gradient<Double>) -> Matrix<Double>)

    init(
        _ store: ParameterStore<Double>, slots: [ParameterSlot]? = nil,
        _ apply: @escaping (Matrix<Double>) -> (Matrix<Double>, (Matrix<Double>, Gradient<Double>) -> Matrix<Double>)
    ) {
        self.store = store
        self.slots = slots ?? store.slots
        self.apply = apply
    }

    /// Holds dx and every weight's gradient to central differences of Σ c·y with random c.
    func checkDerivatives(at x: Matrix<Double>, _ label: String, elementsPerTensor: Int = 12) {
        var random = KeyedRandom(1, "probe", label)
        let (y, pullback) = apply(x)
        let c = y.copied()
        for i in 0..<c.count { c.base[i] = random.normal() }
        let gradient = Gradient(zerosFor: store)
        let dx = pullback(c.copied(), gradient)
        func value() -> Double {
            let y = apply(x).y
            return (0..<c.count).reduce(0) { $0 + c.base[$1] * y.base[$1] }
        }
        func compare(_ name: String, _ values: UnsafeMutablePointer<Double>, _ exact: Matrix<Double>) {
            for index in random.permutation(exact.count).prefix(elementsPerTensor) {
                let (old, step) = (values[index], 1e-5)
                values[index] = old + step
                let above = value()
                values[index] = old - step
                let numeric = (above - value()) / (2 * step)
                values[index] = old
                let error = abs(numeric - exact.base[index])
                #expect(error < 2e-8 + 2e-8 * abs(numeric), "\(label): \(name)[\(index)]")
            }
        }
        compare("input", x.base, dx)
        for slot in slots { compare(slot.name, store.values + slot.offset, gradient[slot]) }
    }
}

/// Weights for a part that is built by itself: given ones by name, random ones otherwise.
struct ProbeWeights {
    let store = ParameterStore<Double>()
    var given: [String: [Double]] = [:]

    func callAsFunction(_ name: String, _ rows: Int, _ columns: Int) -> Weight<Double> {
        let given = given[name]
        return Weight(name, shape: [rows, columns], rows: rows, columns: columns, in: store) {
            var random = KeyedRandom(2, "weight", name)
            for i in 0..<$0.count { $0.base[i] = given?[i] ?? random.normal() }
        }
    }
}

/// A model's tensors: given ones by name, random ones otherwise.
struct LayerTensors: TensorSource {
    var given: [String: [Double]] = [:]

    func writtenName(_ name: String) -> String { name }

    func weight<Element: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<Element> {
        if let values = given[name] {
            guard values.count == rows * columns else { throw MISPError("has \(values.count) numbers", at: name) }
            return Weight(frozen: Matrix(rows, columns, values.map { Element($0) }))
        }
        let deviation = rows > 1 ? 1 / Double(columns).squareRoot() : 0.3
        let shift = name.hasSuffix("norm.weight") || name.hasSuffix("lambda1") ? 1.0 : 0
        var random = KeyedRandom(3, name)
        return Weight(
            frozen: Matrix(
                rows, columns, (0..<rows * columns).map { _ in Element(shift + deviation * random.normal()) }))
    }
}

/// Models of one or two layers, whose parts are taken out and looked at.
struct LayerModel {
    var width = 12
    var inner = 10
    var heads = 2
    var keyHeads = 1
    var vision = "clip_vision_model"
    var visionWidth = 8
    var visionInner = 6
    var visionHeads = 2
    var normEpsilon = 1e-5
    var visionNormEpsilon = 1e-5
    var projector = "gelu"

    func build(_ tensors: LayerTensors = LayerTensors()) throws -> VisionLanguageModel<DoublePrecision> {
        let ratio = max(1, visionInner / visionWidth)
        let inside = vision == "dinov2" ? #""mlp_ratio": \#(ratio)"# : #""intermediate_size": \#(visionInner)"#
        let json = """
            {"model_type": "llava", "vision_feature_layer": -1, "projector_hidden_act": "\(projector)",
             "image_token_index": 6,
             "text_config": {"model_type": "llama", "hidden_size": \(width), "intermediate_size": \(inner),
               "num_hidden_layers": 1, "num_attention_heads": \(heads), "num_key_value_heads": \(keyHeads),
               "vocab_size": 7, "rms_norm_eps": \(normEpsilon)},
             "vision_config": {"model_type": "\(vision)", "hidden_size": \(visionWidth),
               \(inside),
               "num_hidden_layers": 1, "num_attention_heads": \(visionHeads), "image_size": 4, "patch_size": 2,
               "layer_norm_eps": \(visionNormEpsilon)}}
            """
        return try VisionLanguageModel(
            ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json")), from: tensors,
            common: PictureShape(height: 4, width: 4),
            trainable: Trainable(language: .full, projector: .full, vision: .full), seed: 0)
    }
}

extension VisionLanguageModel where A == DoublePrecision {
    private var llava: LLaVAEncoder<DoublePrecision> {
        get throws { try #require(encoder as? LLaVAEncoder<DoublePrecision>) }
    }

    private func slots(_ prefix: String) -> [ParameterSlot] { parameters.slots.filter { $0.name.hasPrefix(prefix) } }

    func gatedNetworkProbe() -> LayerProbe {
        let part = language.layers[0].network
        return LayerProbe(parameters, slots: slots("language_model.layers.0.mlp.")) { x in
            let (y, saved) = part.forward(x)
            return (y, { dy, gradient in part.backward(dy, saved, gradient) })
        }
    }

    func rotaryAttentionProbe(_ context: DecoderContext<Double>) -> LayerProbe {
        let part = language.layers[0].attention
        return LayerProbe(parameters, slots: slots("language_model.layers.0.self_attn.")) { x in
            let (y, saved) = part.forward(x, context)
            return (
                y,
                { dy, gradient in
                    let dx = Matrix<Double>(uninitialized: x.rows, x.columns)
                    part.backward(dy, saved, context, gradient, into: dx)
                    return dx
                }
            )
        }
    }

    func decoderLayerProbe(_ context: DecoderContext<Double>) -> LayerProbe {
        let part = language.layers[0]
        return LayerProbe(parameters, slots: slots("language_model.layers.0.")) { x in
            let (y, saved) = part.forward(x, context)
            return (
                y,
                { dy, gradient in
                    part.backward(dy, saved, context, gradient, needsInput: true) ?? dy
                }
            )
        }
    }

    func visionLayerProbe(_ segments: [AttentionSegment]) throws -> LayerProbe {
        let part = try llava.tower.layers[0]
        return LayerProbe(parameters, slots: slots("vision_tower.encoder.")) { x in
            let (y, saved) = part.forward(x, segments)
            return (
                y,
                { dy, gradient in
                    part.backward(dy, saved, segments, gradient)
                    return dy
                }
            )
        }
    }

    func projectorProbe() throws -> LayerProbe {
        let part = try llava.projector
        return LayerProbe(parameters, slots: slots("multi_modal_projector.")) { x in
            let (y, saved) = part.forward(x)
            return (
                y,
                { dy, gradient in
                    let dx = Matrix<Double>(uninitialized: x.rows, x.columns)
                    part.backward(dy, saved, gradient, into: dx)
                    return dx
                }
            )
        }
    }
}

extension DecoderContext<Double> {
    /// cos and sin of position·base^(−2i/D), written down independently of the model's.
    init(_ segments: [AttentionSegment], positions: [Int], headSize: Int, base: Double) {
        let half = headSize / 2
        let angles = positions.flatMap { position in
            (0..<half).map { Double(position) / pow(base, 2 * Double($0) / Double(headSize)) }
        }
        self.init(
            segments: segments, cosines: Matrix(positions.count, half, angles.map { cos($0) }),
            sines: Matrix(positions.count, half, angles.map { sin($0) }))
    }
}

/// Holds a model's gradient to central differences of what it is the gradient of, at three elements of each tensor.
func expectCentralDifferences(
    _ gradient: Gradient<Double>, of store: ParameterStore<Double>, _ random: inout KeyedRandom,
    _ objective: () -> Double
) {
    for slot in store.slots {
        for _ in 0..<3 {
            let index = slot.offset + random.below(slot.count)
            let (value, step) = (store.values[index], 1e-5)
            store.values[index] = value + step
            let above = objective()
            store.values[index] = value - step
            let numeric = (above - objective()) / (2 * step)
            store.values[index] = value
            let exact = gradient.base[index]
            #expect(abs(numeric - exact) < 1e-7 + 1e-6 * abs(exact), "\(slot.name): \(numeric) \(exact)")
        }
    }
}
