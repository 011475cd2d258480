/// The classes of a Unicode scalar that patterns ask for, one bit each.
///
/// The parts of the `tokenizers` library (0.23.3) rest on different versions of Unicode, and ids are to be the same for
/// every scalar: patterns (Oniguruma) on 16, digits (Rust) on 17, punctuation on 8, accents and normal forms on 9.
/// Scalars younger than that count as unassigned.
struct ScalarClass: OptionSet, Sendable {
    let rawValue: UInt64

    static let letter = ScalarClass(categories: [
        .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
    ])
    static let number = ScalarClass(categories: [.decimalNumber, .letterNumber, .otherNumber])
    static let decimal = ScalarClass(categories: [.decimalNumber])
    static let mark = ScalarClass(categories: [.nonspacingMark, .spacingMark, .enclosingMark])
    static let punctuation = ScalarClass(categories: [
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation,
    ])
    static let symbol = ScalarClass(categories: [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol])
    static let separator = ScalarClass(categories: [.spaceSeparator, .lineSeparator, .paragraphSeparator])

    /// The property White_Space.
    static let whitespace = ScalarClass(rawValue: 1 << 40)
    /// `\w` of patterns: alphabetic scalars, marks, decimal digits and connectors; in Oniguruma also six numbers.
    static let word = ScalarClass(rawValue: 1 << 41)
    /// `\w` of the Rust crate regex: without those numbers, with the two joiners.
    static let rustWord = ScalarClass(rawValue: 1 << 42)
    /// Numbers as the step Digits sees them.
    static let rustNumber = ScalarClass(rawValue: 1 << 43)
    /// Punctuation as the step Punctuation sees it, symbols of ASCII included.
    static let splitPunctuation = ScalarClass(rawValue: 1 << 44)
    /// Marks as the step StripAccents sees them.
    static let accent = ScalarClass(rawValue: 1 << 45)
    /// Too young for the normal forms, which leave it alone.
    static let unnormalized = ScalarClass(rawValue: 1 << 46)

    /// `\p{L}`, `\p{Lu}`, …
    static let named: [String: ScalarClass] = [
        "L": letter, "N": number, "Nd": decimal, "M": mark, "P": punctuation, "S": symbol, "Z": separator,
        "Lu": ScalarClass(categories: [.uppercaseLetter]), "Ll": ScalarClass(categories: [.lowercaseLetter]),
        "Lt": ScalarClass(categories: [.titlecaseLetter]), "Lm": ScalarClass(categories: [.modifierLetter]),
        "Lo": ScalarClass(categories: [.otherLetter]), "Mn": ScalarClass(categories: [.nonspacingMark]),
        "Nl": ScalarClass(categories: [.letterNumber]), "No": ScalarClass(categories: [.otherNumber]),
    ]

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    private init(categories: [Unicode.GeneralCategory]) {
        rawValue = categories.reduce(0) { $0 | 1 << Self.index(of: $1) }
    }

    /// The classes of a scalar value; those of the Basic Multilingual Plane come from a table.
    init(of value: UInt32) {
        self = value < 0x10000 ? Self.basicPlane[Int(value)] : Self.computed(value)
    }

    private static let basicPlane: [ScalarClass] = (0..<0x10000).map { computed($0) }

    private static func computed(_ value: UInt32) -> ScalarClass {
        guard let scalar = Unicode.Scalar(value) else { return [] }
        let properties = scalar.properties
        let age = properties.age?.major ?? .max
        let own = ScalarClass(categories: [properties.generalCategory])
        var result: ScalarClass = age <= 16 ? own : ScalarClass(categories: [.unassigned])
        if properties.isWhitespace { result.insert(.whitespace) }
        let connectors = ScalarClass(categories: [.connectorPunctuation])
        if age <= 16, properties.isAlphabetic || !own.isDisjoint(with: [.mark, .decimal, connectors]) {
            result.formUnion([.word, .rustWord])
        }
        if [0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE].contains(value) { result.insert(.word) }
        if [0x200C, 0x200D].contains(value) { result.insert(.rustWord) }
        if age <= 17, !own.isDisjoint(with: .number) { result.insert(.rustNumber) }
        let isASCIISymbol = scalar.isASCII && !own.isDisjoint(with: .symbol)
        // U+166D and U+111C9 were punctuation before they became a symbol and a mark, U+1CF2 and U+1CF3 marks
        // before they became letters.
        let wasPunctuation = value == 0x166D || value == 0x111C9
        if age <= 8 && !own.isDisjoint(with: .punctuation) || isASCIISymbol || wasPunctuation {
            result.insert(.splitPunctuation)
        }
        let wasMark = value == 0x1CF2 || value == 0x1CF3
        if age <= 9 && !own.isDisjoint(with: .mark) && !wasPunctuation || wasMark { result.insert(.accent) }
        if age > 9 { result.insert(.unnormalized) }
        return result
    }

    private static func index(of category: Unicode.GeneralCategory) -> UInt64 {
        switch category {
        case .uppercaseLetter: 0
        case .lowercaseLetter: 1
        case .titlecaseLetter: 2
        case .modifierLetter: 3
        case .otherLetter: 4
        case .nonspacingMark: 5
        case .spacingMark: 6
        case .enclosingMark: 7
        case .decimalNumber: 8
        case .letterNumber: 9
        case .otherNumber: 10
        case .connectorPunctuation: 11
        case .dashPunctuation: 12
        case .openPunctuation: 13
        case .closePunctuation: 14
        case .initialPunctuation: 15
        case .finalPunctuation: 16
        case .otherPunctuation: 17
        case .mathSymbol: 18
        case .currencySymbol: 19
        case .modifierSymbol: 20
        case .otherSymbol: 21
        case .spaceSeparator: 22
        case .lineSeparator: 23
        case .paragraphSeparator: 24
        case .control: 25
        case .format: 26
        case .surrogate: 27
        case .privateUse: 28
        case .unassigned: 29
        @unknown default: 29
        }
    }
}

/// A set of scalars as a pattern writes it: classes, the complements of classes and single scalars or ranges.
struct ScalarSet: Sendable {
    var classes: ScalarClass = []
    /// Each stands for all scalars that are in none of its classes.
    var complements: [ScalarClass] = []
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    /// Membership of the scalars below 128.
    private var ascii: (UInt64, UInt64) = (0, 0)

    init() {}

    init(_ classes: ScalarClass, isNegated: Bool = false) {
        self.classes = classes
        self.isNegated = isNegated
        seal()
    }

    /// Computes the membership table; to be called after the last change.
    mutating func seal() {
        ascii = (0, 0)
        for value: UInt32 in 0..<64 where search(value) { ascii.0 |= 1 << value }
        for value: UInt32 in 64..<128 where search(value) { ascii.1 |= 1 << (value - 64) }
    }

    @inline(__always) func contains(_ value: UInt32) -> Bool {
        if value < 64 { return ascii.0 >> value & 1 == 1 }
        if value < 128 { return ascii.1 >> (value - 64) & 1 == 1 }
        return search(value)
    }

    private func search(_ value: UInt32) -> Bool {
        let own = ScalarClass(of: value)
        let isMember =
            !own.isDisjoint(with: classes) || ranges.contains { $0.contains(value) }
            || complements.contains { own.isDisjoint(with: $0) }
        return isMember != isNegated
    }
}
