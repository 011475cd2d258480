/// The size of a vision transformer, and of which kind it is.
public struct VisionConfiguration: Sendable, Equatable {
    public var architecture: VisionArchitecture
    /// C
    public var hiddenSize: Int
    /// Width of each layer's feed-forward network.
    public var intermediateSize: Int
    /// Transformer layers in the checkpoint; features may come from an earlier one than the last.
    public var layers: Int
    /// H
    public var heads: Int
    /// The side, in pixels, for which the checkpoint has positions.
    public var imageSide: Int
    /// Pixels.
    public var patchSide: Int
    /// Of the feed-forward networks.
    public var activation: Activation
    /// ε of every LayerNorm.
    public var normEpsilon: Double

    /// The tower of a model that may have one of several kinds.
    init(_ field: JSONField) throws(MISPError) {
        let type = try field["model_type"].string(default: "clip_vision_model")
        guard let architecture = VisionArchitecture.all.first(where: { $0.modelType == type }) else {
            throw field["model_type"].failure(
                "is \(type), which is not supported",
                remedy: "use one of \(VisionArchitecture.all.map(\.modelType).joined(separator: ", "))")
        }
        try self.init(field, as: architecture)
    }

    init(_ field: JSONField, as architecture: VisionArchitecture) throws(MISPError) {
        self.architecture = architecture
        let defaults = architecture.defaults
        try field.check(architecture.keys)
        hiddenSize = try field["hidden_size"].size(default: defaults.hiddenSize)
        let width = field[architecture.width.key]
        intermediateSize =
            architecture.width.isRatio
            ? hiddenSize * (try width.size(default: 4, to: 1024)) : try width.size(default: 3072)
        layers = try field["num_hidden_layers"].size(default: 12, to: SizeLimit.layers)
        heads = try field["num_attention_heads"].size(default: defaults.heads)
        guard hiddenSize % heads == 0 else {
            throw field["num_attention_heads"].failure("is \(heads), which does not divide hidden_size \(hiddenSize)")
        }
        imageSide = try Self.side(field["image_size"], default: 224)
        patchSide = try Self.side(field["patch_size"], default: defaults.patchSide)
        guard patchSide <= imageSide else {
            throw field["patch_size"].failure("is \(patchSide), more than image_size \(imageSide)")
        }
        activation = try field["hidden_act"].activation(default: defaults.activation)
        normEpsilon = try field["layer_norm_eps"].positiveNumber(default: defaults.epsilon)
        guard try field["num_channels"].int(default: 3) == 3 else {
            throw field["num_channels"].failure("must be 3")
        }
    }

    /// Some files give a side twice, as height and width.
    private static func side(_ field: JSONField, default value: Int) throws(MISPError) -> Int {
        guard let list = field.value?.array else { return try field.size(default: value, to: SizeLimit.side) }
        guard list.count == 2, let first = list.first, list.allSatisfy({ $0.isSame(as: first) }) else {
            throw field.failure("is \(field.value?.shortDescription ?? ""), but must be one number, or the same twice")
        }
        return try field[0].size(default: value, to: SizeLimit.side)
    }

    /// Of pictures of equally many patches, through the tower's first layers.
    func cost(pictures: Int, patches: Int, tokens: Int, layers: Int) -> VisionCost {
        var cost = VisionCost()
        let (count, width, inner) = (Double(pictures), hiddenSize, intermediateSize)
        cost.tower = 2 * count * Double(patches) * Double(3 * patchSide * patchSide * width)
        cost.addLayers(
            layers, rows: pictures * tokens, weights: 4 * width * width + 2 * width * inner,
            pairs: count * Double(tokens) * Double(tokens), width: width, kept: 9 * width + 2 * inner)
        return cost
    }

    /// Patches along a side of the pictures for which the checkpoint has positions.
    public var grid: Int { imageSide / patchSide }
    /// Whether a token of its own stands before an image's patches.
    public var hasClassToken: Bool { architecture.parts.hasClassToken }
}
