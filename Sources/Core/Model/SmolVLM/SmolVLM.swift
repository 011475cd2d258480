import Foundation

/// SmolVLM and Idefics3: a SigLIP tower on square tiles, neighbouring patches joined and brought to the decoder's width
/// by one matrix, and text between the tiles that says where each stood (Laurençon et al., arXiv 2408.12637; Marafioti
/// et al., arXiv 2504.05299).
public struct SmolVLM: ModelFamily {
    public static let modelTypes = ["smolvlm", "idefics3"]
    public static let names = FamilyNames(
        imageMark: "<image>",
        pictureTokens: ["<image>", "<video>", around, whole] + places(rows: 6, columns: 6),
        tower: "vision_model.", connector: "connector.", languagePath: "text_model", towerPath: "vision_model.encoder",
        towerModules: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"])
    private static let around = "<fake_token_around_image>"
    private static let whole = "<global-img>"

    private static func places(rows: Int, columns: Int) -> [String] {
        (1...rows).flatMap { row in (1...columns).map { "<row_\(row)_col_\($0)>" } }
    }

    /// `text_config`
    public var text: TextConfiguration
    /// `vision_config`
    public var vision: VisionConfiguration
    /// s: a row of the language model is s × s patches.
    public let scale: Int
    /// `image_token_id`
    public let imageToken: Int

    public init(_ root: JSONField) throws(MISPError) {
        try root.check(.smolVLM)
        guard root["text_config"].isPresent else {
            throw root["text_config"].failure("is missing", remedy: "take the whole config.json of the checkpoint")
        }
        // Two classes give it two defaults.
        guard root["text_config"]["rms_norm_eps"].isPresent else {
            throw root["text_config"]["rms_norm_eps"].failure("is missing", remedy: "set it as the model was trained")
        }
        text = try TextConfiguration(root["text_config"])
        // As transformers: a flag on either level ties.
        if try root["tie_word_embeddings"].bool(default: false) { text.isTied = true }
        let type = try root["model_type"].string()
        vision = try VisionConfiguration(root["vision_config"], standard: "\(type)_vision")
        scale = try root["scale_factor"].size(default: 2, to: 64)
        guard vision.grid % scale == 0 else {
            throw root["scale_factor"].failure("is \(scale), which does not divide \(vision.grid) patches a side")
        }
        imageToken = try root["image_token_id"].tokenID(default: 128_257)
    }

    /// Rows of a tile.
    private var tileRows: Int { vision.grid / scale * (vision.grid / scale) }

    /// Of a picture, along its way.
    func rows(_ shape: PictureShape) -> VisionRows {
        let patches = shape.tiles * vision.grid * vision.grid
        return VisionRows(patches: patches, features: patches, language: shape.tiles * tileRows)
    }

    public static func processor(
        _ folder: URL, _ settings: PictureSettings
    ) throws(MISPError) -> any PictureProcessor {
        try TileProcessor(modelDirectory: folder, settings)
    }

    /// A line for each row of tiles, then, after an empty line, the whole picture.
    public func place(_ shape: PictureShape, _ tokenizer: Tokenizer) throws(MISPError) -> PicturePlace {
        var (tokens, features) = ([Int32](), [Range<Int>]())
        func append(_ name: String) throws(MISPError) {
            guard let id = tokenizer.id(of: name) else {
                throw MISPError("has no token \(name)", at: "tokenizer.json", remedy: "take the model's own tokenizer")
            }
            tokens.append(id)
        }
        func appendFeatures() {
            features.append(tokens.count..<tokens.count + tileRows)
            tokens += [Int32](repeating: Int32(clamping: imageToken), count: tileRows)
        }
        if shape.tiles > 1 {
            let lineBreak = tokenizer.encode("\n", addSpecialTokens: false)
            for row in 1...shape.tileRows {
                for column in 1...shape.tileColumns {
                    try append(Self.around)
                    try append("<row_\(row)_col_\(column)>")
                    appendFeatures()
                }
                tokens += lineBreak
            }
            tokens += lineBreak
        }
        try append(Self.around)
        try append(Self.whole)
        appendFeatures()
        try append(Self.around)
        return PicturePlace(tokens: tokens, featureRows: features)
    }

    public func encoder<A: Arithmetic>(
        _ builder: ModelBuilder<A>, common: PictureShape?
    ) throws -> any VisionEncoder<A> {
        let joined = vision.hiddenSize * scale * scale
        let connector = try builder.linear(
            "connector.modality_projection.proj", out: text.hiddenSize, in: joined, bias: false,
            trained: builder.trainable.projector == .full)
        let trainsTower = builder.trainable.vision == .full
        let tower = try builder.visionTower(
            vision, root: "vision_model", featureLayers: [vision.layers], dropsFirstRow: false,
            pixels: (vision.imageSide, vision.imageSide), trainsPostNorm: trainsTower)
        return TileEncoder(
            family: self, tower: tower, connector: connector, isTowerTrained: builder.trainable.vision != .frozen)
    }
}

extension KeyTable {
    /// The top of config.json. Sizes there repeat those of `text_config`.
    package static let smolVLM = KeyTable(
        read: ["text_config", "vision_config", "image_token_id", "scale_factor", "tie_word_embeddings"],
        harmless: ["_pad_token_id", "image_seq_len", "vocab_size"]
    ).adding(anyModel)
}

extension VisionArchitecture {
    /// SigLIP's parts under the names of SmolVLM and Idefics3.
    package static let smolVLM = tiled("smolvlm_vision")
    package static let idefics3 = tiled("idefics3_vision")

    private static func tiled(_ modelType: String) -> VisionArchitecture {
        VisionArchitecture(
            modelType: modelType,
            keys: KeyTable(
                read: ["intermediate_size"],
                harmless: ["max_image_size", "size", "tie_word_embeddings", "use_base_siglip"],
                fixed: ["attention_dropout": [0]]
            ).adding(.tower),
            defaults: Defaults(
                hiddenSize: 1152, heads: 16, patchSide: 32, activation: .geluTanh, epsilon: 1e-6),
            width: ("intermediate_size", false), parts: siglip.parts, names: siglip.names)
    }
}
