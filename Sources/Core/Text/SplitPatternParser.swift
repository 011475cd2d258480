/// Reads the regular expressions that `SplitPattern` knows.
struct SplitPatternParser {
    private let pattern: [Unicode.Scalar]
    private let place: JSONField
    private var position = 0
    private var ignoresCase = false

    /// Groups may nest this deep.
    private static let maximumDepth = 32
    /// Scalars of a pattern. Those of known tokenizers have some hundreds.
    private static let maximumLength = 10_000
    /// Repetitions one after the other, each of which may give back what it took: time grows with the text's length to
    /// this power. Those of known tokenizers have two.
    private static let maximumRepetitions = 3

    init(_ pattern: String, place: JSONField) {
        self.pattern = Array(pattern.unicodeScalars)
        self.place = place
    }

    mutating func parse() throws(MISPError) -> SplitPattern.Node {
        guard pattern.count <= Self.maximumLength else { throw unsupported("a pattern of \(pattern.count) characters") }
        let node = try parseAlternatives(depth: 0)
        guard Self.repetitions(of: node) <= Self.maximumRepetitions else {
            throw unsupported("more than \(Self.maximumRepetitions) repetitions in a row")
        }
        guard position == pattern.count else { throw unsupported("an unmatched ')'") }
        if Self.matchesEmpty(node) { throw unsupported("a pattern that matches the empty text") }
        return node
    }

    /// The most long repetitions that a match goes through.
    private static func repetitions(of node: SplitPattern.Node) -> Int {
        switch node {
        case .run(_, let minimum, let maximum, let isPossessive):
            !isPossessive && maximum > 16 && maximum > minimum ? 1 : 0
        case .lookAhead: 0
        case .sequence(let nodes): nodes.reduce(0) { $0 + repetitions(of: $1) }
        case .alternatives(let nodes): nodes.map(repetitions).max() ?? 0
        case .optional(let node): repetitions(of: node)
        }
    }

    private mutating func parseAlternatives(depth: Int) throws(MISPError) -> SplitPattern.Node {
        if depth > Self.maximumDepth { throw unsupported("deeper nesting") }
        var alternatives = [try parseSequence(depth: depth)]
        while skip("|") { alternatives.append(try parseSequence(depth: depth)) }
        return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
    }

    private mutating func parseSequence(depth: Int) throws(MISPError) -> SplitPattern.Node {
        var nodes: [SplitPattern.Node] = []
        while let scalar = peek, scalar != "|", scalar != ")" {
            if scalar == "(" {
                nodes.append(try parseGroup(depth: depth + 1))
            } else {
                nodes.append(try parseRun())
            }
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func parseGroup(depth: Int) throws(MISPError) -> SplitPattern.Node {
        if skip("(?!") || skip("(?=") {
            let isNegative = pattern[position - 1] == "!"
            let set = try parseSet()
            guard skip(")") else { throw unsupported("look-ahead for more than one character") }
            return .lookAhead(set, isNegative: isNegative)
        }
        let outerIgnoresCase = ignoresCase
        if skip("(?i:") {
            ignoresCase = true
        } else if !skip("(?:") {
            guard skip("("), peek != "?" else { throw unsupported("this kind of group") }
        }
        let node = try parseAlternatives(depth: depth)
        guard skip(")") else { throw unsupported("an unclosed group") }
        ignoresCase = outerIgnoresCase
        if skip("?") {
            guard peek != "?", peek != "+" else { throw unsupported("this quantifier") }
            return .optional(node)
        }
        if let scalar = peek, "*+{".unicodeScalars.contains(scalar) { throw unsupported("a repeated group") }
        return node
    }

    /// A set with its quantifier.
    private mutating func parseRun() throws(MISPError) -> SplitPattern.Node {
        let set = try parseSet()
        var bounds = (1, 1)
        if skip("?") {
            bounds = (0, 1)
        } else if skip("*") {
            bounds = (0, .max)
        } else if skip("+") {
            bounds = (1, .max)
        } else if skip("{") {
            bounds = try parseBounds()
            if let scalar = peek, "?+*".unicodeScalars.contains(scalar) { throw unsupported("this quantifier") }
        }
        if bounds != (1, 1), peek == "?" { throw unsupported("a lazy quantifier") }
        let isPossessive = bounds != (1, 1) && skip("+")
        return .run(set, minimum: bounds.0, maximum: bounds.1, isPossessive: isPossessive)
    }

    private mutating func parseBounds() throws(MISPError) -> (Int, Int) {
        guard let minimum = parseInteger() else { throw unsupported("this quantifier") }
        if skip("}") { return (minimum, minimum) }
        guard skip(",") else { throw unsupported("this quantifier") }
        let maximum = parseInteger() ?? .max
        guard skip("}"), maximum >= minimum else { throw unsupported("this quantifier") }
        return (minimum, maximum)
    }

    private mutating func parseInteger() -> Int? {
        let start = position
        while let scalar = peek, ("0"..."9").contains(scalar) { position += 1 }
        return Int(String(String.UnicodeScalarView(pattern[start..<position])))
    }

    // MARK: Sets

    private mutating func parseSet() throws(MISPError) -> ScalarSet {
        var set = ScalarSet()
        guard let scalar = peek else { throw unsupported("a pattern that ends here") }
        switch scalar {
        case "[":
            position += 1
            set.isNegated = skip("^")
            repeat { try parseMember(into: &set) } while peek != "]"
            position += 1
        case "\\":
            try parseEscape(into: &set)
        case "*", "+", "?", "{", "^", "$", ".", "(", ")":
            throw unsupported("'\(scalar)' here")
        default:
            position += 1
            try insert(scalar.value...scalar.value, into: &set)
        }
        set.seal()
        return set
    }

    /// A scalar, a range or an escape inside brackets.
    private mutating func parseMember(into set: inout ScalarSet) throws(MISPError) {
        guard let scalar = peek, scalar != "]", scalar != "[", !(scalar == "&" && ahead(1) == "&") else {
            throw unsupported("this set in brackets")
        }
        if scalar == "\\", !Self.isSingle(escape: ahead(1)) { return try parseEscape(into: &set) }
        let first = try parseSingle()
        guard peek == "-", let next = ahead(1), next != "]" else { return try insert(first...first, into: &set) }
        position += 1
        guard next != "[" else { throw unsupported("this range") }
        let last = try parseSingle()
        guard first <= last else { throw unsupported("this range") }
        try insert(first...last, into: &set)
    }

    private mutating func parseEscape(into set: inout ScalarSet) throws(MISPError) {
        guard let letter = ahead(1) else { throw unsupported("a pattern that ends here") }
        switch letter {
        case "s": set.classes.insert(.whitespace)
        case "d": set.classes.insert(.decimal)
        case "w": set.classes.insert(.word)
        case "S": set.complements.append(.whitespace)
        case "D": set.complements.append(.decimal)
        case "W": set.complements.append(.word)
        case "p", "P":
            position += 2
            guard skip("{"), let close = pattern[position...].firstIndex(of: "}") else {
                throw unsupported("this class")
            }
            var name = String(String.UnicodeScalarView(pattern[position..<close]))
            let isNegated = (letter == "P") != name.hasPrefix("^")
            if name.hasPrefix("^") { name.removeFirst() }
            guard let named = ScalarClass.named[name] else { throw unsupported("the class \\p{\(name)}") }
            if isNegated { set.complements.append(named) } else { set.classes.insert(named) }
            position = close + 1
            return
        default:
            let value = try parseSingle()
            return try insert(value...value, into: &set)
        }
        position += 2
    }

    private static func isSingle(escape letter: Unicode.Scalar?) -> Bool {
        guard let letter else { return true }
        return !"sdwSDWpP".unicodeScalars.contains(letter)
    }

    /// One scalar, escaped or not.
    private mutating func parseSingle() throws(MISPError) -> UInt32 {
        guard let scalar = peek else { throw unsupported("a pattern that ends here") }
        position += 1
        guard scalar == "\\" else { return scalar.value }
        guard let escaped = peek else { throw unsupported("a pattern that ends here") }
        position += 1
        switch escaped {
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "f": return 0x0C
        case "v": return 0x0B
        case "x", "u": return try parseCode(braces: escaped == "x", digits: escaped == "x" ? 2 : 4)
        default:
            guard escaped.isASCII, !escaped.properties.isAlphabetic, !("0"..."9").contains(escaped) else {
                throw unsupported("the escape \\\(escaped)")
            }
            return escaped.value
        }
    }

    /// `\xHH`, `\x{H…}` or `\uHHHH`.
    private mutating func parseCode(braces: Bool, digits: Int) throws(MISPError) -> UInt32 {
        let isBraced = braces && skip("{")
        let end = isBraced ? pattern[position...].firstIndex(of: "}") : position + digits
        guard let end, end <= pattern.count,
            let code = UInt32(String(String.UnicodeScalarView(pattern[position..<end])), radix: 16)
        else { throw unsupported("this escape") }
        position = isBraced ? end + 1 : end
        return code
    }

    /// Under `(?i:…)` letters of ASCII stand for both cases and for the two scalars that fold to them.
    private func insert(_ range: ClosedRange<UInt32>, into set: inout ScalarSet) throws(MISPError) {
        set.ranges.append(range)
        guard ignoresCase else { return }
        guard range.count == 1, range.lowerBound < 0x80 else { throw unsupported("(?i:…) around this") }
        let lower = range.lowerBound | 0x20
        guard (0x61...0x7A).contains(lower) else { return }
        set.ranges += [lower...lower, (lower - 0x20)...(lower - 0x20)]
        if lower == 0x73 { set.ranges.append(0x17F...0x17F) }  // ſ
        if lower == 0x6B { set.ranges.append(0x212A...0x212A) }  // the Kelvin sign
    }

    // MARK: Helpers

    private static func matchesEmpty(_ node: SplitPattern.Node) -> Bool {
        switch node {
        case .run(_, let minimum, _, _): minimum == 0
        case .lookAhead, .optional: true
        case .sequence(let nodes): nodes.allSatisfy(matchesEmpty)
        case .alternatives(let nodes): nodes.contains(where: matchesEmpty)
        }
    }

    private var peek: Unicode.Scalar? { ahead(0) }

    private func ahead(_ count: Int) -> Unicode.Scalar? {
        position + count < pattern.count ? pattern[position + count] : nil
    }

    private mutating func skip(_ text: String) -> Bool {
        let expected = text.unicodeScalars
        guard pattern[position...].starts(with: expected) else { return false }
        position += expected.count
        return true
    }

    private func unsupported(_ what: String) -> MISPError {
        place.failure("\(what) is not supported in a regular expression (character \(position + 1))")
    }
}
