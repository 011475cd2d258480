import Foundation

/// The shape of a CLIP model, as config.json of Hugging Face's `CLIPModel` states it, with its classes' defaults.
public struct ClipConfiguration: Sendable, Equatable {
    /// The image tower.
    public var vision: VisionConfiguration
    /// The text tower.
    public var text: ClipTextConfiguration
    /// Length of the embeddings of pictures and texts alike.
    public var projection: Int

    /// Reads a config.json.
    ///
    /// - Throws: `MISPError` for a file that cannot be read, and as `init(_:)`
    public init(contentsOf url: URL) throws(MISPError) { try self.init(JSONField(contentsOf: url)) }

    /// - Parameter root: config.json
    public init(_ root: JSONField) throws(MISPError) {
        let type = try root["model_type"].string()
        guard type == "clip" else {
            throw root["model_type"].failure(
                "is \(type), not clip", remedy: "give a CLIP checkpoint, or a LLaVA one with embedder: vision")
        }
        try root.check(.clip)
        vision = try VisionConfiguration(Self.section("vision_config", of: root))
        guard vision.architecture == .clip else {
            throw root["vision_config"]["model_type"].failure(
                "is \(vision.architecture.modelType), not clip_vision_model")
        }
        text = try ClipTextConfiguration(Self.section("text_config", of: root))
        projection = try root["projection_dim"].size(default: 512)
    }

    /// Where the older `text_config_dict` is given it counts, with the class's defaults for what it leaves out.
    private static func section(_ name: String, of root: JSONField) -> JSONField {
        let older = root["\(name)_dict"]
        return older.isPresent ? older : root[name]
    }
}

/// CLIP's text tower.
public struct ClipTextConfiguration: Sendable, Equatable {
    /// C
    public var hiddenSize: Int
    /// Width of each layer's feed-forward network.
    public var intermediateSize: Int
    /// Transformer layers.
    public var layers: Int
    /// H
    public var heads: Int
    /// V
    public var vocabulary: Int
    /// The longest text, in tokens; 77 in published models.
    public var maximumLength: Int
    /// Of the feed-forward networks.
    public var activation: Activation
    /// ε of every LayerNorm.
    public var normEpsilon: Double
    /// Which token stands for the text.
    public var pooling: ClipPooling

    init(_ field: JSONField) throws(MISPError) {
        let type = try field["model_type"].string(default: "clip_text_model")
        guard type == "clip_text_model" else {
            throw field["model_type"].failure("is \(type), not clip_text_model")
        }
        try field.check(.clipText)
        hiddenSize = try field["hidden_size"].size(default: 512)
        intermediateSize = try field["intermediate_size"].size(default: 2048)
        layers = try field["num_hidden_layers"].size(default: 12, to: SizeLimit.layers)
        heads = try field["num_attention_heads"].size(default: 8)
        guard hiddenSize % heads == 0 else {
            throw field["num_attention_heads"].failure("is \(heads), which does not divide hidden_size \(hiddenSize)")
        }
        vocabulary = try field["vocab_size"].size(default: 49408, to: SizeLimit.vocabulary)
        maximumLength = try field["max_position_embeddings"].size(default: 77)
        activation = try field["hidden_act"].activation(default: .quickGelu)
        normEpsilon = try field["layer_norm_eps"].positiveNumber(default: 1e-5)
        let end = try field["eos_token_id"].tokenID(default: 49407)
        pooling = end == 2 ? .highestToken : .firstEnd(Int32(end))
    }
}

/// Which token's hidden state stands for a text.
public enum ClipPooling: Sendable, Equatable {
    /// The token of the highest id, where configurations say `eos_token_id: 2`: the first published ones do so wrongly,
    /// and their end-of-text token is the last of the vocabulary.
    case highestToken
    /// The first end-of-text token.
    case firstEnd(Int32)

    /// The token's place in a text; nil for a text without an end.
    public func place(in tokens: [Int32]) -> Int? {
        switch self {
        case .highestToken: tokens.indices.max { (tokens[$0], -$0) < (tokens[$1], -$1) }
        case .firstEnd(let id): tokens.firstIndex(of: id)
        }
    }
}
