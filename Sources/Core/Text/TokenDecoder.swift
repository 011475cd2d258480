/// The section `decoder` of tokenizer.json: from tokens back to text.
struct TokenDecoder: Sendable {
    fileprivate enum Step {
        case byteLevel
        case closeWords([UInt8])
        case replace(SplitPattern, [UInt8])
        case byteFallback
        case fuse
        case strip(scalar: UInt32, left: Int, right: Int)
        case metaspace(Metaspace)
        case endSuffix([UInt8])
    }

    private var steps: [Step] = []
    /// Without a decoder tokens are joined by spaces.
    private let joinsWithSpaces: Bool

    /// - Parameter endSuffix: the model's end_of_word_suffix. After ByteLevel it becomes a space, as the CLIP tokenizer
    ///   of `transformers` does, which the file itself does not say.
    init(_ field: JSONField, endSuffix: [UInt8]) throws(MISPError) {
        joinsWithSpaces = !field.isPresent
        if field.isPresent { try append(field) }
        if case .byteLevel = steps.last, !endSuffix.isEmpty { steps.append(.closeWords(endSuffix)) }
    }

    private mutating func append(_ field: JSONField) throws(MISPError) {
        let type = try field["type"].string()
        let keys = [
            "Sequence": ["decoders"], "ByteLevel": ["add_prefix_space", "trim_offsets", "use_regex"],
            "Metaspace": ["replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"],
            "BPEDecoder": ["suffix"], "Replace": ["pattern", "content"], "Strip": ["content", "start", "stop"],
        ]
        try field.checkKeys(keys[type] ?? [])
        switch type {
        case "Sequence":
            for decoder in try field["decoders"].array() { try append(decoder) }
        case "ByteLevel": steps.append(.byteLevel)
        case "ByteFallback": steps.append(.byteFallback)
        case "Fuse": steps.append(.fuse)
        case "Metaspace": steps.append(.metaspace(try Metaspace(field)))
        case "BPEDecoder":
            let suffix = try field["suffix"].string(default: "</w>")
            if suffix.isEmpty { throw field["suffix"].failure("is empty") }
            steps.append(.endSuffix(Array(suffix.utf8)))
        case "Replace":
            let content = Array(try field["content"].string().utf8)
            steps.append(.replace(try SplitPattern(field: field["pattern"]), content))
        case "Strip":
            let content = try field["content"].string().unicodeScalars
            guard let scalar = content.first, content.count == 1 else {
                throw field["content"].failure("is not a single character")
            }
            let counts = (try field["start"].int(), try field["stop"].int())
            steps.append(.strip(scalar: scalar.value, left: counts.0, right: counts.1))
        default:
            throw field["type"].failure("decoder \(type) is not supported")
        }
    }

    func decode(_ tokens: [[UInt8]]) -> String {
        let tokens = steps.reduce(tokens) { $1.apply(to: $0) }
        let separator: [UInt8] = joinsWithSpaces ? [UInt8(ascii: " ")] : []
        return String(decoding: Array(tokens.joined(separator: separator)), as: UTF8.self)
    }
}

extension TokenDecoder.Step {
    private static let replacement = Array("\u{FFFD}".utf8)

    /// What Python's `str.strip` takes off: white space and four separators of ASCII.
    private static let pythonSpace = {
        var set = ScalarSet()
        set.classes = .whitespace
        set.ranges = [0x1C...0x1F]
        set.seal()
        return set
    }()

    fileprivate func apply(to tokens: [[UInt8]]) -> [[UInt8]] {
        switch self {
        case .byteLevel:
            let bytes: [UInt8] = tokens.flatMap(Self.unspell)
            return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
        case .closeWords(let suffix):
            let pattern = SplitPattern(literal: String(decoding: suffix, as: UTF8.self))
            let text = pattern.replace(in: Array(tokens.joined()), with: [UInt8(ascii: " ")])
            return [text.withUnsafeBufferPointer { Array($0[$0.bounds(without: Self.pythonSpace)]) }]
        case .replace(let pattern, let content):
            return tokens.map { pattern.replace(in: $0, with: content) }
        case .byteFallback:
            return Self.joinBytes(tokens)
        case .fuse:
            return [Array(tokens.joined())]
        case .strip(let scalar, let left, let right):
            return tokens.map { Self.strip($0, of: scalar, left: left, right: right) }
        case .metaspace(let metaspace):
            let pattern = SplitPattern(literal: metaspace.replacement)
            return tokens.enumerated().map { index, token in
                let isDropped = index == 0 && metaspace.scheme != .never
                return pattern.replace(in: token, with: isDropped ? [] : [UInt8(ascii: " ")])
            }
        case .endSuffix(let suffix):
            let pattern = SplitPattern(literal: String(decoding: suffix, as: UTF8.self))
            return tokens.enumerated().map { index, token in
                pattern.replace(in: token, with: index == tokens.count - 1 ? [] : [UInt8(ascii: " ")])
            }
        }
    }

    /// The bytes that a token spells; the token itself when a scalar of it spells none.
    private static func unspell(_ token: [UInt8]) -> [UInt8] {
        token.withUnsafeBufferPointer { token in
            var bytes: [UInt8] = []
            var position = 0
            while position < token.count {
                let (value, end) = token.scalar(at: position)
                guard value < 0x144, let byte = UInt8(exactly: ByteAlphabet.bytes[Int(value)]) else {
                    return Array(token)
                }
                bytes.append(byte)
                position = end
            }
            return bytes
        }
    }

    /// Runs of tokens such as `<0xE2>` become text, or one replacement character each when they are not UTF-8.
    private static func joinBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var pending: [UInt8] = []
        func flush() {
            if pending.isEmpty { return }
            if String(validating: pending, as: UTF8.self) != nil {
                result.append(pending)
            } else {
                result.append(contentsOf: pending.map { _ in replacement })
            }
            pending.removeAll()
        }
        for token in tokens {
            if token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">"),
                let byte = UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
            {
                pending.append(byte)
            } else {
                flush()
                result.append(token)
            }
        }
        flush()
        return result
    }

    private static func strip(_ token: [UInt8], of scalar: UInt32, left: Int, right: Int) -> [UInt8] {
        var content: [UInt8] = []
        content.append(scalar: scalar)
        var token = token[...]
        for _ in 0..<max(left, 0) where token.starts(with: content) { token.removeFirst(content.count) }
        for _ in 0..<max(right, 0) where token.suffix(content.count) == content[...] {
            token.removeLast(content.count)
        }
        return Array(token)
    }
}
