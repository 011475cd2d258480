import Foundation

/// Which words a few pictures have in common that the rest of a collection has not (docs/mining.md, what a latent
/// means).
///
/// A word's score is the z value of a log odds ratio: with n of the pictures' texts, of which k have the word, and r
/// texts of the rest, of which m have it,
///
/// L = ln((k + ½)/(n − k + ½)) − ln((m + ½)/(r − m + ½)), s = L / √(1/(k + ½) + 1/(n − k + ½) + 1/(m +
/// ½) + 1/(r − m + ½)),
///
/// ½ being Haldane's and Anscombe's correction for counts of 0. Choice of this project, as no source says how.
public struct CommonWords: Sendable {
    /// A word that the pictures have in common.
    public struct Word: Sendable, Equatable {
        /// In lower case.
        public let text: String
        /// s
        public let score: Double
        /// k
        public let count: Int
    }

    /// A word that fewer of the pictures have is not in common.
    public static let leastCount = 2
    /// Below this, a word is no more than what chance gives.
    public static let leastScore = 2.0

    private let documents: [Int: Set<String>]
    private let totals: [String: Int]

    /// - Parameter texts: by picture, all that is said of it; pictures without a text count nowhere
    public init(_ texts: [Int: [String]]) {
        documents = texts.mapValues { Set($0.flatMap(Self.words)) }.filter { !$0.value.isEmpty }
        var totals: [String: Int] = [:]
        for words in documents.values { for word in words { totals[word, default: 0] += 1 } }
        self.totals = totals
    }

    /// Runs of letters, digits and apostrophes inside them, in lower case.
    public static func words(_ text: String) -> [String] {
        text.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "'" || $0 == "’") }
            .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "'’")) }.filter { !$0.isEmpty }
    }

    /// How many of the pictures have a text.
    public func described(_ pictures: [Int]) -> Int { pictures.count { documents[$0] != nil } }

    /// Highest score first; ties to the word whose bytes come first.
    ///
    /// - Parameter pictures: one that occurs twice counts twice among these, and is not of the rest
    public func common(_ pictures: [Int], limit: Int) -> [Word] {
        let texts = pictures.compactMap { documents[$0] }
        var counts: [String: Int] = [:]
        for words in texts { for word in words { counts[word, default: 0] += 1 } }
        var (own, different) = ([String: Int](), 0)
        for picture in Set(pictures) {
            guard let words = documents[picture] else { continue }
            different += 1
            for word in words { own[word, default: 0] += 1 }
        }
        let rest = documents.count - different
        let scored = counts.compactMap { word, count -> Word? in
            guard count >= Self.leastCount else { return nil }
            let elsewhere = (totals[word] ?? 0) - (own[word] ?? 0)
            let score = Self.score(count, of: texts.count, beside: elsewhere, of: rest)
            return score >= Self.leastScore ? Word(text: word, score: score, count: count) : nil
        }
        return Array(
            scored.sorted {
                $0.score != $1.score
                    ? $0.score > $1.score : $0.text.utf8.lexicographicallyPrecedes($1.text.utf8)
            }.prefix(limit))
    }

    /// s
    public static func score(_ count: Int, of all: Int, beside elsewhere: Int, of rest: Int) -> Double {
        let cells = [count, all - count, elsewhere, rest - elsewhere].map { Double($0) + 0.5 }
        let ratio = log(cells[0] / cells[1]) - log(cells[2] / cells[3])
        return ratio / cells.reduce(0) { $0 + 1 / $1 }.squareRoot()
    }
}
