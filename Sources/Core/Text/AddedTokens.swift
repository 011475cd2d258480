/// A token that is found in the text as a whole, before the model sees it.
struct AddedToken: Sendable {
    let content: String
    /// What `AddedTokenList` gives it.
    fileprivate(set) var id: Int32 = 0
    /// What decoding leaves out on request.
    var isSpecial: Bool
    /// Found only where no word continues on either side.
    var isSingleWord = false
    /// Takes the white space on its left, or right, with it.
    var stripsLeft = false
    var stripsRight = false
    /// Found in the normalised text, in its own normalised form.
    var isNormalized: Bool

    /// A token without flags, as transformers makes one of a bare string.
    init(_ content: String, isSpecial: Bool) {
        self.content = content
        self.isSpecial = isSpecial
        isNormalized = !isSpecial
    }

    private static let keys = KeyTable(
        read: ["content", "single_word", "lstrip", "rstrip", "normalized", "special"], harmless: ["id", "__type"])

    /// - Parameters:
    ///   - entry: the token as an object; what it leaves out is as transformers has it
    ///   - isAlwaysSpecial: whatever the object says
    init(_ entry: JSONField, isAlwaysSpecial: Bool = false) throws(MISPError) {
        try Self.keys.check(entry)
        var isSpecial = try entry["special"].bool(default: false)
        if isAlwaysSpecial { isSpecial = true }
        self.init(try entry["content"].string(), isSpecial: isSpecial)
        isSingleWord = try entry["single_word"].bool(default: false)
        stripsLeft = try entry["lstrip"].bool(default: false)
        stripsRight = try entry["rstrip"].bool(default: false)
        isNormalized = try entry["normalized"].bool(default: isNormalized)
    }
}

/// Added tokens with their ids, which are those that the `tokenizers` library gives, whatever a file says: the
/// vocabulary's id where it has the token, else the next free one behind vocabulary and added tokens.
struct AddedTokenList: Sendable {
    private(set) var tokens: [AddedToken] = []
    private var positions: [UTF8Key: Int] = [:]
    private let vocabulary: TokenTable

    init(_ vocabulary: TokenTable) { self.vocabulary = vocabulary }

    /// The tokens of tokenizer.json's section `added_tokens`.
    init(_ section: JSONField, vocabulary: TokenTable) throws(MISPError) {
        self.init(vocabulary)
        guard section.isPresent else { return }
        for entry in try section.array() { add(try AddedToken(entry)) }
    }

    func token(_ content: String) -> AddedToken? { positions[UTF8Key(content)].map { tokens[$0] } }

    /// Adds a token, or gives the one that is there other flags; one that was special remains so.
    mutating func add(_ token: AddedToken) {
        guard !token.content.isEmpty else { return }
        var token = token
        if let position = positions[UTF8Key(token.content)] {
            token.id = tokens[position].id
            token.isSpecial = token.isSpecial || tokens[position].isSpecial
            tokens[position] = token
        } else {
            token.id = vocabulary.id(of: token.content) ?? nextID
            positions[UTF8Key(token.content)] = tokens.count
            tokens.append(token)
        }
    }

    private var nextID: Int32 {
        let last = tokens.map(\.id).max() ?? -1
        return last >= Int32(vocabulary.count) ? last + 1 : Int32(vocabulary.count)
    }
}

/// Finds added tokens in a text: the leftmost match, the longest of those, then on from its end.
struct AddedTokenMatcher: Sendable {
    /// A part of the text; `id` is nil for text between added tokens.
    struct Part {
        let range: Range<Int>
        let id: Int32?
    }

    private let tokens: [AddedToken]
    /// Nodes of a trie over bytes. Node 0 is the root.
    private var children: [[(byte: UInt8, node: Int)]] = [[]]
    /// The index in `tokens` of the token that ends at a node.
    private var ends: [Int?] = [nil]
    private var isFirstByte = Array(repeating: false, count: 256)

    /// - Parameter tokens: each with the bytes to look for.
    init(_ tokens: [(token: AddedToken, bytes: [UInt8])]) {
        self.tokens = tokens.map(\.token)
        for (index, entry) in tokens.enumerated() {
            guard let first = entry.bytes.first else { continue }
            isFirstByte[Int(first)] = true
            var node = 0
            for byte in entry.bytes {
                if let child = child(of: node, byte) {
                    node = child
                } else {
                    children[node].append((byte, children.count))
                    node = children.count
                    children.append([])
                    ends.append(nil)
                }
            }
            ends[node] = index
        }
    }

    /// The parts of the text in order, none of them empty.
    func split(_ text: UnsafeBufferPointer<UInt8>) -> [Part] {
        var parts: [Part] = []
        var done = 0
        var position = 0
        while !tokens.isEmpty, position < text.count {
            guard isFirstByte[Int(text[position])], let match = longestMatch(at: position, in: text) else {
                position += 1
                continue
            }
            let token = tokens[match.token]
            let found = position..<match.end
            position = match.end
            if token.isSingleWord, Self.touchesWord(found, in: text) { continue }
            let start =
                token.stripsLeft ? max(done, Self.spaceStart(before: found.lowerBound, in: text)) : found.lowerBound
            let end = token.stripsRight ? Self.spaceEnd(after: found.upperBound, in: text) : found.upperBound
            if done < start { parts.append(Part(range: done..<start, id: nil)) }
            parts.append(Part(range: start..<end, id: token.id))
            done = end
        }
        if done < text.count { parts.append(Part(range: done..<text.count, id: nil)) }
        return parts
    }

    private func longestMatch(at start: Int, in text: UnsafeBufferPointer<UInt8>) -> (token: Int, end: Int)? {
        var longest: (token: Int, end: Int)?
        var node = 0
        var position = start
        while position < text.count, let next = child(of: node, text[position]) {
            node = next
            position += 1
            if let token = ends[node] { longest = (token, position) }
        }
        return longest
    }

    private func child(of node: Int, _ byte: UInt8) -> Int? {
        children[node].first { $0.byte == byte }?.node
    }

    private static func touchesWord(_ range: Range<Int>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        func isWord(_ start: Int) -> Bool {
            ScalarClass(of: text.scalar(at: start).value).contains(.rustWord)
        }
        return range.lowerBound > 0 && isWord(text.start(before: range.lowerBound))
            || range.upperBound < text.count && isWord(range.upperBound)
    }

    private static func spaceStart(before position: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var position = position
        while position > 0 {
            let start = text.start(before: position)
            guard ScalarClass(of: text.scalar(at: start).value).contains(.whitespace) else { break }
            position = start
        }
        return position
    }

    private static func spaceEnd(after position: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var position = position
        while position < text.count {
            let (value, end) = text.scalar(at: position)
            guard ScalarClass(of: value).contains(.whitespace) else { break }
            position = end
        }
        return position
    }
}
