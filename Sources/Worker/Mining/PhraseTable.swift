import Coordinator
import Core
import Foundation

/// The phrases of chosen responses, and how much less each is like a negative than like the positive (the paper's
/// figure 3): by CLIP alone, whose text and image embeddings lie in one space.
struct PhraseTable {
    /// By group, of those that the page shows.
    let pieces: [[Phrases.Piece]]
    /// Ids of groups with phrases that were cut.
    let cut: [String]
    /// How many different phrases there are.
    let different: Int
    /// By group and phrase, rows of the store.
    private let keys: [[Digest]]
    private let stage: EmbeddingStage

    /// Collective: the ranks share the embedding of phrases, each text once.
    ///
    /// - Parameters:
    ///   - groups: that the page shows
    ///   - stage: of CLIP
    init(_ groups: [MiningInput.Group], _ stage: EmbeddingStage, _ communicator: any Communicator) throws {
        self.stage = stage
        let pieces = groups.map { Phrases.pieces(of: $0.chosen) }
        let (tokens, places, cut) = try communicator.agree {
            var (tokens, places, cut) = ([[Int32]](), [[Int]](), [String]())
            var placeOf: [[Int32]: Int] = [:]
            for (group, pieces) in zip(groups, pieces) {
                places.append(
                    try pieces.filter(\.isPhrase).map { piece in
                        var own = try stage.embedder.tokens(of: piece.text)
                        if let limit = stage.embedder.longestPrompt, own.count > limit {
                            if cut.last != group.id { cut.append(group.id) }
                            own = stage.embedder.cut(own)
                        }
                        if let place = placeOf[own] { return place }
                        placeOf[own] = tokens.count
                        tokens.append(own)
                        return tokens.count - 1
                    })
            }
            return (tokens, places, cut)
        }
        let rows = try stage.prompts(tokens, "embedding phrases")
        keys = places.map { $0.map { rows[$0] } }
        (self.pieces, self.cut, different) = (pieces, cut, tokens.count)
    }

    /// Of each phrase of a group: its cosine with the positive less that with the negative.
    ///
    /// - Parameters:
    ///   - group: its place
    ///   - positive, negative: names of the pictures' rows in the store: as CLIP gives them, not centred
    func falls(_ group: Int, positive: Digest, negative: Digest) throws(MISPError) -> [Double] {
        let (right, wrong) = (try stage.row(positive), try stage.row(negative))
        var falls: [Double] = []
        for key in keys[group] {
            let phrase = try stage.row(key)
            var (own, other): (Float, Float) = (0, 0)
            Vector.rowDots(phrase, right, into: &own)
            Vector.rowDots(phrase, wrong, into: &other)
            falls.append(Double(own) - Double(other))
        }
        return falls
    }
}

/// What a page says of a response's phrases.
struct EntryPhrases {
    let pieces: [Phrases.Piece]
    /// By phrase, for a row of the gallery.
    let falls: (Int) throws -> [Double]
}

extension GalleryEntry.Picture {
    /// The phrase that falls most, the first of equals; nil where none falls.
    var fallen: (phrase: Int, fall: Double)? {
        guard let falls, let greatest = falls.max(), greatest > 0, let place = falls.firstIndex(of: greatest) else {
            return nil
        }
        return (place, greatest)
    }
}

extension GalleryEntry {
    /// Mean over pictures of the greatest fall of a phrase, 0 where none falls; nil without phrases.
    static func meanFall(_ pictures: [Picture]) -> Double? {
        let falls = pictures.filter { $0.falls?.isEmpty == false }.map { $0.fallen?.fall ?? 0 }
        return falls.isEmpty ? nil : falls.reduce(0, +) / Double(falls.count)
    }

    /// For statistics.json: the phrases, and for each negative the one that falls most.
    var phrases: JSON? {
        guard let pieces else { return nil }
        return [
            "id": .string(id), "phrases": .array(pieces.filter(\.isPhrase).map { .string($0.text) }),
            "negatives": .array(
                picks.map { picture in
                    guard let (phrase, fall) = picture.fallen else { return .null }
                    return ["phrase": .integer(phrase), "fall": .number(fall)]
                }),
        ]
    }
}

extension PhraseTable {
    /// For statistics.json.
    func json(_ entries: [GalleryEntry]) -> JSON {
        func mean(_ pictures: (GalleryEntry) -> [GalleryEntry.Picture]) -> JSON {
            GalleryEntry.meanFall(entries.flatMap(pictures)).map { .number($0) } ?? .null
        }
        return [
            "different": .integer(different), "cut": .array(cut.map(JSON.string)),
            "greatest_fall": mean(\.picks), "random_greatest_fall": mean(\.random),
            "groups": .array(entries.compactMap(\.phrases)),
        ]
    }
}
