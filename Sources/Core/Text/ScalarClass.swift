/// The classes of a Unicode scalar that patterns ask for, one bit each: the general categories and three properties.
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
    /// Letters, marks, decimal digits and connectors: `\w`.
    static let word = ScalarClass(rawValue: 1 << 41)
    /// The punctuation of ASCII, which in Unicode is partly symbols.
    static let asciiPunctuation = ScalarClass(rawValue: 1 << 42)

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
        var result = ScalarClass(rawValue: 1 << index(of: properties.generalCategory))
        if properties.isWhitespace { result.insert(.whitespace) }
        let isWord = properties.isAlphabetic || properties.generalCategory == .connectorPunctuation
        if isWord || !result.isDisjoint(with: [.mark, .decimal]) { result.insert(.word) }
        if scalar.isASCII, !result.isDisjoint(with: [.punctuation, .symbol]) { result.insert(.asciiPunctuation) }
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

    init(_ classes: ScalarClass) {
        self.classes = classes
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
