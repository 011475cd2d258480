import Foundation

/// What an image processor of Hugging Face does to a picture, with the defaults of its class filled in.
public struct ImageProcessorConfiguration: Sendable, Equatable {
    /// What a picture is resized to, before the crop.
    public enum Size: Sendable, Equatable {
        /// The shorter side becomes this long and the aspect ratio stays.
        case shortestEdge(Int)
        /// Both sides, whatever the aspect ratio.
        case exact(height: Int, width: Int)
    }

    /// nil: the picture keeps its size.
    public var size: Size?
    /// The filter of the resizing.
    public var resampling: Resampling
    /// (height, width); nil: no crop.
    public var cropHeight, cropWidth: Int?
    /// nil: values stay in 0…255.
    public var rescaleFactor: Double?
    /// One value for each of red, green and blue; nil: no normalisation.
    public var mean, standardDeviation: [Double]?
}

/// Class defaults, from transformers 5's PIL processors. `size` as an integer means the shortest edge for most of them.
private struct ProcessorClass {
    var size: ImageProcessorConfiguration.Size
    var integerIsShortestEdge = true
    var resampling = Resampling.bicubic
    var centerCrop = false
    var mean = [0.5, 0.5, 0.5]
    var standardDeviation = [0.5, 0.5, 0.5]

    static let clip = ProcessorClass(
        size: .shortestEdge(224), centerCrop: true, mean: [0.48145466, 0.4578275, 0.40821073],
        standardDeviation: [0.26862954, 0.26130258, 0.27577711])

    static let named: [String: ProcessorClass] = [
        "CLIPImageProcessor": clip,
        "LlavaImageProcessor": clip,
        "BitImageProcessor": clip,
        "SiglipImageProcessor": ProcessorClass(size: .exact(height: 224, width: 224)),
        "ViTImageProcessor": ProcessorClass(
            size: .exact(height: 224, width: 224), integerIsShortestEdge: false, resampling: .bilinear),
        "DeiTImageProcessor": ProcessorClass(
            size: .exact(height: 256, width: 256), integerIsShortestEdge: false, centerCrop: true),
    ]

    /// The class a configuration names, whatever its backend ("Fast", "Pil") and generation ("FeatureExtractor").
    init(of configuration: JSONField) throws(MISPError) {
        let stem = try ImageProcessorConfiguration.className(configuration)
        guard let found = Self.named[stem] else {
            let key =
                configuration["image_processor_type"].isPresent ? "image_processor_type" : "feature_extractor_type"
            throw configuration[key].failure(
                "\((try? configuration[key].string()) ?? stem) is not supported",
                remedy: "supported are " + Self.named.keys.sorted().joined(separator: ", "))
        }
        self = found
    }

    init(
        size: ImageProcessorConfiguration.Size, integerIsShortestEdge: Bool = true, resampling: Resampling = .bicubic,
        centerCrop: Bool = false, mean: [Double] = [0.5, 0.5, 0.5], standardDeviation: [Double] = [0.5, 0.5, 0.5]
    ) {
        self.size = size
        self.integerIsShortestEdge = integerIsShortestEdge
        self.resampling = resampling
        self.centerCrop = centerCrop
        self.mean = mean
        self.standardDeviation = standardDeviation
    }
}

extension ImageProcessorConfiguration {
    /// Reads a model directory as transformers does: `image_processor` of processor_config.json where there is one,
    /// else preprocessor_config.json.
    public init(modelDirectory: URL) throws(MISPError) { try self.init(Self.section(of: modelDirectory)) }

    /// The image processor's own section among a model's files.
    static func section(of folder: URL) throws(MISPError) -> JSONField {
        let processor = folder.appending(path: "processor_config.json")
        if FileManager.default.fileExists(atPath: processor.path) {
            let field = try JSONField(contentsOf: processor)
            try checkProcessor(field)
            if field["image_processor"].isPresent { return field["image_processor"] }
        }
        return try JSONField(contentsOf: folder.appending(path: "preprocessor_config.json"))
    }

    private static func checkProcessor(_ field: JSONField) throws(MISPError) {
        _ = try field.object()
        try KeyTable.processor.check(field)
    }

    /// The class that a configuration names, whatever its backend ("Fast", "Pil") and generation ("FeatureExtractor").
    static func className(_ configuration: JSONField) throws(MISPError) -> String {
        let current = configuration["image_processor_type"]
        let field = current.isPresent ? current : configuration["feature_extractor_type"]
        guard field.isPresent else {
            throw configuration["image_processor_type"].failure(
                "is missing", remedy: "name the class, such as \"CLIPImageProcessor\"")
        }
        var stem = try field.string()
        for suffix in ["Fast", "Pil"] where stem.hasSuffix(suffix) { stem.removeLast(suffix.count) }
        if stem.hasSuffix("FeatureExtractor") {
            stem = stem.dropLast("FeatureExtractor".count) + "ImageProcessor"
        }
        return stem
    }

    /// - Parameter field: `resample`
    static func filter(_ field: JSONField, default value: Resampling) throws(MISPError) -> Resampling {
        let number = try field.int(default: value.rawValue)
        guard let filter = Resampling(rawValue: number) else {
            throw field.failure("\(number) is no filter", remedy: "3 is bicubic, 2 bilinear, 1 Lanczos")
        }
        return filter
    }

    /// What becomes of pixels, as `do_rescale`, `do_normalize` and their settings say.
    static func table(_ field: JSONField, mean: [Double], deviation: [Double]) throws(MISPError) -> PixelTable {
        let values = try values(field, mean: mean, deviation: deviation)
        return PixelTable(factor: values.factor, mean: values.mean, deviation: values.deviation)
    }

    private static func values(
        _ field: JSONField, mean: [Double], deviation: [Double]
    ) throws(MISPError) -> (factor: Double?, mean: [Double]?, deviation: [Double]?) {
        var factor: Double?
        if try field["do_rescale"].bool(default: true) {
            factor = try field["rescale_factor"].positiveNumber(default: 1.0 / 255)
        }
        guard try field["do_normalize"].bool(default: true) else { return (factor, nil, nil) }
        let means = try channels(field["image_mean"]) ?? mean
        let deviations = try channels(field["image_std"]) ?? deviation
        if deviations.contains(0) { throw field["image_std"].failure("holds 0") }
        for (key, values) in [("image_mean", means), ("image_std", deviations)] {
            guard values.allSatisfy(\.isFinite) else { throw field[key].failure("is not finite") }
        }
        return (factor, means, deviations)
    }

    /// `image_processor` of a processor_config.json; nil where it has none.
    package init?(ofProcessor field: JSONField) throws(MISPError) {
        try Self.checkProcessor(field)
        guard field["image_processor"].isPresent else { return nil }
        try self.init(field["image_processor"])
    }

    /// Reads a preprocessor_config.json.
    public init(contentsOf url: URL) throws(MISPError) {
        try self.init(JSONField(contentsOf: url))
    }

    /// Both generations: `size` and `crop_size` may be integers, pairs or objects; an absent or null key stands for
    /// the default of the class that `image_processor_type` names. A setting that would change the pixels in a way
    /// that is not supported is an error.
    public init(_ field: JSONField) throws(MISPError) {
        let defaults = try ProcessorClass(of: field)
        try KeyTable.imageProcessor.check(field, remedy: "use a model whose images are only resized and cropped")
        let takesSquare = try field["default_to_square"].bool(default: !defaults.integerIsShortestEdge)
        size = nil
        if try field["do_resize"].bool(default: true) {
            size = try Self.size(field["size"], integerIsShortestEdge: !takesSquare) ?? defaults.size
        }
        resampling = try Self.filter(field["resample"], default: defaults.resampling)
        if try field["do_center_crop"].bool(default: defaults.centerCrop) {
            let crop = field["crop_size"]
            (cropHeight, cropWidth) = (224, 224)
            switch try Self.size(crop, integerIsShortestEdge: false) {
            case .exact(let height, let width): (cropHeight, cropWidth) = (height, width)
            case .shortestEdge: throw crop.failure("holds shortest_edge", remedy: "give height and width")
            case nil: break
            }
        }
        (rescaleFactor, mean, standardDeviation) = try Self.values(
            field, mean: defaults.mean, deviation: defaults.standardDeviation)
    }

    private static func size(_ field: JSONField, integerIsShortestEdge: Bool) throws(MISPError) -> Size? {
        func length(_ field: JSONField) throws(MISPError) -> Int {
            let value = try field.int()
            guard 1...16_384 ~= value else { throw field.failure("\(value) is not between 1 and 16384") }
            return value
        }
        guard let value = field.value, field.isPresent else { return nil }
        switch value {
        case .array(let items) where items.count == 2:
            return .exact(height: try length(field[0]), width: try length(field[1]))
        case .object(let members):
            switch Set(members.keys.filter { field[$0].isPresent }) {
            case ["shortest_edge"]: return .shortestEdge(try length(field["shortest_edge"]))
            case ["height", "width"]:
                return .exact(height: try length(field["height"]), width: try length(field["width"]))
            default:
                throw field.failure(
                    "holds \(members.keys.joined(separator: ", "))", remedy: "give shortest_edge, or height and width")
            }
        default:
            let edge = try length(field)
            return integerIsShortestEdge ? .shortestEdge(edge) : .exact(height: edge, width: edge)
        }
    }

    private static func channels(_ field: JSONField) throws(MISPError) -> [Double]? {
        guard field.isPresent else { return nil }
        guard field.value?.array != nil else { return Array(repeating: try field.double(), count: 3) }
        var values: [Double] = []
        for item in try field.array() { values.append(try item.double()) }
        guard values.count == 3 else { throw field.failure("has \(values.count) values, not 3") }
        return values
    }
}

extension KeyTable {
    /// Keys of preprocessor_config.json, for the classes that are read. The harmless ones say how tensors are passed
    /// on; every picture is converted to RGB whatever do_convert_rgb says.
    package static let imageProcessor = KeyTable(
        read: [
            "image_processor_type", "feature_extractor_type", "do_resize", "size", "default_to_square", "resample",
            "do_center_crop", "crop_size", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std",
        ],
        harmless: [
            "_processor_class", "_valid_processor_keys", "data_format", "device", "disable_grouping", "do_convert_rgb",
            "image_seq_length", "input_data_format", "processor_class", "return_tensors", "use_fast",
        ],
        fixed: ["do_pad": [false], "pad_size": []])

    /// Of all classes.
    private static let pixelValues = KeyTable(
        read: [
            "image_processor_type", "feature_extractor_type", "size", "resample", "do_rescale", "rescale_factor",
            "do_normalize", "image_mean", "image_std",
        ], harmless: imageProcessor.harmless, fixed: ["do_resize": [true], "do_center_crop": [false], "crop_size": []])
    /// Every picture is resized whatever default_to_square says.
    package static let cellProcessor = KeyTable(
        read: ["min_pixels", "max_pixels", "patch_size", "merge_size"], harmless: ["default_to_square"],
        fixed: ["temporal_patch_size": [2], "do_pad": [false], "pad_size": []]
    ).adding(pixelValues)
    /// All tiles are of one size, so that nothing is padded.
    package static let tileProcessor = KeyTable(
        read: ["max_image_size", "do_image_splitting"],
        harmless: ["default_to_square", "do_pad", "pad_size", "return_row_col_info", "video_sampling"]
    ).adding(pixelValues)
    /// Within `size` of the two.
    static let cellLimits = KeyTable(read: ["shortest_edge", "longest_edge", "min_pixels", "max_pixels"])
    static let tileSide = KeyTable(read: ["longest_edge"])

    /// processor_config.json around its `image_processor`. How many rows a picture takes follows from the model.
    package static let processor = KeyTable(
        read: ["image_processor"],
        harmless: [
            "_processor_class", "audio_token", "chat_template", "image_seq_len", "image_seq_length", "image_token",
            "num_additional_image_tokens", "patch_size", "processor_class", "tokenizer", "video_processor",
            "video_token",
            "vision_feature_select_strategy",
        ])
}
