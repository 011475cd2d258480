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
    /// By layer: the sliding window, which is how many keys a row sees, its own included; nil where it sees all.
    public var windows: [Int?]

    init(_ field: JSONField) throws(MISPError) {
        let type = try field["model_type"].string(default: "llama")
        let isQwen = type == "qwen2"
        guard let table = KeyTable.text[type] else {
            throw field["model_type"].failure(
                "is \(type), which is not supported", remedy: "use llama, mistral or qwen2")
        }
        try field.check(table)
        let activation = try field["hidden_act"].activation(default: .silu)
        guard activation == .silu else { throw field["hidden_act"].failure("is not silu, which this decoder needs") }
        hiddenSize = try field["hidden_size"].size(default: 4096)
        intermediateSize = try field["intermediate_size"].size(
            default: ["llama": 11008, "mistral": 14336, "qwen2": 22016][type] ?? 11008)
        layers = try field["num_hidden_layers"].size(default: 32, to: SizeLimit.layers)
        heads = try field["num_attention_heads"].size(default: 32)
        // null stands for as many as there are heads, in all three classes.
        let isListed = field["num_key_value_heads"].value != nil || type == "llama"
        keyHeads = try field["num_key_value_heads"].size(default: isListed ? heads : isQwen ? 32 : 8)
        headSize = try field["head_dim"].size(default: hiddenSize / heads)
        guard heads % keyHeads == 0 else {
            throw field["num_key_value_heads"].failure("is \(keyHeads), which does not divide \(heads) heads")
        }
        guard headSize % 2 == 0, headSize > 0 else {
            throw field["head_dim"].failure("is \(headSize); rotary positions need pairs")
        }
        guard heads * headSize <= SizeLimit.width else {
            throw field["head_dim"].failure("is \(headSize), too much for \(heads) heads")
        }
        vocabulary = try field["vocab_size"].size(default: isQwen ? 151_936 : 32000, to: SizeLimit.vocabulary)
        normEpsilon = try field["rms_norm_eps"].positiveNumber(default: 1e-6)
        maximumLength = try field["max_position_embeddings"].size(
            default: ["llama": 2048, "mistral": 131_072, "qwen2": 32768][type] ?? 2048, to: 1 << 32)
        rotaryBase = try Self.rotaryBase(field)
        isTied = try field["tie_word_embeddings"].bool(default: false)
        hasOutputBias = type == "llama" ? try field["attention_bias"].bool(default: false) : false
        hasQueryBias = hasOutputBias || isQwen
        let end = field["eos_token_id"]
        let first = end.value?.array?.isEmpty == false ? end[0] : end
        endOfSequence = first.isPresent && first.value?.array == nil ? try first.tokenID(default: 0) : nil
        windows = try Self.windows(field, type: type, layers: layers)
    }

    private static func rotaryBase(_ field: JSONField) throws(MISPError) -> Double {
        for key in ["rope_parameters", "rope_scaling"] {
            let kindField = field[key][field[key]["rope_type"].isPresent ? "rope_type" : "type"]
            let kind = try kindField.string(default: "default")
            guard kind == "default" else {
                throw kindField.failure(
                    "is \(kind), which is not supported", remedy: "use a checkpoint with default rotary positions")
            }
            try KeyTable.rotary.check(field[key])
        }
        // As transformers: where the older rope_scaling says anything it stands for rope_parameters.
        let older = field["rope_scaling"]
        let parameters = older.value?.saysNothing ?? true ? field["rope_parameters"] : older
        let base = parameters["rope_theta"].isPresent ? parameters["rope_theta"] : field["rope_theta"]
        return try base.positiveNumber(default: 10000)
    }

    /// As MistralConfig and Qwen2Config: Mistral has one window for all layers, Qwen2 one from layer
    /// `max_window_layers` on, unless `layer_types` says which. The window of a class that leaves it out is 4096.
    private static func windows(_ field: JSONField, type: String, layers: Int) throws(MISPError) -> [Int?] {
        var window: Int?
        if type != "llama" {
            let given = field["sliding_window"]
            if given.value == nil || given.isPresent { window = try given.size(default: 4096, to: 1 << 32) }
        }
        var first = 0
        if type == "qwen2" {
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
            guard type == "qwen2" || windows.last == .some(usual) else {
                throw kind.failure("is \(name), but a \(type) model goes by sliding_window alone")
            }
        }
        return windows
    }
}
