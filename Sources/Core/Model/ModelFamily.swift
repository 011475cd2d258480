import Foundation

/// A family of vision-language models as its config.json describes one: what its parts are, what its pictures become,
/// and what its files call things.
///
/// A family is a folder beside this file, and one line of `ModelConfiguration.families`.
public protocol ModelFamily: Sendable {
    /// The `model_type`s of config.json that are read as this family.
    static var modelTypes: [String] { get }
    /// Reads config.json.
    ///
    /// - Throws: `MISPError` that names the key which is missing, out of range or not implemented
    init(_ root: JSONField) throws(MISPError)
    /// The language model's shape.
    var text: TextConfiguration { get set }
    /// The id that stands for a row of a picture's features in token sequences.
    var imageToken: Int { get }
    /// Names of things in its files and texts.
    static var names: FamilyNames { get }
    /// The way of pictures to pixel values, from the folder's files, which must fit the tower.
    ///
    /// - Parameter settings: what a run sets of its pictures
    func processor(_ folder: URL, _ settings: PictureSettings) throws(MISPError) -> any PictureProcessor
    /// What stands for a picture in a sequence.
    func place(_ shape: PictureShape, _ tokenizer: Tokenizer) throws(MISPError) -> PicturePlace
    /// What a picture's way to rows of the language model costs.
    func cost(_ shape: PictureShape) -> VisionCost
    /// The tower and the connector.
    ///
    /// - Parameter common: the shape of all pictures, where there is one
    func encoder<A: Arithmetic>(
        _ builder: ModelBuilder<A>, common: PictureShape?
    ) throws -> any VisionEncoder<A>
}

/// What one picture costs a vision encoder.
public struct VisionCost: Sendable, Equatable {
    /// Operations of a forward pass, as `OperationCount` counts them.
    public var tower = 0.0, connector = 0.0
    /// Bytes of activations that its backward pass needs, roughly.
    public var towerBytes = 0.0, connectorBytes = 0.0
    /// Of the tower's, bytes of the layers' inputs, and of the one layer that has most.
    public var towerInputBytes = 0.0, towerLayerBytes = 0.0

    /// Adds `count` layers of a transformer to the tower's.
    ///
    /// - Parameters:
    ///   - weights: elements of a layer's matrices
    ///   - pairs: of rows that see one another
    ///   - width: C
    ///   - kept: numbers that a row keeps in a layer
    mutating func addLayers(_ count: Int, rows: Int, weights: Int, pairs: Double, width: Int, kept: Int) {
        tower += Double(count) * (2 * Double(rows) * Double(weights) + 4 * pairs * Double(width))
        towerBytes += 4 * Double(count) * Double(rows) * Double(kept)
        towerInputBytes += 4 * Double(count) * Double(rows) * Double(width)
        towerLayerBytes = max(towerLayerBytes, 4 * Double(rows) * Double(kept))
    }
}

/// What a family calls things.
public struct FamilyNames: Sendable {
    /// The image token as its tokenizer spells it.
    let imageMark: String
    /// Tokens that the program alone places: no text of a data set may hold them.
    let pictureTokens: [String]
    /// What the canonical names of the tower's and the connector's tensors begin with.
    public let tower, connector: String
    /// What transformers calls the language model in its tree of modules, as adapters name them.
    let languageModule: String
    /// What the canonical paths of the tower's layers begin with.
    let towerLayers: String
    /// The projections of the tower's layers, all of which can have an adapter.
    let towerModules: [String]
}

/// The shape of a vision-language model, as config.json of a Hugging Face checkpoint states it.
public struct ModelConfiguration: Sendable {
    /// Those that are read, by what config.json calls them.
    static let families: [any ModelFamily.Type] = [LLaVA.self, Qwen2VL.self, SmolVLM.self]

    /// With everything that is the family's own.
    public var family: any ModelFamily

    /// The language model's shape.
    public var text: TextConfiguration { family.text }
    /// The id that stands for a row of a picture's features.
    public var imageToken: Int { family.imageToken }
    /// What the family calls things.
    public var names: FamilyNames { type(of: family).names }

    /// Reads a config.json.
    ///
    /// - Throws: `MISPError` for a file that cannot be read, and as `init(_:)`
    public init(contentsOf url: URL) throws(MISPError) { try self.init(JSONField(contentsOf: url)) }

    /// - Parameter root: config.json
    /// - Throws: `MISPError` that names the key which is missing, out of range or not implemented
    public init(_ root: JSONField) throws(MISPError) {
        let type = try root["model_type"].string()
        try LLaVA.refuseOriginalLayout(root)
        guard let family = Self.families.first(where: { $0.modelTypes.contains(type) }) else {
            let isText = TextConfiguration.types.contains(type)
            let known = Self.families.flatMap { $0.modelTypes }.joined(separator: ", ")
            throw root["model_type"].failure(
                isText ? "is \(type), a language model without a vision tower" : "is \(type), which is not supported",
                remedy: "use a vision-language checkpoint of one of these: \(known)")
        }
        self.family = try family.init(root)
    }
}
