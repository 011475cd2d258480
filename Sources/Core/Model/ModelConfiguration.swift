import Foundation

/// The shape of a LLaVA model, as config.json of a Hugging Face checkpoint states it.
///
/// Configurations leave out what equals their class's default, so each architecture's defaults are repeated here.
public struct ModelConfiguration: Sendable, Equatable {
    public var text: TextConfiguration
    public var vision: VisionConfiguration
    public var projectorActivation: Activation
    public var projectorHasBias: Bool
    /// Hidden states that make the features, counted from 0, which is the embeddings.
    public var featureLayers: [Int]
    /// `default` leaves out each image's first row; `full` keeps it.
    public var dropsFirstRow: Bool
    /// The id that stands for an image feature in token sequences.
    public var imageToken: Int

    public init(contentsOf url: URL) throws(MISPError) { try self.init(JSONField(contentsOf: url)) }

    /// - Parameter root: config.json
    public init(_ root: JSONField) throws(MISPError) {
        let type = try root["model_type"].string()
        guard type == "llava" else {
            throw root["model_type"].failure(
                "is \(type), which is not supported", remedy: "use a LLaVA checkpoint (llava)")
        }
        text = try TextConfiguration(root["text_config"], tied: root["tie_word_embeddings"])
        vision = try VisionConfiguration(root["vision_config"])
        projectorActivation = try root["projector_hidden_act"].activation(default: .gelu)
        projectorHasBias = try root["multimodal_projector_bias"].bool(default: true)
        featureLayers = try Self.featureLayers(root["vision_feature_layer"], layers: vision.layers)
        switch try root["vision_feature_select_strategy"].string(default: "default") {
        case "default": dropsFirstRow = true
        case "full": dropsFirstRow = false
        case let other:
            throw root["vision_feature_select_strategy"].failure("is \(other)", remedy: "it must be default or full")
        }
        let tokenField = root["image_token_index"].isPresent ? root["image_token_index"] : root["image_token_id"]
        imageToken = try tokenField.int(default: 32000)
    }

    private static func featureLayers(_ field: JSONField, layers: Int) throws(MISPError) -> [Int] {
        var chosen: [Int] = []
        let listed = field.value?.array == nil ? [field] : try field.array()
        for entry in listed {
            let index = try entry.int(default: -2)
            let state = index < 0 ? layers + 1 + index : index
            guard 0...layers ~= state else { throw entry.failure("is \(index), but the tower has \(layers) layers") }
            chosen.append(state)
        }
        guard !chosen.isEmpty else { throw field.failure("is empty") }
        return chosen
    }
}

/// A LLaMA, Mistral or Qwen2 decoder.
public struct TextConfiguration: Sendable, Equatable {
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layers: Int
    public var heads: Int
    public var keyHeads: Int
    public var headSize: Int
    public var vocabulary: Int
    public var normEpsilon: Double
    public var rotaryBase: Double
    /// The longest sequence, in tokens.
    public var maximumLength: Int
    public var isTied: Bool
    public var hasQueryBias: Bool
    public var hasOutputBias: Bool
    public var endOfSequence: Int?

    init(_ field: JSONField, tied: JSONField) throws(MISPError) {
        let type = try field["model_type"].string(default: "llama")
        let isQwen = type == "qwen2"
        guard ["llama", "mistral", "qwen2"].contains(type) else {
            throw field["model_type"].failure(
                "is \(type), which is not supported", remedy: "use llama, mistral or qwen2")
        }
        let activation = try field["hidden_act"].activation(default: .silu)
        guard activation == .silu else { throw field["hidden_act"].failure("is not silu, which this decoder needs") }
        hiddenSize = try field["hidden_size"].positive(default: 4096)
        intermediateSize = try field["intermediate_size"].positive(
            default: ["llama": 11008, "mistral": 14336, "qwen2": 22016][type] ?? 11008)
        layers = try field["num_hidden_layers"].positive(default: 32)
        heads = try field["num_attention_heads"].positive(default: 32)
        keyHeads = try field["num_key_value_heads"].positive(default: type == "mistral" ? 8 : isQwen ? 32 : heads)
        headSize = try field["head_dim"].positive(default: hiddenSize / max(heads, 1))
        guard heads % keyHeads == 0 else {
            throw field["num_key_value_heads"].failure("is \(keyHeads), which does not divide \(heads) heads")
        }
        guard headSize % 2 == 0 else { throw field["head_dim"].failure("is odd; rotary positions need pairs") }
        vocabulary = try field["vocab_size"].positive(default: isQwen ? 151_936 : 32000)
        normEpsilon = try field["rms_norm_eps"].double(default: 1e-6)
        maximumLength = try field["max_position_embeddings"].positive(
            default: ["llama": 2048, "mistral": 131_072, "qwen2": 32768][type] ?? 2048)
        rotaryBase = try Self.rotaryBase(field)
        isTied = try tied.bool(default: field["tie_word_embeddings"].bool(default: false))
        let attentionBias = try field["attention_bias"].bool(default: false)
        hasQueryBias = attentionBias || isQwen
        hasOutputBias = attentionBias && !isQwen
        guard try !field["mlp_bias"].bool(default: false) else {
            throw field["mlp_bias"].failure("is true, which is not supported")
        }
        let end = field["eos_token_id"]
        endOfSequence = end.value?.array?.first?.int ?? end.value?.int
    }

    private static func rotaryBase(_ field: JSONField) throws(MISPError) -> Double {
        for key in ["rope_parameters", "rope_scaling"] where field[key].isPresent {
            let scaling = field[key]
            let kindField = scaling["rope_type"].isPresent ? scaling["rope_type"] : scaling["type"]
            let kind = try kindField.string(default: "default")
            guard kind == "default" else {
                throw kindField.failure(
                    "is \(kind), which is not supported", remedy: "use a checkpoint with default rotary positions")
            }
            if scaling["rope_theta"].isPresent { return try scaling["rope_theta"].double() }
        }
        return try field["rope_theta"].double(default: 10000)
    }
}

/// A vision transformer of CLIP's, SigLIP's or DINOv2's shape.
public struct VisionConfiguration: Sendable, Equatable {
    public enum Shape: String, Sendable {
        case clip = "clip_vision_model"
        case siglip = "siglip_vision_model"
        case dinov2
    }

    public var shape: Shape
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layers: Int
    public var heads: Int
    /// The side, in pixels, for which the checkpoint has positions.
    public var imageSide: Int
    public var patchSide: Int
    public var activation: Activation
    public var normEpsilon: Double

    init(_ field: JSONField) throws(MISPError) {
        let type = try field["model_type"].string(default: "clip_vision_model")
        guard let shape = Shape(rawValue: type) else {
            throw field["model_type"].failure(
                "is \(type), which is not supported", remedy: "use clip_vision_model, siglip_vision_model or dinov2")
        }
        self.shape = shape
        hiddenSize = try field["hidden_size"].positive(default: 768)
        let ratio = try field["mlp_ratio"].positive(default: 4)
        intermediateSize =
            shape == .dinov2 ? hiddenSize * ratio : try field["intermediate_size"].positive(default: 3072)
        layers = try field["num_hidden_layers"].positive(default: 12)
        heads = try field["num_attention_heads"].positive(default: 12)
        guard hiddenSize % heads == 0 else {
            throw field["num_attention_heads"].failure("is \(heads), which does not divide hidden_size \(hiddenSize)")
        }
        imageSide = try field["image_size"].positive(default: 224)
        patchSide = try field["patch_size"].positive(default: shape == .clip ? 32 : shape == .siglip ? 16 : 14)
        let defaults: (Activation, Double) =
            switch shape {
            case .clip: (.quickGelu, 1e-5)
            case .siglip: (.geluTanh, 1e-6)
            case .dinov2: (.gelu, 1e-6)
            }
        activation = try field["hidden_act"].activation(default: defaults.0)
        normEpsilon = try field["layer_norm_eps"].double(default: defaults.1)
        guard try field["num_channels"].int(default: 3) == 3 else {
            throw field["num_channels"].failure("must be 3")
        }
        guard try !field["use_swiglu_ffn"].bool(default: false) else {
            throw field["use_swiglu_ffn"].failure("is true, which is not supported")
        }
    }

    /// Patches along a side of the pictures for which the checkpoint has positions.
    public var grid: Int { imageSide / patchSide }
    public var hasClassToken: Bool { shape != .siglip }
}

extension JSONField {
    func positive(default value: Int) throws(MISPError) -> Int {
        let number = try int(default: value)
        guard 1...1 << 40 ~= number else { throw failure("is \(number); expected a positive number") }
        return number
    }

    func activation(default value: Activation) throws(MISPError) -> Activation {
        guard isPresent else { return value }
        let name = try string()
        guard let activation = Activation(configured: name) else {
            let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure("is \(name), which is not supported", remedy: "use one of \(known)")
        }
        return activation
    }
}
