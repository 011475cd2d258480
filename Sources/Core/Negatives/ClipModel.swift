import Foundation

/// CLIP: pictures and texts as vectors of one space (Radford et al., arXiv 2103.00020), from a Hugging Face folder of
/// `CLIPModel`: config.json, tokenizer.json, preprocessor_config.json and *.safetensors.
public struct ClipModel<A: VectorArithmetic>: Embedder {
    /// config.json
    public let configuration: ClipConfiguration
    /// tokenizer.json
    public let tokenizer: Tokenizer
    /// preprocessor_config.json
    public let imageProcessor: ImageProcessor
    /// All tensors of the folder take part.
    public let content: EmbedderContent
    private let network: ClipNetwork<A>

    /// Maps the weights. Errors name the file and key or tensor that is missing or does not fit.
    ///
    /// - Parameters:
    ///   - pictures: refused where anything is set: pictures have the size that the folder says
    ///   - arithmetic: what embeddings are computed with
    public init(
        folder url: URL, pictures: PictureSettings = PictureSettings(), as arithmetic: A.Type = Vector.self
    ) throws {
        try pictures.refuse("CLIP")
        configuration = try ClipConfiguration(contentsOf: url.appending(path: "config.json"))
        let tokens = url.appending(path: "tokenizer.json")
        guard FileManager.default.fileExists(atPath: tokens.path) else {
            throw MISPError(
                "does not exist", at: tokens.relativePath,
                remedy: "prompts need CLIP's tokenizer: add the checkpoint's tokenizer.json, or make it with "
                    + "transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)")
        }
        tokenizer = try Tokenizer(contentsOf: tokens)
        imageProcessor = try ImageProcessor(modelDirectory: url)
        let catalog = try TensorCatalog(folder: url)
        network = try ClipNetwork(
            configuration, from: catalog, pixels: (imageProcessor.height, imageProcessor.width), isTrained: false)
        try catalog.checkAllUsed()
        content = try EmbedderContent("clip", folder: url, tensors: Array(catalog.tensors.values))
    }

    /// `projection_dim`
    public var imageWidth: Int { configuration.projection }
    /// `projection_dim`
    public var textWidth: Int { configuration.projection }
    /// All is in `content`.
    public var pictureSettings: String { "" }
    /// `max_position_embeddings`, special tokens included.
    public var longestPrompt: Int? { configuration.text.maximumLength }

    /// `image_embeds` of transformers: the class token's last hidden state, normed, projected, of unit length.
    public func embed(_ picture: RGBImage) -> Matrix<Float> {
        let pixels = imageProcessor.process(picture)
        let patches = network.image.patches(
            of: pixels, height: imageProcessor.height, width: imageProcessor.width)
        return network.images(patches, count: 1).0.unitRows()
    }

    /// With the special tokens around them.
    ///
    /// - Throws: `MISPError` where a token has no embedding, or none can stand for the text
    public func tokens(of prompt: String) throws(MISPError) -> [Int32] {
        let tokens = tokenizer.encode(prompt, addSpecialTokens: true)
        if let alien = tokens.first(where: { !(0..<configuration.text.vocabulary).contains(Int($0)) }) {
            throw MISPError(
                "the tokenizer gives id \(alien), but the model has \(configuration.text.vocabulary) embeddings",
                at: "tokenizer.json")
        }
        guard configuration.text.pooling.place(in: tokens) != nil else {
            throw MISPError(
                "the tokenizer adds no end-of-text token, which stands for the text", at: "tokenizer.json",
                remedy: "give CLIP's own tokenizer.json, and eos_token_id in text_config as there")
        }
        return tokens
    }

    /// The first tokens and the closing one, as transformers cuts.
    public func cut(_ tokens: [Int32]) -> [Int32] {
        Array(tokens.prefix(configuration.text.maximumLength - 1)) + tokens.suffix(1)
    }

    /// `text_embeds` of transformers.
    public func embed(tokens: [Int32]) -> Matrix<Float> {
        network.texts([(tokens, configuration.text.pooling.place(in: tokens) ?? 0)]).0.unitRows()
    }
}
