/// A LLaMA, Mistral or Qwen2 decoder.
public struct TextConfiguration: Sendable, Equatable {
    static let types = ["llama", "mistral", "qwen2"]

    /// C
    public var hiddenSize: Int
    /// Width of each layer's feed-forward network.
    public var intermediateSize: Int
    /// Decoder layers.
    public var layers: Int
    /// H
    public var heads: Int
    /// H_kv, which divides H.
    public var keyHeads: Int
    /// D, an even number.
    public var headSize: Int
    /// V, rows of the embeddings.
    public var vocabulary: Int
    /// ε of every RMSNorm.
    public var normEpsilon: Double
    /// Base of the rotary angles (`rope_theta`).
    public var rotaryBase: Double
    /// The longest sequence, in tokens.
    public var maximumLength: Int
    /// Whether the embeddings are the head, too.
    public var isTied: Bool
    /// Of the projections to queries, keys and values.
    public var hasQueryBias: Bool
    /// Of the projection behind the attention.
    public var hasOutputBias: Bool
    /// `eos_token_id`, the first where it lists several; nil where it names none.
    public var endOfSequence: Int?
    /// How many of the D/2 rotary angles go by a row's place in time, down and across; nil: all by one position.
    public var rotarySections: [Int]?
    /// By layer: the sliding window, which is how many keys a row sees, its own included; nil where it sees all.
    public var windows: [Int?]

    /// The section that describes a decoder by itself.
    init(_ field: JSONField) throws(MISPError) {
        let type = try field["model_type"].string(default: "llama")
        guard let kind = Kind.named[type] else {
            throw field["model_type"].failure(
                "is \(type), which is not supported", remedy: "use llama, mistral or qwen2")
        }
        try field.check(kind.keys)
        try self.init(field, kind)
    }

    /// - Parameter field: has the decoder's keys, perhaps among others
    init(_ field: JSONField, _ kind: Kind) throws(MISPError) {
        let activation = try field["hidden_act"].activation(default: .silu)
        guard activation == .silu else { throw field["hidden_act"].failure("is not silu, which this decoder needs") }
        hiddenSize = try field["hidden_size"].size(default: kind.hiddenSize)
        intermediateSize = try field["intermediate_size"].size(default: kind.intermediateSize)
        layers = try field["num_hidden_layers"].size(default: kind.layers, to: SizeLimit.layers)
        heads = try field["num_attention_heads"].size(default: kind.heads)
        // null stands for as many as there are heads, in all classes.
        let isListed = field["num_key_value_heads"].value != nil
        keyHeads = try field["num_key_value_heads"].size(default: isListed ? heads : kind.keyHeads ?? heads)
        headSize = try field["head_dim"].size(default: hiddenSize / heads)
        // transformers takes it for the angles alone.
        guard !kind.hasSections || headSize == hiddenSize / heads else {
            throw field["head_dim"].failure("is \(headSize), but \(hiddenSize) channels in \(heads) heads are not")
        }
        guard heads % keyHeads == 0 else {
            throw field["num_key_value_heads"].failure("is \(keyHeads), which does not divide \(heads) heads")
        }
        guard headSize % 2 == 0, headSize > 0 else {
            throw field["head_dim"].failure("is \(headSize); rotary positions need pairs")
        }
        guard heads * headSize <= SizeLimit.width else {
            throw field["head_dim"].failure("is \(headSize), too much for \(heads) heads")
        }
        vocabulary = try field["vocab_size"].size(default: kind.vocabulary, to: SizeLimit.vocabulary)
        normEpsilon = try field["rms_norm_eps"].positiveNumber(default: kind.normEpsilon)
        maximumLength = try field["max_position_embeddings"].size(default: kind.length, to: 1 << 32)
        (rotaryBase, rotarySections) = try Self.rotary(field, kind, headSize: headSize)
        isTied = try field["tie_word_embeddings"].bool(default: false)
        hasOutputBias = kind.readsBias ? try field["attention_bias"].bool(default: false) : false
        hasQueryBias = hasOutputBias || kind.hasQueryBias
        let end = field["eos_token_id"]
        let first = end.value?.array?.isEmpty == false ? end[0] : end
        endOfSequence = first.isPresent && first.value?.array == nil ? try first.tokenID(default: 0) : nil
        windows = try Self.windows(field, kind.window, layers: layers)
    }

    /// What the class of a decoder has where its configuration says nothing.
    struct Kind: Sendable {
        enum Window {
            /// `sliding_window` is for all layers (Mistral).
            case all
            /// From layer `max_window_layers` on, where `use_sliding_window` says so (Qwen2).
            case later
            /// Where `use_sliding_window` is false, the rest means nothing; true is refused.
            case none
        }

        let keys: KeyTable
        var hiddenSize = 4096
        var intermediateSize: Int
        var layers = 32
        var heads = 32
        /// nil: as many as heads.
        var keyHeads: Int?
        var vocabulary = 32000
        var normEpsilon = 1e-6
        var length: Int
        var rotaryBase = 10000.0
        /// Whether rows have three positions (`mrope_section`).
        var hasSections = false
        /// Whether `attention_bias` counts.
        var readsBias = false
        var hasQueryBias = false
        var window = Window.none

        static let named: [String: Kind] = [
            "llama": Kind(keys: .llama, intermediateSize: 11008, length: 2048, readsBias: true),
            "mistral": Kind(keys: .mistral, intermediateSize: 14336, keyHeads: 8, length: 131_072, window: .all),
            "qwen2": Kind(
                keys: .qwen2, intermediateSize: 22016, keyHeads: 32, vocabulary: 151_936, length: 32768,
                hasQueryBias: true, window: .later),
        ]

        /// Of Qwen2-VL and Qwen2.5-VL.
        static let qwen2VL = Kind(
            keys: .qwen2VLText, hiddenSize: 8192, intermediateSize: 29568, layers: 80, heads: 64, keyHeads: 8,
            vocabulary: 152_064, normEpsilon: 1e-5, length: 32768, rotaryBase: 1e6, hasSections: true,
            hasQueryBias: true)
    }

    /// Of each angle, which of a row's three positions it goes by; nil: there is one.
    var rotaryAxes: [Int]? {
        rotarySections.map { $0.enumerated().flatMap { axis, count in [Int](repeating: axis, count: count) } }
    }

    private static func rotary(
        _ field: JSONField, _ kind: Kind, headSize: Int
    ) throws(MISPError) -> (base: Double, sections: [Int]?) {
        let table = kind.hasSections ? KeyTable.sectionedRotary : .rotary
        for key in ["rope_parameters", "rope_scaling"] {
            let typeField = field[key][field[key]["rope_type"].isPresent ? "rope_type" : "type"]
            let type = try typeField.string(default: "default")
            guard type == "default" || (kind.hasSections && type == "mrope") else {
                throw typeField.failure(
                    "is \(type), which is not supported", remedy: "use a checkpoint with default rotary positions")
            }
            try table.check(field[key])
        }
        // As transformers: where the older rope_scaling says anything it stands for rope_parameters.
        let older = field["rope_scaling"]
        let parameters = older.value?.saysNothing ?? true ? field["rope_parameters"] : older
        let base = parameters["rope_theta"].isPresent ? parameters["rope_theta"] : field["rope_theta"]
        let value = try base.positiveNumber(default: kind.rotaryBase)
        guard kind.hasSections else { return (value, nil) }
        let listed = parameters["mrope_section"]
        var sections: [Int] = []
        for item in try listed.array() { sections.append(try item.size(default: 0)) }
        guard sections.count == 3, sections.reduce(0, +) == headSize / 2 else {
            throw listed.failure("is \(sections), but must be three numbers that add up to half of \(headSize)")
        }
        return (value, sections)
    }

    /// As MistralConfig and Qwen2Config: Mistral has one window for all layers, Qwen2 one from layer
    /// `max_window_layers` on, unless `layer_types` says which. The window of a class that leaves it out is 4096.
    private static func windows(
        _ field: JSONField, _ rule: Kind.Window, layers: Int
    ) throws(MISPError) -> [Int?] {
        var window: Int?
        if rule != .none {
            let given = field["sliding_window"]
            if given.value == nil || given.isPresent { window = try given.size(default: 4096, to: 1 << 32) }
        }
        var first = 0
        if rule == .later {
            if try !field["use_sliding_window"].bool(default: false) { window = nil }
            first = try field["max_window_layers"].int(default: 28)
            guard 0...1 << 32 ~= first else { throw field["max_window_layers"].failure("is \(first)") }
        }
        let usual = (0..<layers).map { $0 >= first ? window : nil }
        let listed = field["layer_types"]
        guard listed.isPresent else { return usual }
        let kinds = try listed.array()
        guard kinds.count == layers else {
            throw listed.failure("has \(kinds.count) entries, but num_hidden_layers is \(layers)")
        }
        var windows: [Int?] = []
        for (kind, usual) in zip(kinds, usual) {
            let name = try kind.string()
            switch name {
            case "full_attention", "attention": windows.append(nil)
            case "sliding_attention" where window != nil: windows.append(window)
            case "sliding_attention":
                throw kind.failure(
                    "is \(name), but no window is set", remedy: "set sliding_window, and for qwen2 use_sliding_window")
            default: throw kind.failure("is \(name), which is not supported")
            }
            guard rule == .later || windows.last == .some(usual) else {
                throw kind.failure("is \(name), but this model goes by sliding_window alone")
            }
        }
        return windows
    }
}
