import Foundation

/// SmolVLM and Idefics3: a SigLIP tower on square tiles, neighbouring patches joined and brought to the decoder's width
/// by one matrix, and text between the tiles that says where each stood (Laurençon et al., arXiv 2408.12637; Marafioti
/// et al., arXiv 2504.05299).
public struct SmolVLM: ModelFamily {
    public static let modelTypes = ["smolvlm", "idefics3"]
    public static let names = FamilyNames(
        imageMark: "<image>",
        pictureTokens: ["<image>", "<video>", around, whole] + places(rows: 6, columns: 6),
        tower: "vision_model.", connector: "connector.", languageModule: "text_model",
        towerLayers: "vision_model.encoder.",
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
        let kind = root["vision_config"]["model_type"]
        guard try VisionArchitecture.tiledTypes.contains(kind.string(default: "smolvlm_vision")) else {
            let name = kind.value?.string ?? ""
            throw kind.failure("is \(name), no tower of this family", remedy: "take the config.json of the checkpoint")
        }
        vision = try VisionConfiguration(root["vision_config"], as: .smolVLM)
        scale = try root["scale_factor"].size(default: 2, to: 64)
        guard vision.grid % scale == 0 else {
            throw root["scale_factor"].failure("is \(scale), which does not divide \(vision.grid) patches a side")
        }
        imageToken = try root["image_token_id"].tokenID(default: 128_257)
        guard vision.grid <= Self.mostGrid, !Self.unevenGrids.contains(vision.grid) else {
            throw root["vision_config"]["image_size"].failure(
                "makes \(vision.grid) patches a side, for which transformers gives two patches one position",
                remedy: "use a checkpoint with 26, 27 or 32, as SmolVLM and Idefics3 have")
        }
    }

    /// transformers finds a patch's position by comparing i·(1/n) with k/n in float32. For these n up to the largest
    /// (torch 2.13) rounding sends two patches to one position, and which ones depends on the processor.
    private static let unevenGrids: Set<Int> = [
        19, 25, 29, 31, 38, 40, 41, 43, 47, 49, 50, 54, 55, 58, 59, 61, 62,
    ]
    private static let mostGrid = 64

    /// Rows of a tile.
    private var tileRows: Int { vision.grid / scale * (vision.grid / scale) }

    /// Of a picture, along its way.
    func rows(_ shape: PictureShape) -> VisionRows {
        let patches = shape.tiles * vision.grid * vision.grid
        return VisionRows(patches: patches, features: patches, language: shape.tiles * tileRows)
    }

    public func processor(
        _ folder: URL, _ settings: PictureSettings
    ) throws(MISPError) -> any PictureProcessor {
        for (key, isSet) in [("min_pixels", settings.least != nil), ("max_pixels", settings.most != nil)] where isSet {
            throw PictureSettings.refusal(key, "SmolVLM")
        }
        return try TileProcessor(modelDirectory: folder, settings, tile: vision.imageSide)
    }

    /// A line for each row of tiles, then, after an empty line, the whole picture. What stands between two blocks of
    /// features is one text: smaller tokenizers have no tokens of their own for the tiles' names.
    public func place(_ shape: PictureShape, _ tokenizer: Tokenizer) throws(MISPError) -> PicturePlace {
        for name in [Self.around, "<image>"] where tokenizer.id(of: name) == nil {
            throw MISPError("has no token \(name)", at: "tokenizer.json", remedy: "take the model's own tokenizer")
        }
        var (tokens, features) = ([Int32](), [Range<Int>]())
        func append(_ text: String) {
            tokens += tokenizer.encode(text, addSpecialTokens: false)
        }
        var opening = ""
        for row in 1...shape.tileRows where shape.tiles > 1 {
            for column in 1...shape.tileColumns {
                append("\(opening)\(Self.around)<row_\(row)_col_\(column)>")
                features.append(tokens.count..<tokens.count + tileRows)
                tokens += [Int32](repeating: Int32(clamping: imageToken), count: tileRows)
                opening = column < shape.tileColumns ? "" : "\n"
            }
        }
        append("\(opening)\(shape.tiles > 1 ? "\n" : "")\(Self.around)\(Self.whole)")
        features.append(tokens.count..<tokens.count + tileRows)
        tokens += [Int32](repeating: Int32(clamping: imageToken), count: tileRows)
        append(Self.around)
        return PicturePlace(tokens: tokens, featureRows: features)
    }

    public func cost(_ shape: PictureShape) -> VisionCost {
        let patches = vision.grid * vision.grid
        var cost = vision.cost(pictures: shape.tiles, patches: patches, tokens: patches, layers: vision.layers)
        let (rows, joined) = (Double(rows(shape).language), vision.hiddenSize * scale * scale)
        cost.connector = 2 * rows * Double(joined * text.hiddenSize)
        cost.connectorBytes = 4 * rows * Double(joined + text.hiddenSize)
        return cost
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
        return TileEncoder(family: self, tower: tower, connector: connector)
    }
}

extension KeyTable {
    /// The top of config.json. Sizes there repeat those of `text_config`.
    package static let smolVLM = KeyTable(
        read: ["text_config", "vision_config", "image_token_id", "scale_factor", "tie_word_embeddings"],
        harmless: ["_pad_token_id", "hidden_size", "image_seq_len", "vocab_size"]
    ).adding(anyModel)
}

extension VisionArchitecture {
    /// SigLIP's parts, with what the classes of SmolVLM and Idefics3 have where their files say nothing. The family
    /// decides which class it is: files call it `smolvlm_vision`, `idefics3_vision`, or as the family.
    package static let smolVLM = VisionArchitecture(
        modelType: "smolvlm_vision",
        keys: KeyTable(
            read: ["intermediate_size"],
            harmless: ["max_image_size", "size", "tie_word_embeddings", "use_base_siglip"],
            fixed: ["attention_dropout": [0]]
        ).adding(.tower),
        defaults: Defaults(hiddenSize: 1152, heads: 16, patchSide: 32, activation: .geluTanh, epsilon: 1e-6),
        width: ("intermediate_size", false), parts: siglip.parts, names: siglip.names)
    /// What files name it.
    static let tiledTypes = [
        "smolvlm_vision", "idefics3_vision", "smolvlm", "idefics3", "siglip_vision_model",
    ]
}
