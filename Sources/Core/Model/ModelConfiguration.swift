import Foundation

/// The shape of a LLaVA model, as config.json of a Hugging Face checkpoint states it.
///
/// Configurations leave out what equals their class's default, so each architecture's defaults are repeated here.
public struct ModelConfiguration: Sendable, Equatable {
    /// `text_config`
    public var text: TextConfiguration
    /// `vision_config`, or what LLaVA's class has in its place.
    public var vision: VisionConfiguration
    /// Between the projector's two layers.
    public var projectorActivation: Activation
    /// Of both of the projector's layers.
    public var projectorHasBias: Bool
    /// Hidden states that make the features, counted from 0, which is the embeddings.
    public var featureLayers: [Int]
    /// `default` leaves out each image's first row; `full` keeps it.
    public var dropsFirstRow: Bool
    /// The id that stands for an image feature in token sequences.
    public var imageToken: Int

    /// Reads a config.json.
    ///
    /// - Throws: `MISPError` for a file that cannot be read, and as `init(_:)`
    public init(contentsOf url: URL) throws(MISPError) { try self.init(JSONField(contentsOf: url)) }

    /// - Parameter root: config.json
    /// - Throws: `MISPError` that names the key which is missing, out of range or not implemented
    public init(_ root: JSONField) throws(MISPError) {
        try Self.checkKind(root)
        try root.check(.llava)
        text = try TextConfiguration(root["text_config"])
        // As transformers: a flag on either level ties.
        if try root["tie_word_embeddings"].bool(default: false) { text.isTied = true }
        vision = try VisionConfiguration(Self.vision(root))
        projectorActivation = try root["projector_hidden_act"].activation(default: .gelu)
        projectorHasBias = try root["multimodal_projector_bias"].bool(default: true)
        featureLayers = try Self.featureLayers(root["vision_feature_layer"], layers: vision.layers)
        switch try root["vision_feature_select_strategy"].string(default: "default") {
        case "default": dropsFirstRow = true
        case "full": dropsFirstRow = false
        case let other:
            throw root["vision_feature_select_strategy"].failure("is \(other)", remedy: "it must be default or full")
        }
        imageToken = try Self.imageToken(root)
    }

    /// Tells what else a folder may be that people take for a LLaVA model.
    private static func checkKind(_ root: JSONField) throws(MISPError) {
        let type = try root["model_type"].string()
        let key = root["mm_vision_tower"].isPresent ? "mm_vision_tower" : "model_type"
        if key == "mm_vision_tower" || ["llava_llama", "llava_mistral", "llava_qwen"].contains(type) {
            throw root[key].failure(
                "is \(root[key].value?.shortDescription ?? ""): the original LLaVA layout, which is not read",
                remedy: "take the checkpoint in transformers' layout (its name often ends in -hf), or convert this one "
                    + "with transformers' convert_llava_weights_to_hf.py")
        }
        guard type == "llava" else {
            let isText = TextConfiguration.types.contains(type)
            throw root["model_type"].failure(
                isText ? "is \(type), a language model without a vision tower" : "is \(type), which is not supported",
                remedy: "use a LLaVA checkpoint (llava)")
        }
        guard root["text_config"].isPresent else {
            throw root["text_config"].failure(
                "is missing, so this is no LLaVA model as transformers saves it",
                remedy: "convert a checkpoint of the original LLaVA layout with transformers' "
                    + "convert_llava_weights_to_hf.py")
        }
    }

    /// A model without `vision_config` has the tower that LLaVA's class stands for it: CLIP's ViT-L/14 at 336 pixels.
    private static func vision(_ root: JSONField) -> JSONField {
        let given = root["vision_config"]
        guard !given.isPresent else { return given }
        let standard: JSON = [
            "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "image_size": 336, "patch_size": 14,
        ]
        return JSONField(standard, file: root.file, path: "vision_config")
    }

    private static func imageToken(_ root: JSONField) throws(MISPError) -> Int {
        let (index, id) = (root["image_token_index"], root["image_token_id"])
        let token = try index.tokenID(default: id.tokenID(default: 32000))
        guard try id.tokenID(default: token) == token else {
            throw id.failure("is \(try id.int()), but image_token_index is \(token)", remedy: "remove the wrong one")
        }
        return token
    }

    private static func featureLayers(_ field: JSONField, layers: Int) throws(MISPError) -> [Int] {
        var chosen: [Int] = []
        let listed = field.value?.array == nil ? [field] : try field.array()
        for entry in listed {
            let index = try entry.int(default: -2)
            let state = index < 0 && index >= -layers - 1 ? layers + 1 + index : index
            guard 0...layers ~= state else { throw entry.failure("is \(index), but the tower has \(layers) layers") }
            chosen.append(state)
        }
        guard 1...1024 ~= chosen.count else {
            throw field.failure(chosen.isEmpty ? "is empty" : "lists \(chosen.count) layers; at most 1024 can be")
        }
        return chosen
    }
}

/// The largest numbers that configurations may hold. Products of them fit 64 bits, and so no shape overflows before it
/// is compared with a file's.
enum SizeLimit {
    static let width = 1 << 20
    static let layers = 4096
    static let vocabulary = 1 << 28
    static let side = 16_384
}

extension JSONField {
    /// A whole number from 1 to `limit`.
    func size(default value: Int, to limit: Int = SizeLimit.width) throws(MISPError) -> Int {
        let number = try int(default: value)
        guard 1...limit ~= number else { throw failure("is \(number), but must be from 1 to \(limit)") }
        return number
    }

    /// A number above 0, such as a norm's epsilon.
    func positiveNumber(default value: Double) throws(MISPError) -> Double {
        let number = try double(default: value)
        guard number > 0, number.isFinite else { throw failure("is \(number), but must be finite and above 0") }
        return number
    }

    func tokenID(default value: Int) throws(MISPError) -> Int {
        let number = try int(default: value)
        guard 0...Int(Int32.max) ~= number else { throw failure("is \(number), which is no token id") }
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
