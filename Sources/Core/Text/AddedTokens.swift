/// A token of the section `added_tokens`: found in the text as a whole, before the model sees it.
struct AddedToken: Sendable {
    let content: String
    let id: Int32
    /// What decoding leaves out on request.
    let isSpecial: Bool
    /// Found only where no word continues on either side.
    let isSingleWord: Bool
    /// Takes the white space on its left, or right, with it.
    let stripsLeft: Bool
    let stripsRight: Bool
    /// Found in the normalised text, in its own normalised form.
    let isNormalized: Bool
}

extension AddedToken {
    /// The tokens of the section `added_tokens`.
    ///
    /// Their ids are those the `tokenizers` library gives, which does not rely on the ids in the file: the
    /// vocabulary's id where it has the token, else the next free one behind the vocabulary.
    static func read(_ field: JSONField, vocabulary: TokenTable) throws(MISPError) -> [AddedToken] {
        guard field.isPresent else { return [] }
        var tokens: [AddedToken] = []
        var positions: [UTF8Key: Int] = [:]
        var nextID = Int32(vocabulary.count)
        for entry in try field.array() {
            let content = try entry["content"].string()
            if content.isEmpty { continue }
            let position = positions[UTF8Key(content)]
            let knownID = position.map { tokens[$0].id } ?? vocabulary.id(of: content)
            let token = AddedToken(
                content: content, id: knownID ?? nextID,
                isSpecial: try entry["special"].bool(),
                isSingleWord: try entry["single_word"].bool(default: false),
                stripsLeft: try entry["lstrip"].bool(default: false),
                stripsRight: try entry["rstrip"].bool(default: false),
                isNormalized: try entry["normalized"].bool(default: true))
            if knownID == nil { nextID += 1 }
            if let position {
                tokens[position] = token
            } else {
                positions[UTF8Key(content)] = tokens.count
                tokens.append(token)
            }
        }
        return tokens
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
