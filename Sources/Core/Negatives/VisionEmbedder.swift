import Foundation

/// A LLaVA model's own parts as an embedder, where there is no CLIP: a picture is the mean of its image features as the
/// vision tower gives them to the projector (`vision_feature_layer`, `vision_feature_select_strategy`), a prompt the
/// mean of its tokens' embeddings. Both are then divided by their lengths; they are vectors of two different spaces.
public struct VisionEmbedder<A: VectorArithmetic>: Embedder {
    /// The vision tower and the token embeddings take part.
    public let content: EmbedderContent
    private let folder: ModelFolder
    private let model: VisionLanguageModel<A>

    /// Maps the weights.
    ///
    /// - Parameters:
    ///   - pictures: what is set in place of the folder's own
    ///   - arithmetic: what embeddings are computed with
    /// - Throws: `MISPError` that names the file and the key or tensor which is missing or does not fit
    public init(
        folder url: URL, pictures: PictureSettings = PictureSettings(), as arithmetic: A.Type = Vector.self
    ) throws {
        folder = try ModelFolder(url, pictures: pictures)
        model = try folder.model(
            trainable: Trainable(language: .frozen, projector: .frozen, vision: .frozen), seed: 0, as: A.self)
        let tower = folder.configuration.names.tower
        let tensors = try TensorCatalog(folder: url).tensors.filter { name, _ in
            name.hasPrefix(tower) || name == "language_model.embed_tokens.weight"
        }
        content = try EmbedderContent("vision", folder: url, tensors: Array(tensors.values))
    }

    /// Channels of the image features.
    public var imageWidth: Int { model.encoder.featureWidth }
    /// C of the language model.
    public var textWidth: Int { model.language.embedding.columns }
    /// Limits and splitting, where the family has them.
    public var pictureSettings: String { folder.processor.settings }
    /// Any number of tokens has a mean.
    public var longestPrompt: Int? { nil }

    /// The mean of the picture's features, of unit length: 1 × imageWidth.
    public func embed(_ picture: RGBImage) throws(MISPError) -> Matrix<Float> {
        mean(of: model.encoder.features(try folder.processor.picture(picture)))
    }

    /// Without special tokens.
    ///
    /// - Throws: `MISPError` where there is no token, or one without an embedding
    public func tokens(of prompt: String) throws(MISPError) -> [Int32] {
        let tokens = folder.tokenizer.encode(prompt, addSpecialTokens: false)
        let vocabulary = model.language.embedding.rows
        if let alien = tokens.first(where: { !(0..<vocabulary).contains(Int($0)) }) {
            throw MISPError(
                "the tokenizer gives id \(alien), but the model has \(vocabulary) embeddings", at: "tokenizer.json")
        }
        guard !tokens.isEmpty else { throw MISPError("the prompt has no tokens", at: "tokenizer.json") }
        return tokens
    }

    /// The tokens as they are.
    public func cut(_ tokens: [Int32]) -> [Int32] { tokens }

    /// The mean of the tokens' embeddings, of unit length: 1 × textWidth.
    public func embed(tokens: [Int32]) -> Matrix<Float> { mean(of: model.language.embed(tokens)) }

    /// The rows' mean, of unit length.
    private func mean(of rows: Matrix<Float>) -> Matrix<Float> {
        let sum = Matrix<Float>(zeros: 1, rows.columns)
        Vector.addColumnSums(of: rows, to: sum.base)
        return sum.unitRows()
    }
}
