import Foundation

/// LLaVA: the rows of one of a vision tower's layers, two linear layers, and a decoder (Liu et al., arXiv 2310.03744).
///
/// Configurations leave out what equals their class's default, so each architecture's defaults are repeated here.
public struct LLaVA: ModelFamily {
    public static let modelTypes = ["llava"]
    public static let names = FamilyNames(
        imageMark: "<image>", pictureTokens: ["<image>"], tower: "vision_tower.", connector: "multi_modal_projector.",
        languageModule: "language_model", towerLayers: "vision_tower.encoder.",
        towerModules: ["q_proj", "k_proj", "v_proj", "out_proj", "o_proj", "fc1", "fc2"])

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

    public init(_ root: JSONField) throws(MISPError) {
        try Self.checkText(root)
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
    static func refuseOriginalLayout(_ root: JSONField) throws(MISPError) {
        let type = try root["model_type"].string()
        let key = root["mm_vision_tower"].isPresent ? "mm_vision_tower" : "model_type"
        guard key == "mm_vision_tower" || ["llava_llama", "llava_mistral", "llava_qwen"].contains(type) else { return }
        throw root[key].failure(
            "is \(root[key].value?.shortDescription ?? ""): the original LLaVA layout, which is not read",
            remedy: "take the checkpoint in transformers' layout (its name often ends in -hf), or convert this one "
                + "with transformers' convert_llava_weights_to_hf.py")
    }

    private static func checkText(_ root: JSONField) throws(MISPError) {
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

extension LLaVA {
    /// Of any size a picture becomes one of the processor's.
    public func processor(_ folder: URL, _ settings: PictureSettings) throws(MISPError) -> any PictureProcessor {
        try settings.refuse("LLaVA")
        return try ImageProcessor(modelDirectory: folder)
    }

    /// A placeholder for each feature.
    public func place(_ shape: PictureShape, _ tokenizer: Tokenizer) -> PicturePlace {
        PicturePlace(rows: rows(shape).language, token: Int32(clamping: imageToken))
    }

    /// Of a picture, along its way.
    func rows(_ shape: PictureShape) -> VisionRows {
        let patches = (shape.height / vision.patchSide) * (shape.width / vision.patchSide)
        let features = patches + (vision.hasClassToken ? 1 : 0) - (dropsFirstRow ? 1 : 0)
        return VisionRows(patches: patches, features: features, language: features)
    }

    public func cost(_ shape: PictureShape) -> VisionCost {
        let rows = rows(shape)
        let tokens = rows.patches + (vision.hasClassToken ? 1 : 0)
        var cost = vision.cost(pictures: 1, patches: rows.patches, tokens: tokens, layers: featureLayers.max() ?? 0)
        let (inputs, width) = (vision.hiddenSize * featureLayers.count, text.hiddenSize)
        cost.connector = 2 * Double(rows.language) * Double(inputs * width + width * width)
        cost.connectorBytes = 4 * Double(rows.language) * Double(inputs + 3 * width)
        return cost
    }

    public func encoder<A: Arithmetic>(
        _ builder: ModelBuilder<A>, common: PictureShape?
    ) throws -> any VisionEncoder<A> {
        let trained = builder.trainable.projector == .full
        let (inputs, width) = (vision.hiddenSize * featureLayers.count, text.hiddenSize)
        func layer(_ number: Int, in inputs: Int) throws -> Linear<A> {
            try builder.linear(
                "multi_modal_projector.linear_\(number)", out: width, in: inputs, bias: projectorHasBias,
                trained: trained)
        }
        let projector = TwoLayerNetwork(
            first: try layer(1, in: inputs), activation: projectorActivation, second: try layer(2, in: width))
        let tower = try builder.visionTower(
            vision, root: "vision_tower", featureLayers: featureLayers, dropsFirstRow: dropsFirstRow,
            pixels: common.map { ($0.height, $0.width) } ?? (vision.imageSide, vision.imageSide))
        return LLaVAEncoder(family: self, tower: tower, projector: projector)
    }
}
