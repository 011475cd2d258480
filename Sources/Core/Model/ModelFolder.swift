import Foundation

/// A Hugging Face model folder: the files beside the weights, and the whole as a model.
public struct ModelFolder {
    public let url: URL
    public let configuration: ModelConfiguration
    public let tokenizer: Tokenizer
    public let imageProcessor: ImageProcessor
    /// The token that ends a response.
    public let endOfSequence: Int32

    public init(_ url: URL) throws {
        self.url = url
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue else {
            throw MISPError("is not a folder", at: url.relativePath, remedy: "give a Hugging Face model folder")
        }
        configuration = try ModelConfiguration(contentsOf: url.appending(path: "config.json"))
        tokenizer = try Tokenizer(contentsOf: url.appending(path: "tokenizer.json"))
        imageProcessor = try ImageProcessor(modelDirectory: url)
        endOfSequence = try Self.endOfSequence(url, tokenizer, configuration)
    }

    public var pixels: (height: Int, width: Int) { (imageProcessor.height, imageProcessor.width) }

    /// The model with its weights mapped from the folder's files.
    ///
    /// - Parameter hasValues: false for a model of names and shapes alone, which computes nothing.
    public func model(
        trainable: Trainable, seed: UInt64, hasValues: Bool = true
    ) throws -> VisionLanguageModel<Float> {
        try VisionLanguageModel(
            configuration, from: TensorCatalog(folder: url), pixels: pixels, trainable: trainable, seed: seed,
            hasValues: hasValues)
    }

    /// tokenizer_config.json's `eos_token`, else config.json's `eos_token_id`.
    private static func endOfSequence(
        _ url: URL, _ tokenizer: Tokenizer, _ configuration: ModelConfiguration
    ) throws -> Int32 {
        let file = url.appending(path: "tokenizer_config.json")
        if FileManager.default.fileExists(atPath: file.path) {
            let field = try JSONField(contentsOf: file)["eos_token"]
            if let text = field.value?.string ?? field["content"].value?.string {
                guard let id = tokenizer.id(of: text) else {
                    throw field.failure("is \(text), which is no token of tokenizer.json")
                }
                return id
            }
        }
        guard let id = configuration.text.endOfSequence else {
            throw MISPError(
                "names no end-of-sequence token", at: file.relativePath, remedy: "set eos_token there")
        }
        return Int32(id)
    }
}
