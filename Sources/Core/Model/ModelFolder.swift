import Foundation

/// A Hugging Face model folder: the files beside the weights, and the whole as a model.
public struct ModelFolder {
    /// The folder.
    public let url: URL
    /// config.json
    public let configuration: ModelConfiguration
    /// tokenizer.json and the files beside it.
    public let tokenizer: Tokenizer
    /// Of preprocessor_config.json or processor_config.json.
    public var processor: any PictureProcessor
    /// The token that ends a response.
    public let endOfSequence: Int32

    /// Reads all but the weights.
    ///
    /// - Throws: `MISPError` that names the folder, file or key which is missing, malformed or not supported
    ///
    /// - Parameter pictures: what the run sets of them
    public init(_ url: URL, pictures: PictureSettings = PictureSettings()) throws {
        self.url = url
        try Self.checkIsFolder(url, kind: "Hugging Face model")
        try Self.checkHasConfiguration(url)
        configuration = try ModelConfiguration(contentsOf: url.appending(path: "config.json"))
        tokenizer = try Tokenizer(folder: url)
        processor = try configuration.family.processor(url, pictures)
        endOfSequence = try Self.endOfSequence(url, tokenizer, configuration)
    }

    /// The model with its weights mapped from the folder's files.
    ///
    /// - Parameters:
    ///   - hasValues: false for a model of names and shapes alone, which computes nothing
    ///   - arithmetic: what it is computed with
    public func model<A: Arithmetic>(
        trainable: Trainable, seed: UInt64, hasValues: Bool = true, as arithmetic: A.Type = Vector.self
    ) throws -> VisionLanguageModel<A> {
        try VisionLanguageModel(
            configuration, from: TensorCatalog(folder: url), common: processor.commonShape, trainable: trainable,
            seed: seed,
            hasValues: hasValues)
    }

    /// Tells a folder from a file, and from the id of a model on the Hugging Face Hub.
    static func checkIsFolder(_ url: URL, kind: String) throws(MISPError) {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        guard !(exists && isFolder.boolValue) else { return }
        guard !exists else {
            throw MISPError(
                "is a file, not a folder", at: url.relativePath, remedy: "give the \(kind) folder that holds it")
        }
        let parent = url.deletingLastPathComponent()
        let id = "\(parent.lastPathComponent)/\(url.lastPathComponent)"
        let isID =
            !FileManager.default.fileExists(atPath: parent.path)
            && id.wholeMatch(of: #/[A-Za-z0-9_.\-]+\/[A-Za-z0-9_.\-]+/#) != nil
        throw MISPError(
            "is not a folder", at: url.relativePath,
            remedy: isID
                ? "if \(id) is a model of the Hugging Face Hub, download it first (hf download \(id) --local-dir DIR) "
                    + "and give that folder"
                : "give a \(kind) folder")
    }

    private static func checkHasConfiguration(_ url: URL) throws(MISPError) {
        func holds(_ name: String) -> Bool {
            FileManager.default.fileExists(atPath: url.appending(path: name).path)
        }
        guard !holds("config.json") else { return }
        let remedy =
            holds("adapter_config.json")
            ? "this is an adapter: give its base as model.path and the adapter as model.adapter"
            : holds("snapshots")
                ? "this is the Hub's cache: give the folder below its snapshots/"
                : "give the folder that transformers' save_pretrained wrote"
        throw MISPError("has no config.json", at: url.relativePath, remedy: remedy)
    }

    /// The tokenizer's `eos_token`, else config.json's `eos_token_id`; the embeddings have a row for it.
    private static func endOfSequence(
        _ url: URL, _ tokenizer: Tokenizer, _ configuration: ModelConfiguration
    ) throws -> Int32 {
        let config = url.appending(path: "config.json").relativePath
        let text = configuration.text
        let place = tokenizer.endOfSequence?.place.place ?? "\(config): text_config.eos_token_id"
        guard let id = tokenizer.endOfSequence.map({ Int($0.id) }) ?? text.endOfSequence else {
            throw MISPError(
                "names no end-of-sequence token", at: url.appending(path: "tokenizer_config.json").relativePath,
                remedy: "set eos_token there")
        }
        guard 0..<text.vocabulary ~= id, let token = Int32(exactly: id) else {
            throw MISPError(
                "the end-of-sequence token is \(id), but the model has \(text.vocabulary) embeddings", at: place,
                remedy: "name a token that the model has, or resize its embeddings")
        }
        return token
    }
}
