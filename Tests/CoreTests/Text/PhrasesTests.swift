import Core
import Testing

/// Responses in phrases.
struct PhrasesTests {
    private func phrases(_ text: String) -> [String] {
        Phrases.pieces(of: text).filter(\.isPhrase).map(\.text)
    }

    @Test(arguments: [
        ("A red apple on a table, and a green pear.", ["A red apple on a table", "a green pear"]),
        ("black and white", ["black", "white"]), ("A sandwich", ["A sandwich"]),
        ("An ANDROID or a tower", ["An ANDROID", "a tower"]),
        ("It costs 1,000.50, at 12:30: cheap!", ["It costs 1,000.50", "at 12:30", "cheap"]),
        ("a T-shirt (blue) — and/or don't", ["a T-shirt", "blue", "don't"]),
        ("line one\nline two\r\nline three", ["line one", "line two", "line three"]),
        ("...", []), ("", []), ("and", []), ("And so it is", ["so it is"]),
        ("ein Apfel、梨。", ["ein Apfel", "梨"]),
        ("because the band-and stays; 3 . 5", ["the band-and stays", "3", "5"]),
    ])
    func splitting(text: String, expected: [String]) {
        #expect(phrases(text) == expected)
    }

    @Test func piecesAreTheText() {
        let parts = ["a", " ", ",", "and", "B.", "1.5", "\n", "—", "é́", "but ", "  ", "'", "“x”"]
        for trial in 0..<500 {
            var random = KeyedRandom(1, "phrases", "\(trial)")
            let text = (0..<random.below(12)).map { _ in parts[random.below(parts.count)] }.joined()
            let pieces = Phrases.pieces(of: text)
            #expect(pieces.map(\.text).joined() == text)
            for piece in pieces where piece.isPhrase {
                #expect(piece.text.first?.isWhitespace == false && piece.text.last?.isWhitespace == false)
                #expect(piece.text.contains { $0.isLetter || $0.isNumber })
                #expect(!Phrases.conjunctions.contains(piece.text.lowercased()))
            }
        }
    }
}
