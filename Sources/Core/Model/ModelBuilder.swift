/// Which parts of a model are trained, and how.
public struct Trainable: Sendable, Equatable {
    /// The language model: low-rank adapters on its projections, all its weights, or nothing.
    public enum Language: String, Sendable, Codable, CaseIterable { case lora, full, frozen }
    /// What is between tower and language model: all its weights, or nothing.
    public enum Part: String, Sendable, Codable, CaseIterable { case full, frozen }
    /// The vision tower: all its weights, low-rank adapters on the projections of its layers, or nothing.
    public enum Vision: String, Sendable, Codable, CaseIterable { case full, lora, frozen }

    /// The decoder with embeddings and head.
    public var language: Language
    /// The network between vision tower and language model.
    public var projector: Part
    /// The vision tower, up to the last layer that makes features.
    public var vision: Vision
    /// What adapters there are; counts only where `language` or `vision` is `lora`.
    public var lora: LowRankSettings

    /// Unless told otherwise, adapters on the language model alone.
    public init(
        language: Language = .lora, projector: Part = .frozen, vision: Vision = .frozen,
        lora: LowRankSettings = LowRankSettings()
    ) {
        self.language = language
        self.projector = projector
        self.vision = vision
        self.lora = lora
    }
}

/// A tensor of a built model with the name and shape under which files hold it.
public struct NamedWeight<A: Arithmetic>: Sendable {
    /// In files that are written.
    public let name: String
    /// In those files, outermost dimension first.
    public let shape: [Int]
    /// Its elements, without the adapter.
    public let weight: Weight<A.Element>
    /// Trained beside the weight; merged into it when a whole model is written.
    public var adapter: LowRankAdapter<A.Element>?
}

extension NamedWeight where A.Element == Float {
    /// The values with the adapter merged in: W + scale·B·A, of which no precision of A's products takes a digit.
    public var merged: Matrix<Float> {
        guard let adapter else { return weight.matrix }
        let sum = weight.matrix.copied()
        Vector.setProduct(sum, adapter.b.matrix, adapter.a.matrix, scale: adapter.scale, keep: 1)
        return sum
    }
}

/// Puts a model together from a source of tensors; trained ones go to the flat buffer in the order of the calls.
public final class ModelBuilder<A: Arithmetic> {
    let source: any TensorSource
    let store = ParameterStore<A.Element>()
    let trainable: Trainable
    let seed: UInt64
    private(set) var tensors: [NamedWeight<A>] = []
    /// Of all adapters, by canonical name: A and B by turns.
    private(set) var adapterTensors: [NamedWeight<A>] = []
    /// Paths of modules that can have an adapter.
    private(set) var projections: [String] = []

    init(source: any TensorSource, trainable: Trainable, seed: UInt64) {
        self.source = source
        self.trainable = trainable
        self.seed = seed
    }

    func weight(_ name: String, _ shape: [Int], rows: Int? = nil, trained: Bool) throws -> Weight<A.Element> {
        let rows = rows ?? (shape.count > 1 ? shape[0] : 1)
        let columns = shape.reduce(1, *) / max(rows, 1)
        let frozen: Weight<A.Element> = try source.weight(name, shape: shape, rows: rows, columns: columns)
        let written = source.writtenName(name)
        let result =
            trained
            ? Weight(written, shape: shape, rows: rows, columns: columns, in: store) {
                $0.copyElements(of: frozen.matrix)
            } : frozen
        tensors.append(NamedWeight(name: written, shape: shape, weight: result))
        return result
    }

    func linear(_ name: String, out: Int, in inputs: Int, bias: Bool, trained: Bool) throws -> Linear<A> {
        Linear(
            weight: try weight("\(name).weight", [out, inputs], trained: trained),
            bias: bias ? try weight("\(name).bias", [out], trained: trained) : nil)
    }

    /// A projection that may have a low-rank adapter.
    ///
    /// - Parameter isReached: false in a layer that is never run
    func adapted(
        _ name: String, out: Int, in inputs: Int, bias: Bool, trained: Bool, isReached: Bool = true
    ) throws -> Linear<A> {
        projections.append(name)
        var linear = try linear(name, out: out, in: inputs, bias: bias, trained: trained)
        linear.adapter = adapter(name, out: out, in: inputs, isReached: isReached)
        let written = source.writtenName("\(name).weight")
        if let index = tensors.lastIndex(where: { $0.name == written }) { tensors[index].adapter = linear.adapter }
        return linear
    }

    func layerNorm(_ name: String, _ width: Int, epsilon: Double, trained: Bool) throws -> LayerNorm<A> {
        LayerNorm(
            weight: try weight("\(name).weight", [width], trained: trained),
            bias: try weight("\(name).bias", [width], trained: trained), epsilon: epsilon)
    }

    /// A: uniform in ±1/√in (PEFT's Kaiming initialisation with a = √5); B: zero.
    ///
    /// What is not reached has no gradient, and PyTorch's AdamW passes it by, weight decay and all. So it is no part
    /// of the flat buffer.
    private func adapter(
        _ module: String, out: Int, in inputs: Int, isReached: Bool
    ) -> LowRankAdapter<A.Element>? {
        let isLanguage = module.hasPrefix(LowRankSettings.languageRoot)
        guard isLanguage ? trainable.language == .lora : trainable.vision == .lora,
            let shape = trainable.lora.shape(of: module)
        else { return nil }
        let seed = seed
        func weight(
            _ half: String, rows: Int, columns: Int, initialize: @escaping (Matrix<A.Element>) -> Void
        ) -> Weight<A.Element> {
            let (name, shape) = ("\(module).\(half).weight", [rows, columns])
            let weight: Weight<A.Element>
            if isReached {
                weight = Weight(name, shape: shape, rows: rows, columns: columns, in: store, initialize: initialize)
            } else {
                let values = Matrix<A.Element>(uninitialized: rows, columns)
                initialize(values)
                weight = Weight(frozen: values)
            }
            adapterTensors.append(NamedWeight(name: name, shape: shape, weight: weight))
            return weight
        }
        let a = weight("lora_A", rows: shape.r, columns: inputs) {
            var random = KeyedRandom(seed, "lora_A", module)
            let bound = 1 / Double(inputs).squareRoot()
            for i in 0..<$0.count { $0.base[i] = A.Element(bound * (2 * random.uniform() - 1)) }
        }
        let b = weight("lora_B", rows: out, columns: shape.r) { $0.setZero() }
        return LowRankAdapter(a: a, b: b, scale: A.Element(trainable.lora.scale(of: shape)), module: module)
    }
}

extension ModelBuilder {
    func languageModel(_ shape: TextConfiguration) throws -> LanguageModel<A> {
        let trained = trainable.language == .full
        let size = [shape.vocabulary, shape.hiddenSize]
        let (inputs, outputs) = ("language_model.embed_tokens.weight", "lm_head.weight")
        // As transformers: of two tied tensors a file may hold either one.
        let isHeadAlone = shape.isTied && !source.holds(inputs) && source.holds(outputs)
        let embedding = try weight(isHeadAlone ? outputs : inputs, size, trained: trained)
        let layers = try (0..<shape.layers).map { try decoderLayer("language_model.layers.\($0)", shape, layer: $0) }
        let norm = RMSNorm<A>(
            weight: try weight("language_model.norm.weight", [shape.hiddenSize], trained: trained),
            epsilon: shape.normEpsilon)
        var head = embedding
        if !shape.isTied {
            head = try weight(outputs, size, trained: trained)
        } else if !isHeadAlone, source.holds(outputs) {
            try source.checkTied(outputs, to: inputs, shape: size)
            tensors.append(NamedWeight(name: source.writtenName(outputs), shape: size, weight: embedding))
        }
        return LanguageModel(
            embedding: embedding, layers: layers, norm: norm, head: head, headSize: shape.headSize,
            rotaryBase: shape.rotaryBase, rotaryAxes: shape.rotaryAxes, isTrained: trainable.language != .frozen)
    }

    private func decoderLayer(_ name: String, _ shape: TextConfiguration, layer: Int) throws -> DecoderLayer<A> {
        let (width, inner) = (shape.hiddenSize, shape.intermediateSize)
        let (queries, keys) = (shape.heads * shape.headSize, shape.keyHeads * shape.headSize)
        let trained = trainable.language == .full
        func adapted(_ module: String, out: Int, in inputs: Int, bias: Bool = false) throws -> Linear<A> {
            try self.adapted("\(name).\(module)", out: out, in: inputs, bias: bias, trained: trained)
        }
        func norm(_ module: String) throws -> RMSNorm<A> {
            RMSNorm(
                weight: try weight("\(name).\(module).weight", [width], trained: trained), epsilon: shape.normEpsilon)
        }
        return DecoderLayer(
            attentionNorm: try norm("input_layernorm"),
            attention: RotaryAttention(
                query: try adapted("self_attn.q_proj", out: queries, in: width, bias: shape.hasQueryBias),
                key: try adapted("self_attn.k_proj", out: keys, in: width, bias: shape.hasQueryBias),
                value: try adapted("self_attn.v_proj", out: keys, in: width, bias: shape.hasQueryBias),
                output: try adapted("self_attn.o_proj", out: width, in: queries, bias: shape.hasOutputBias),
                attention: SegmentAttention(
                    heads: shape.heads, keyHeads: shape.keyHeads, headSize: shape.headSize, isCausal: true,
                    window: shape.windows[layer])),
            networkNorm: try norm("post_attention_layernorm"),
            network: GatedNetwork(
                gate: try adapted("mlp.gate_proj", out: inner, in: width),
                up: try adapted("mlp.up_proj", out: inner, in: width),
                down: try adapted("mlp.down_proj", out: width, in: inner)))
    }
}
