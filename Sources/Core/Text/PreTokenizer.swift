/// A text cut into pieces, none of them empty.
struct TextPieces {
    var bytes: [UInt8]
    /// In order, but not always without gaps.
    var ranges: [Range<Int>]
    /// Whether the first piece begins where the whole text, of which this may be a part, begins.
    var startsText: Bool

    init(_ bytes: [UInt8], startsText: Bool) {
        self.bytes = bytes
        self.startsText = startsText
        ranges = bytes.isEmpty ? [] : [0..<bytes.count]
    }
}

/// The section `pre_tokenizer` of tokenizer.json: cuts text into the pieces that the model encodes one by one.
struct PreTokenizer: Sendable {
    private enum Step {
        case split(SplitPattern, SplitBehavior, isInverted: Bool)
        case prependSpace
        case spellBytes
        case metaspace(Metaspace)
    }

    private var steps: [Step] = []

    /// The pattern of GPT-2, which the step ByteLevel has built in.
    private static let bytePattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    init(_ field: JSONField) throws(MISPError) {
        if field.isPresent { try append(field) }
    }

    private mutating func append(_ field: JSONField) throws(MISPError) {
        let type = try field["type"].string()
        switch type {
        case "Sequence":
            try field.checkKeys("pretokenizers")
            for step in try field["pretokenizers"].array() { try append(step) }
        case "ByteLevel":
            try field.checkKeys("add_prefix_space", "use_regex", "trim_offsets")
            if try field["add_prefix_space"].bool() { steps.append(.prependSpace) }
            if try field["use_regex"].bool(default: true) {
                let pattern = try SplitPattern(Self.bytePattern, at: field)
                steps.append(.split(pattern, .isolated, isInverted: false))
            }
            steps.append(.spellBytes)
        case "Split":
            try field.checkKeys("pattern", "invert", "behavior")
            let pattern = try SplitPattern(field: field["pattern"])
            let isInverted = try field["invert"].bool(default: false)
            steps.append(.split(pattern, try SplitBehavior(field["behavior"]), isInverted: isInverted))
        case "Digits":
            try field.checkKeys("individual_digits")
            let individual = try field["individual_digits"].bool()
            steps.append(.split(SplitPattern(.rustNumber), individual ? .isolated : .contiguous, isInverted: false))
        case "Punctuation":
            try field.checkKeys("behavior")
            let behavior = field["behavior"].isPresent ? try SplitBehavior(field["behavior"]) : .isolated
            steps.append(.split(SplitPattern(.splitPunctuation), behavior, isInverted: false))
        case "Whitespace":
            try field.checkKeys()
            steps.append(.split(SplitPattern(runsOf: .rustWord, otherThan: .whitespace), .removed, isInverted: true))
        case "WhitespaceSplit":
            try field.checkKeys()
            steps.append(.split(SplitPattern(.whitespace), .removed, isInverted: false))
        case "Metaspace":
            steps.append(.metaspace(try Metaspace(field)))
        default:
            throw field["type"].failure("pre-tokenizer \(type) is not supported")
        }
    }

    func cut(_ pieces: inout TextPieces) {
        for step in steps {
            switch step {
            case .split(let pattern, let behavior, let isInverted):
                pieces.split(by: pattern, behavior, isInverted: isInverted)
            case .prependSpace:
                pieces.rewrite { piece, _, result in
                    if piece.first != UInt8(ascii: " ") { result.append(UInt8(ascii: " ")) }
                    result.append(contentsOf: piece)
                }
            case .spellBytes:
                pieces.rewrite { piece, _, result in
                    for byte in piece { result.append(contentsOf: ByteAlphabet.spellings[Int(byte)]) }
                }
            case .metaspace(let metaspace):
                metaspace.cut(&pieces)
            }
        }
    }
}

/// Spaces become a visible scalar, usually U+2581, which also is put before the text.
struct Metaspace: Sendable {
    enum PrependScheme: String { case always, first, never }

    let replacement: String
    let scheme: PrependScheme
    let splits: Bool

    init(_ field: JSONField) throws(MISPError) {
        try field.checkKeys("replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep")
        replacement = try field["replacement"].string()
        let name = try field["prepend_scheme"].string(default: "always")
        guard let scheme = PrependScheme(rawValue: name) else {
            throw field["prepend_scheme"].failure("\(name) is none of always, first, never")
        }
        guard replacement.unicodeScalars.count == 1 else {
            throw field["replacement"].failure("is not a single character")
        }
        // Older files say add_prefix_space, where they mean always or never.
        self.scheme = try field["add_prefix_space"].bool(default: true) ? scheme : .never
        splits = try field["split"].bool(default: true)
    }

    fileprivate func cut(_ pieces: inout TextPieces) {
        let mark = Array(replacement.utf8)
        pieces.rewrite { piece, isFirst, result in
            let isMarked = piece.first == UInt8(ascii: " ") || piece.starts(with: mark)
            if !isMarked, scheme == .always || scheme == .first && isFirst { result.append(contentsOf: mark) }
            for byte in piece {
                if byte == UInt8(ascii: " ") { result.append(contentsOf: mark) } else { result.append(byte) }
            }
        }
        if splits { pieces.split(by: SplitPattern(literal: replacement), .mergedWithNext, isInverted: false) }
    }
}
