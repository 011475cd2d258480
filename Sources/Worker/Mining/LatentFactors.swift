import Core
import Foundation

/// What the latents that decide most negatives stand for: the pairs of pictures that activate them most, and the words
/// that what is said of these pictures has in common (docs/mining.md).
package struct LatentFactors {
    package struct Factor {
        package let index: Int
        /// Of all negatives, and of all random draws, those that it decides.
        package let decided, randomDecided: Int
        /// Strongest first.
        package let pairs: [StrongestPairs.Pair]
        /// What the pairs' positives have in common, and what their negatives have.
        package let positiveWords, negativeWords: [CommonWords.Word]
        /// Pairs whose positive, and whose negative, something is said of.
        package let describedPositives, describedNegatives: Int

        /// `apple red → pear`; nil where neither side has words in common.
        package var name: String? {
            let sides = [positiveWords, negativeWords].map { $0.prefix(2).map(\.text).joined(separator: " ") }
            switch (sides[0].isEmpty, sides[1].isEmpty) {
            case (true, true): return nil
            case (false, true): return sides[0]
            default: return sides[0].isEmpty ? "→ \(sides[1])" : "\(sides[0]) → \(sides[1])"
            }
        }
    }

    /// Latents on the page at the most.
    package static let limit = 24
    private static let words = 8

    /// Those that decide most negatives first; ties to the lower index. Latents that decide none are left out.
    package let factors: [Factor]
    /// How many latents decide a negative at all, and how many there are.
    package let deciding, latents: Int
    /// All negatives, and all random draws.
    package let negatives, random: Int

    /// - Parameters:
    ///   - deciding, randomDeciding: the latent that decides each negative, and each random draw, of all prompts
    ///   - positives, gallery: by picture all that is said of it: of the groups' positives, and of pictures that can be
    ///     negatives. Each side's words are scored against the rest of its own kind, as positives have prompts and
    ///     others perhaps captions alone.
    package init(
        _ pairs: StrongestPairs, deciding: [Int], randomDeciding: [Int], positives: [Int: [String]],
        gallery: [Int: [String]]
    ) {
        (latents, negatives, random) = (pairs.lists.count, deciding.count, randomDeciding.count)
        func counts(_ indices: [Int]) -> [Int] {
            indices.reduce(into: [Int](repeating: 0, count: pairs.lists.count)) { $0[$1] += 1 }
        }
        let (own, chance) = (counts(deciding), counts(randomDeciding))
        let order = own.indices.filter { own[$0] > 0 }.sorted { (own[$1], $0) < (own[$0], $1) }
        self.deciding = order.count
        let words = (positives: CommonWords(positives), negatives: CommonWords(gallery))
        factors = order.prefix(Self.limit).map { latent in
            let list = pairs.lists[latent]
            let (positives, negatives) = (list.map(\.positive), list.map(\.negative))
            return Factor(
                index: latent, decided: own[latent], randomDecided: chance[latent], pairs: list,
                positiveWords: words.positives.common(positives, limit: Self.words),
                negativeWords: words.negatives.common(negatives, limit: Self.words),
                describedPositives: words.positives.described(positives),
                describedNegatives: words.negatives.described(negatives))
        }
    }

    /// By latent, for other pages.
    package var names: [Int: String] {
        factors.reduce(into: [:]) { names, factor in names[factor.index] = factor.name }
    }

    /// For statistics.json.
    package var json: JSON {
        func words(_ words: [CommonWords.Word]) -> JSON { .array(words.map { .string($0.text) }) }
        return .array(
            factors.map { factor in
                [
                    "latent": .integer(factor.index), "decided": .integer(factor.decided),
                    "random_decided": .integer(factor.randomDecided),
                    "greatest": .number(Double(factor.pairs.first?.value ?? 0)),
                    "positive_words": words(factor.positiveWords), "negative_words": words(factor.negativeWords),
                ]
            })
    }
}

extension LatentFactors {
    /// Of a mining: what is said of a picture is the prompts and chosen responses of the groups that it is the positive
    /// of, and its caption in the gallery's list.
    init(
        _ mined: NegativeMiner.Result, _ groups: [MiningInput.Group], _ captions: [String: [String]],
        _ pictures: PictureTable
    ) {
        var texts: [Int: [String]] = [:]
        for group in groups {
            if let row = pictures.row(of: group.image) { texts[row, default: []] += [group.prompt, group.chosen] }
        }
        let positives = Set(texts.keys)
        for (path, caption) in captions {
            if let row = pictures.row(of: path) { texts[row, default: []] += caption }
        }
        self.init(
            mined.pairs, deciding: mined.groups.flatMap(\.deciding),
            randomDeciding: mined.groups.flatMap(\.randomDeciding),
            positives: texts.filter { positives.contains($0.key) },
            gallery: texts.filter { pictures.isInGallery($0.key) })
    }
}
