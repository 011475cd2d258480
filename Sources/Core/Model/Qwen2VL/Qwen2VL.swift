import Foundation

/// Qwen2-VL and Qwen2.5-VL: a tower that takes pictures as large as they are, a merger that makes one row of four
/// patches, and a decoder whose rows have three positions (Wang et al., arXiv 2409.12191; Bai et al., arXiv
/// 2502.13923).
public struct Qwen2VL: ModelFamily {
    public static let modelTypes = ["qwen2_vl", "qwen2_5_vl"]
    public static let names = FamilyNames(
        imageMark: "<|image_pad|>",
        pictureTokens: [
            "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
        ],
        tower: "visual.", connector: "visual.merger.", languageModule: "language_model",
        towerLayers: "visual.blocks.",
        towerModules: ["qkv", "proj", "gate_proj", "up_proj", "down_proj", "fc1", "fc2"])

    /// `text_config`, or the same keys at the top.
    public var text: TextConfiguration
    /// `vision_config`
    public var vision: Vision
    /// `image_token_id`
    public let imageToken: Int

    /// The tower's shape.
    public struct Vision: Sendable {
        /// C
        public let width: Int
        /// Width of each layer's network.
        public let inner: Int
        /// Layers.
        public let depth: Int
        /// H
        public let heads: Int
        /// p, in pixels.
        public let patchSide: Int
        /// m: a cell has m × m patches.
        public let mergeSide: Int
        /// Width of the rows that the merger makes: the language model's.
        public let output: Int
        /// Of the layers' networks without gate; nil for gated ones, between RMS norms in place of LayerNorms.
        public let activation: Activation?
        /// Cells along a window's side; nil: every layer sees whole pictures.
        public let windowSide: Int?
        /// Layers that see whole pictures all the same.
        public let wholeLayers: Set<Int>

        /// D
        var headSize: Int { width / heads }
    }

    public init(_ root: JSONField) throws(MISPError) {
        let isNewer = try root["model_type"].string() == "qwen2_5_vl"
        try root.check(root["text_config"].isPresent ? .qwen2VLNested : .qwen2VLFlat)
        let section = root["text_config"].isPresent ? root["text_config"] : root
        if root["text_config"].isPresent {
            try section.check(.qwen2VLText)
            try Self.checkAgreement(root, section)
        }
        text = try TextConfiguration(section, .qwen2VL)
        // Either level ties.
        if try root["tie_word_embeddings"].bool(default: false) { text.isTied = true }
        vision = try Vision(root["vision_config"], isNewer: isNewer)
        guard vision.output == text.hiddenSize else {
            let key = isNewer ? "out_hidden_size" : "hidden_size"
            throw root["vision_config"][key].failure(
                "is \(vision.output), but the language model's hidden_size is \(text.hiddenSize)")
        }
        imageToken = try root["image_token_id"].tokenID(default: 151_655)
    }

    /// Folders of some versions have the decoder's keys twice; transformers reads those of `text_config`.
    private static func checkAgreement(_ root: JSONField, _ section: JSONField) throws(MISPError) {
        for key in ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "rms_norm_eps"] {
            guard root[key].isPresent, section[key].isPresent, let own = section[key].value else { continue }
            guard root[key].value?.isSame(as: own) ?? true else {
                throw root[key].failure(
                    "is \(root[key].value?.shortDescription ?? ""), but text_config says \(own.shortDescription)",
                    remedy: "remove the wrong one")
            }
        }
    }
}

extension Qwen2VL.Vision {
    init(_ field: JSONField, isNewer: Bool) throws(MISPError) {
        try field.check(isNewer ? .qwen25Vision : .qwen2Vision)
        let rotary = field["rope_parameters"]
        try KeyTable.axialRotary.check(rotary)
        depth = try field["depth"].size(default: 32, to: SizeLimit.layers)
        heads = try field["num_heads"].size(default: 16)
        width = try field[isNewer ? "hidden_size" : "embed_dim"].size(default: isNewer ? 3584 : 1280)
        guard width % heads == 0, width / heads % 4 == 0 else {
            throw field["num_heads"].failure("is \(heads), but \(width) channels must make heads of a multiple of 4")
        }
        patchSide = try field["patch_size"].size(default: 14, to: SizeLimit.side)
        mergeSide = try field["spatial_merge_size"].size(default: 2, to: 64)
        guard try field["temporal_patch_size"].int(default: 2) == 2 else {
            throw field["temporal_patch_size"].failure("must be 2")
        }
        for key in ["in_chans", "in_channels"] where try field[key].int(default: 3) != 3 {
            throw field[key].failure("must be 3")
        }
        if field["spatial_patch_size"].isPresent, try field["spatial_patch_size"].int() != patchSide {
            throw field["spatial_patch_size"].failure("is not patch_size, which is \(patchSide)")
        }
        let activation = try field["hidden_act"].activation(default: isNewer ? .silu : .quickGelu)
        guard isNewer else {
            inner = width * (try field["mlp_ratio"].size(default: 4, to: 1024))
            output = try field["hidden_size"].size(default: 3584)
            (self.activation, windowSide, wholeLayers) = (activation, nil, [])
            return
        }
        guard activation == .silu else { throw field["hidden_act"].failure("is not silu, which this tower needs") }
        self.activation = nil
        inner = try field["intermediate_size"].size(default: 3420)
        output = try field["out_hidden_size"].size(default: 3584)
        let window = try field["window_size"].size(default: 112, to: SizeLimit.side)
        guard window >= patchSide * mergeSide else {
            throw field["window_size"].failure("is \(window), less than a cell of \(patchSide * mergeSide)")
        }
        windowSide = window / mergeSide / patchSide
        wholeLayers = try Self.wholeLayers(field["fullatt_block_indexes"])
    }

    private static func wholeLayers(_ field: JSONField) throws(MISPError) -> Set<Int> {
        guard field.isPresent else { return [7, 15, 23, 31] }
        var layers: Set<Int> = []
        for item in try field.array() { layers.insert(try item.int()) }
        return layers
    }
}

extension KeyTable {
    /// What both generations have at the top.
    private static let qwen2VLTop = KeyTable(
        read: ["text_config", "vision_config", "image_token_id", "tie_word_embeddings"],
        harmless: [
            "video_token_id", "vision_start_token_id", "vision_end_token_id", "vision_token_id",
        ]
    ).adding(anyModel)
    /// With the decoder's keys at the top, as published.
    package static let qwen2VLFlat = qwen2VLTop.adding(qwen2VLText)
    /// With `text_config`; what stands beside it of the decoder's is compared or passed over, as transformers does.
    package static let qwen2VLNested = qwen2VLTop.adding(
        KeyTable(
            read: [],
            harmless: qwen2VLText.read.union(qwen2VLText.harmless).union(qwen2VLText.fixed.keys)
                .subtracting(anyModel.fixed.keys)))

    /// A still picture has no use of `tokens_per_second`.
    package static let qwen25Vision = KeyTable(
        read: [
            "depth", "hidden_size", "hidden_act", "intermediate_size", "num_heads", "in_chans", "in_channels",
            "patch_size", "spatial_patch_size", "spatial_merge_size", "temporal_patch_size", "window_size",
            "out_hidden_size", "fullatt_block_indexes", "rope_parameters",
        ],
        harmless: ["tokens_per_second"]
    ).adding(anyModel)
    package static let qwen2Vision = KeyTable(read: [
        "depth", "embed_dim", "hidden_size", "hidden_act", "mlp_ratio", "num_heads", "in_chans", "in_channels",
        "patch_size", "spatial_patch_size", "spatial_merge_size", "temporal_patch_size", "rope_parameters",
    ]).adding(anyModel)
    package static let axialRotary = KeyTable(
        read: [], fixed: ["rope_type": ["axial", "default"], "rope_theta": [10000], "partial_rotary_factor": [1]])
}

extension Qwen2VL {
    public func processor(_ folder: URL, _ settings: PictureSettings) throws(MISPError) -> any PictureProcessor {
        guard settings.splits == nil else { throw PictureSettings.refusal("image_splitting", "Qwen2-VL") }
        return try CellProcessor(modelDirectory: folder, settings, patch: vision.patchSide, merge: vision.mergeSide)
    }

    /// Cells across and down of a picture.
    func cells(_ shape: PictureShape) -> (height: Int, width: Int) {
        let side = vision.patchSide * vision.mergeSide
        return (shape.height / side, shape.width / side)
    }

    public func cost(_ shape: PictureShape) -> VisionCost {
        let grid = CellGrid(self, shape)
        let (cells, rows, width) = (Double(grid.count), grid.count * grid.patches, vision.width)
        let network = (vision.activation == nil ? 3 : 2) * vision.inner
        let windowed = grid.windows.reduce(0.0) { sum, cells in
            let patches = Double(cells.count * grid.patches)
            return sum + patches * patches
        }
        let whole = (0..<vision.depth).count { vision.windowSide == nil || vision.wholeLayers.contains($0) }
        var cost = VisionCost()
        cost.tower = 2 * Double(rows) * Double(6 * vision.patchSide * vision.patchSide * width)
        for (layers, pairs) in [(whole, Double(rows) * Double(rows)), (vision.depth - whole, windowed)] {
            cost.addLayers(
                layers, rows: rows, weights: 4 * width * width + width * network, pairs: pairs, width: width,
                kept: 9 * width + network)
        }
        let joined = width * grid.patches
        cost.connector = 2 * cells * Double(joined * joined + joined * vision.output)
        cost.connectorBytes = 4 * cells * Double(4 * joined)
        return cost
    }

    /// A placeholder a cell. Time stands still over a picture; what follows it stands behind its longer side.
    public func place(_ shape: PictureShape, _ tokenizer: Tokenizer) throws(MISPError) -> PicturePlace {
        let (height, width) = cells(shape)
        let positions = (0..<height * width).map {
            RotaryPosition(time: 0, height: $0 / width, width: $0 % width)
        }
        return PicturePlace(
            tokens: [Int32](repeating: Int32(clamping: imageToken), count: height * width),
            featureRows: [0..<height * width], positions: positions, span: max(height, width))
    }
}
