import Foundation

/// Text to token ids and back, as a Hugging Face tokenizer.json describes it.
///
/// The ids are those of the `tokenizers` library for models of type BPE: added tokens are cut out of the text, the
/// rest is normalised, cut into pieces, encoded piece by piece, and special tokens are put around the whole.
/// Truncation and padding of the file are ignored.
public struct Tokenizer: Sendable {
    /// Tokens of the model and added ones.
    public let vocabularySize: Int

    private let model: BytePairEncoding
    private let normalizer: TextNormalizer
    private let preTokenizer: PreTokenizer
    private let postProcessor: PostProcessor
    private let decoder: TokenDecoder
    /// Added tokens to find before normalisation, and after it.
    private let rawMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher
    private let addedTokens: TokenTable
    /// The content of every id; empty where there is none.
    private let contents: [[UInt8]]
    /// What decoding starts from for added tokens whose normalised form differs from their content.
    private let normalizedContents: [Int32: [UInt8]]
    private let specialIDs: Set<Int32>
    /// The token that tokenizer_config.json (or an older file beside it) says ends a sequence, and where it says so.
    public private(set) var endOfSequence: (id: Int32, place: JSONField)?

    package static let keys = KeyTable(
        read: ["added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"],
        harmless: ["version", "truncation", "padding"])

    /// Reads a tokenizer.json alone. Errors name the file and the key; so do parts of the format that are not
    /// supported.
    public init(contentsOf url: URL) throws(MISPError) {
        try self.init(JSONField(contentsOf: url))
    }

    /// Reads all files that make up the tokenizer of a LLaVA folder: tokenizer.json, tokenizer_config.json,
    /// special_tokens_map.json and added_tokens.json.
    public init(folder: URL) throws(MISPError) {
        let settings = try TokenizerSettings(folder: folder)
        try self.init(JSONField(contentsOf: folder.appending(path: "tokenizer.json")), settings: settings)
        if let (text, place) = settings.endOfSequence, let id = id(of: text) { endOfSequence = (id, place) }
    }

    /// - Parameter file: the root of a tokenizer.json.
    public init(_ file: JSONField) throws(MISPError) { try self.init(file, settings: nil) }

    /// - Parameter settings: what the files beside tokenizer.json add.
    init(_ file: JSONField, settings: TokenizerSettings?) throws(MISPError) {
        try Self.keys.check(file)
        let model = try BytePairEncoding(file["model"])
        let normalizer = try TextNormalizer(file["normalizer"])
        self.model = model
        self.normalizer = normalizer
        preTokenizer = try PreTokenizer(file["pre_tokenizer"])
        postProcessor = try PostProcessor(file["post_processor"])
        decoder = try TokenDecoder(file["decoder"], endSuffix: model.endSuffix)

        var list = try AddedTokenList(file["added_tokens"], vocabulary: model.vocabulary)
        try settings?.add(to: &list)
        let added = list.tokens
        var normalizedContents: [Int32: [UInt8]] = [:]
        var table = TokenTable(capacity: added.count)
        for token in added {
            let content = Array(token.content.utf8)
            content.withUnsafeBufferPointer { table.insert($0, id: token.id) }
            guard token.isNormalized else { continue }
            let normalized = normalizer.normalize(content)
            if normalized != content { normalizedContents[token.id] = normalized }
        }
        rawMatcher = AddedTokenMatcher(added.filter { !$0.isNormalized }.map { ($0, Array($0.content.utf8)) })
        normalizedMatcher = AddedTokenMatcher(
            added.filter(\.isNormalized).map { ($0, normalizedContents[$0.id] ?? Array($0.content.utf8)) })
        specialIDs = Set(added.filter { $0.isSpecial && normalizedContents[$0.id] == nil }.map(\.id))
        self.normalizedContents = normalizedContents
        addedTokens = table
        contents = Self.contents(model.vocabulary, table)
        vocabularySize = model.vocabulary.count + added.count { model.vocabulary.id(of: $0.content) == nil }
    }

    private static func contents(_ tables: TokenTable...) -> [[UInt8]] {
        var contents: [[UInt8]] = []
        for table in tables {
            table.forEach { token, id in
                while contents.count <= Int(id) { contents.append([]) }
                contents[Int(id)] = Array(token)
            }
        }
        return contents
    }

    // MARK: Vocabulary

    /// The id of a token in the vocabulary's own spelling, compared byte by byte.
    public func id(of token: String) -> Int32? {
        addedTokens.id(of: token) ?? model.vocabulary.id(of: token)
    }

    /// The vocabulary's spelling of an id.
    public func token(of id: Int32) -> String? {
        guard contents.indices.contains(Int(id)), !contents[Int(id)].isEmpty else { return nil }
        return String(decoding: contents[Int(id)], as: UTF8.self)
    }

    // MARK: Encoding

    /// - Parameter addSpecialTokens: whether the post-processor adds its own, such as `<s>`. Special tokens written out
    ///   in the text are found either way.
    public func encode(_ text: String, addSpecialTokens: Bool) -> [Int32] {
        var ids: [Int32] = []
        var workspace = BytePairEncoding.Workspace()
        var text = text
        text.withUTF8 { text in
            for part in rawMatcher.split(text) {
                if let id = part.id {
                    ids.append(id)
                } else {
                    let normalized = normalizer.normalize(Array(text[part.range]))
                    encode(normalized, startsText: part.range.lowerBound == 0, into: &ids, workspace: &workspace)
                }
            }
        }
        return postProcessor.process(ids, addSpecialTokens: addSpecialTokens)
    }

    /// Encodes normalised text between added tokens.
    private func encode(
        _ text: [UInt8], startsText: Bool, into ids: inout [Int32], workspace: inout BytePairEncoding.Workspace
    ) {
        for part in text.withUnsafeBufferPointer(normalizedMatcher.split) {
            if let id = part.id {
                ids.append(id)
                continue
            }
            var pieces = TextPieces(Array(text[part.range]), startsText: startsText && part.range.lowerBound == 0)
            preTokenizer.cut(&pieces)
            pieces.bytes.withUnsafeBufferPointer { bytes in
                for range in pieces.ranges {
                    model.encode(UnsafeBufferPointer(rebasing: bytes[range]), into: &ids, workspace: &workspace)
                }
            }
        }
    }

    // MARK: Decoding

    /// The text of the ids; ids without a token are left out, bytes that are not UTF-8 become U+FFFD.
    public func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        let tokens = ids.compactMap { id -> [UInt8]? in
            if skipSpecialTokens, specialIDs.contains(id) { return nil }
            if let normalized = normalizedContents[id] { return normalized }
            guard contents.indices.contains(Int(id)), !contents[Int(id)].isEmpty else { return nil }
            return contents[Int(id)]
        }
        return decoder.decode(tokens)
    }
}
