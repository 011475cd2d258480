import Foundation

/// What turns pictures and prompts into vectors of unit length, 1 × width each, for mining to compare.
public protocol Embedder {
    /// d_v, numbers of a picture's vector.
    var imageWidth: Int { get }
    /// d_t, numbers of a prompt's vector.
    var textWidth: Int { get }
    /// What an embedding depends on besides the picture or the text.
    var content: EmbedderContent { get }
    /// How pictures are read, as far as `content` does not say: their embeddings depend on it, those of prompts do not.
    var pictureSettings: String { get }
    /// The most tokens a prompt may have; nil where any number will do.
    var longestPrompt: Int? { get }

    /// 1 × imageWidth.
    ///
    /// - Throws: `MISPError` for a picture whose size the model refuses
    func embed(_ picture: RGBImage) throws(MISPError) -> Matrix<Float>
    /// The prompt's tokens, however many.
    func tokens(of prompt: String) throws(MISPError) -> [Int32]
    /// Tokens of a prompt that is too long, cut to `longestPrompt`.
    func cut(_ tokens: [Int32]) -> [Int32]
    /// 1 × textWidth.
    ///
    /// - Precondition: no more tokens than `longestPrompt`.
    func embed(tokens: [Int32]) -> Matrix<Float>
}

/// Everything of an embedder that its results depend on, to be hashed in parts that ranks may share.
public struct EmbedderContent: Sendable {
    private struct Part: Sendable {
        let tensor: StoredTensor
        let bytes: Range<Int>
    }

    /// Of the program's own way from content to embedding: another one must not find what this one has stored.
    private static let version = 1
    private static let partBytes = 32 << 20

    private let settings: Digest
    private let parts: [Part]

    /// - Parameters:
    ///   - kind: names the way from content to embedding
    ///   - folder: whose configuration, preprocessing and tokenizer count
    ///   - tensors: those that take part
    public init(_ kind: String, folder: URL, tensors: [StoredTensor]) throws(MISPError) {
        var hash = SHA256()
        hash.add("misp embedder \(Self.version)")
        hash.add(kind)
        for name in ["config.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json"] {
            let file = folder.appending(path: name)
            guard FileManager.default.fileExists(atPath: file.path) else { continue }
            let content = try MappedFile(file)
            hash.add(name)
            hash.add(SHA256.digest(UnsafeRawBufferPointer(start: content.base, count: content.count)))
        }
        let sorted = tensors.sorted { $0.name < $1.name }
        for tensor in sorted { hash.add("\(tensor.name) \(tensor.format.rawValue) \(tensor.shape)") }
        settings = hash.finish()
        parts = sorted.flatMap { tensor in
            let bytes = tensor.count * tensor.format.bytes
            return stride(from: 0, to: bytes, by: Self.partBytes).map {
                Part(tensor: tensor, bytes: $0..<min($0 + Self.partBytes, bytes))
            }
        }
    }

    /// How many parts there are to hash.
    public var partCount: Int { parts.count }

    /// The same for the same piece of the same tensor, whatever others take part.
    public func name(ofPart index: Int) -> String {
        "\(parts[index].tensor.file.path): \(parts[index].tensor.name) from \(parts[index].bytes.lowerBound)"
    }

    /// Hashes one part, at most 32 MiB of the mapped file.
    public func digest(ofPart index: Int) -> Digest {
        let part = parts[index]
        return SHA256.digest(
            UnsafeRawBufferPointer(start: part.tensor.base + part.bytes.lowerBound, count: part.bytes.count))
    }

    /// The embedder's identity, from the digests of all parts in order.
    public func identity(_ digests: [Digest]) -> Digest {
        var hash = SHA256()
        hash.add(settings)
        for digest in digests { hash.add(digest) }
        return hash.finish()
    }
}

extension Matrix<Float> {
    /// Each row divided by its length; a row of zeros stays.
    public func unitRows() -> Matrix<Float> {
        let result = copied()
        for r in 0..<rows {
            let length = Vector.sumOfSquares(result.row(r), count: columns).squareRoot()
            if length > 0 { Vector.scale(result.row(r), by: Float(1 / length), count: columns) }
        }
        return result
    }
}
