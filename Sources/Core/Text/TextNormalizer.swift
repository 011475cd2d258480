import Foundation

/// The section `normalizer` of tokenizer.json: what is done to text before it is cut into pieces.
struct TextNormalizer: Sendable {
    fileprivate enum Step {
        case form(@Sendable (String) -> String, isComposed: Bool)
        case lowercase
        case stripAccents
        case strip(left: Bool, right: Bool)
        case prepend([UInt8])
        case replace(SplitPattern, [UInt8])
    }

    private var steps: [Step] = []
    /// How many times longer all steps together may make a text.
    private var growth = 1.0
    private static let maximumGrowth = 1e6

    init(_ field: JSONField) throws(MISPError) {
        if field.isPresent { try append(field) }
    }

    private mutating func append(_ field: JSONField) throws(MISPError) {
        let type = try field["type"].string()
        let keys = [
            "Sequence": ["normalizers"], "Strip": ["strip_left", "strip_right"], "Prepend": ["prepend"],
            "Replace": ["pattern", "content"],
        ]
        try field.checkKeys(keys[type] ?? [])
        switch type {
        case "Sequence":
            for step in try field["normalizers"].array() { try append(step) }
        case "NFC": steps.append(.form({ $0.precomposedStringWithCanonicalMapping }, isComposed: true))
        case "NFD": steps.append(.form({ $0.decomposedStringWithCanonicalMapping }, isComposed: false))
        case "NFKC": steps.append(.form({ $0.precomposedStringWithCompatibilityMapping }, isComposed: false))
        case "NFKD": steps.append(.form({ $0.decomposedStringWithCompatibilityMapping }, isComposed: false))
        case "Lowercase": steps.append(.lowercase)
        case "StripAccents": steps.append(.stripAccents)
        case "Strip":
            steps.append(.strip(left: try field["strip_left"].bool(), right: try field["strip_right"].bool()))
        case "Prepend":
            steps.append(.prepend(Array(try field["prepend"].string().utf8)))
        case "Replace":
            let content = Array(try field["content"].string().utf8)
            growth *= Double(max(content.count, 1))
            guard growth <= Self.maximumGrowth else {
                throw field["content"].failure("with the steps before it, makes a text a million times longer")
            }
            steps.append(.replace(try SplitPattern(field: field["pattern"]), content))
        default:
            throw field["type"].failure("normalizer \(type) is not supported")
        }
    }

    func normalize(_ text: [UInt8]) -> [UInt8] {
        steps.reduce(text) { $1.apply(to: $0) }
    }
}

extension TextNormalizer.Step {
    /// A normal form; scalars too young for it stay, and nothing composes or reorders across them.
    private static func transform(
        _ text: UnsafeBufferPointer<UInt8>, with form: (String) -> String
    ) -> [UInt8] {
        var result: [UInt8] = []
        var done = 0
        var position = 0
        func flush(to end: Int) {
            guard done < end else { return }
            result.append(contentsOf: form(String(decoding: text[done..<end], as: UTF8.self)).utf8)
        }
        while position < text.count {
            let (value, end) = text.scalar(at: position)
            if ScalarClass(of: value).contains(.unnormalized) {
                flush(to: position)
                result.append(contentsOf: text[position..<end])
                done = end
            }
            position = end
        }
        flush(to: text.count)
        return result
    }

    fileprivate func apply(to text: [UInt8]) -> [UInt8] {
        switch self {
        case .form(let transform, let isComposed):
            // All scalars below U+0300 are in form C, those of ASCII in every form.
            if text.allSatisfy({ $0 < (isComposed ? 0xCC : 0x80) }) { return text }
            return text.withUnsafeBufferPointer { Self.transform($0, with: transform) }
        case .lowercase:
            return String(decoding: text, as: UTF8.self).unicodeScalars.reduce(into: []) { result, scalar in
                if scalar.isASCII {
                    result.append(UInt8(scalar.value) + (("A"..."Z").contains(scalar) ? 32 : 0))
                } else {
                    result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
                }
            }
        case .stripAccents:
            return text.withUnsafeBufferPointer { text in
                var result: [UInt8] = []
                var position = 0
                while position < text.count {
                    let (value, end) = text.scalar(at: position)
                    if ScalarClass(of: value).isDisjoint(with: .accent) {
                        result.append(contentsOf: text[position..<end])
                    }
                    position = end
                }
                return result
            }
        case .strip(let left, let right):
            return text.withUnsafeBufferPointer {
                Array($0[$0.bounds(without: ScalarSet(.whitespace), left: left, right: right)])
            }
        case .prepend(let prefix):
            return text.isEmpty ? text : prefix + text
        case .replace(let pattern, let content):
            return pattern.replace(in: text, with: content)
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// What is left without the scalars of a set at the ends that are named.
    func bounds(without set: ScalarSet, left: Bool = true, right: Bool = true) -> Range<Int> {
        var start = 0
        var end = count
        while left, start < end {
            let (value, next) = scalar(at: start)
            guard set.contains(value) else { break }
            start = next
        }
        while right, start < end {
            let last = self.start(before: end)
            guard set.contains(scalar(at: last).value) else { break }
            end = last
        }
        return start..<end
    }
}

extension SplitPattern {
    /// `{"String": "…"}` or `{"Regex": "…"}`.
    init(field: JSONField) throws(MISPError) {
        if field["String"].isPresent {
            let literal = try field["String"].string()
            if literal.isEmpty { throw field["String"].failure("is empty") }
            self.init(literal: literal)
        } else {
            try self.init(try field["Regex"].string(), at: field["Regex"])
        }
    }

    /// The text with every match replaced.
    func replace(in text: [UInt8], with content: [UInt8]) -> [UInt8] {
        text.withUnsafeBufferPointer { text in
            var result: [UInt8] = []
            var done = 0
            matches(in: text) { match in
                result.append(contentsOf: text[done..<match.lowerBound])
                result.append(contentsOf: content)
                done = match.upperBound
            }
            result.append(contentsOf: text[done...])
            return result
        }
    }
}
