import Core
import Foundation
import Testing

/// Which pairs activate a latent most, which latent decides a negative, and which words pictures have in common.
struct LatentMeaningTests {
    private static let latents = 5

    /// Prompts with their positives, and codes in few steps, so that there are ties.
    private func prompts() -> [(positive: Int, scores: CandidateScores)] {
        (0..<12).map { prompt in
            var random = KeyedRandom(3, "latents", "\(prompt)")
            // Two prompts share each positive.
            let positive = prompt / 2
            let rows = (0..<20).filter { $0 != positive && random.below(4) > 0 }
            let codes = (0..<rows.count * Self.latents).map { _ in Float(random.below(9)) / 8 }
            return (
                positive,
                CandidateScores(
                    rows: rows, errors: rows.map { _ in 1 }, deviations: rows.map { _ in 1 },
                    latents: Matrix(rows.count, Self.latents, codes))
            )
        }
    }

    private func pairs(_ places: [Int], limit: Int) -> StrongestPairs {
        let prompts = prompts()
        var pairs = StrongestPairs(latents: Self.latents, limit: limit)
        for place in places { pairs.add(prompts[place].scores, prompt: place, positive: prompts[place].positive) }
        return pairs
    }

    @Test(arguments: [1, 3, 50]) func pairsAreTheStrongestOfAll(limit: Int) {
        let prompts = prompts()
        let found = pairs(Array(0..<12), limit: limit)
        for latent in 0..<Self.latents {
            var all: [StrongestPairs.Pair] = []
            for (place, prompt) in prompts.enumerated() {
                for (candidate, row) in prompt.scores.rows.enumerated() {
                    all.append(
                        .init(
                            value: prompt.scores.latents[candidate, latent], prompt: place, positive: prompt.positive,
                            negative: row))
                }
            }
            all.sort { ($1.value, $0.prompt, $0.negative) < ($0.value, $1.prompt, $1.negative) }
            var seen: Set<Int> = []
            let strongest = all.filter { seen.insert($0.positive).inserted }.prefix(limit)
            #expect(found.lists[latent] == Array(strongest), "latent \(latent)")
        }
    }

    /// However the prompts are shared out, and in whatever order the parts come.
    @Test func partsMergeIntoTheWhole() throws {
        let whole = pairs(Array(0..<12), limit: 4)
        for ranks in [2, 3, 5] {
            for order in [Array(0..<ranks), (0..<ranks).reversed()] {
                var merged = StrongestPairs(latents: Self.latents, limit: 4)
                for rank in order {
                    let part = pairs(Array(stride(from: rank, to: 12, by: ranks)), limit: 4)
                    merged.merge(try JSONDecoder().decode(StrongestPairs.self, from: JSONEncoder().encode(part)))
                }
                #expect(merged == whole, "\(ranks) parts")
            }
        }
    }

    @Test func theDecidingLatentRisesMostAboveTheMean() {
        // Latent 0 is high for all and decides nothing. Means: 0.9, 0.3, 0.3.
        let codes: [Float] = [0.9, 0.1, 0.5, 0.9, 0.7, 0.3, 0.9, 0.1, 0.1]
        let scores = CandidateScores(
            rows: [4, 5, 6], errors: [1, 1, 1], deviations: [1, 1, 1], latents: Matrix(3, 3, codes))
        #expect(scores.decidingLatents(of: [1, 0, 2]) == [1, 2, 0])
        // The same rise in two latents: the lower one.
        let even = CandidateScores(
            rows: [0, 1], errors: [1, 1], deviations: [1, 1], latents: Matrix(2, 3, [0, 0.5, 0.5, 0, 0.25, 0.25]))
        #expect(even.decidingLatents(of: [0]) == [1])
        for prompt in prompts() {
            let codes = prompt.scores.latents
            let expected = (0..<codes.rows).map { place in
                var best = (latent: 0, rise: -Double.infinity)
                for latent in 0..<Self.latents {
                    // Eighths: the sums are exact.
                    let sum = (0..<codes.rows).reduce(0.0) { $0 + Double(codes[$1, latent]) }
                    let rise = Double(codes[place, latent]) - sum / Double(codes.rows)
                    if rise > best.rise { best = (latent, rise) }
                }
                return best.latent
            }
            #expect(prompt.scores.decidingLatents(of: Array(0..<codes.rows)) == expected)
        }
    }

    /// By hand: 3 of 3 against 1 of 4 is (ln 7 + ln(3.5/1.5)) / √(1/3.5 + 1/0.5 + 1/1.5 + 1/3.5).
    @Test func wordsAgainstTheRest() {
        let score = (log(7.0) + log(3.5 / 1.5)) / (1 / 3.5 + 2 + 1 / 1.5 + 1 / 3.5).squareRoot()
        #expect(abs(score - 1.5522) < 5e-5)
        #expect(abs(CommonWords.score(3, of: 3, beside: 1, of: 4) - score) < 1e-12)
        #expect(CommonWords.score(2, of: 4, beside: 5, of: 10) == 0)
        #expect(CommonWords.score(1, of: 4, beside: 8, of: 10) < 0)
        #expect(
            CommonWords.words("Don't \"shout\": 2 RED-apples, ’n’ é!")
                == ["don't", "shout", "2", "red", "apples", "n", "é"])
    }

    @Test func commonWordsByBruteForce() {
        let vocabulary = ["a", "the", "red", "apple", "pear", "zinc", "on", "table", "cat", "dog"]
        var texts: [Int: [String]] = [:]
        for picture in 0..<60 where picture % 7 != 6 {
            var random = KeyedRandom(5, "texts", "\(picture)")
            let isApple = picture < 12
            let words = vocabulary.filter { word in
                switch word {
                case "a": true
                case "apple", "red": isApple || random.below(10) == 0
                default: random.below(3) == 0
                }
            }
            texts[picture] = [words.joined(separator: " "), "A thing."]
        }
        texts[99] = ["…"]
        let pictures = Array(0..<10) + [3]
        let found = CommonWords(texts).common(pictures, limit: 20)
        func has(_ picture: Int, _ word: String) -> Bool {
            texts[picture]?.contains { $0.lowercased().contains(word) } ?? false
        }
        // "on" is in no other word of the vocabulary, nor is any other one.
        var expected: [(String, Double, Int)] = []
        for word in vocabulary + ["thing"] where word != "a" {
            let own = pictures.filter { texts[$0] != nil }
            let rest = texts.keys.filter { $0 != 99 && !pictures.contains($0) }
            let (k, m) = (own.count { has($0, word) }, rest.count { has($0, word) })
            let score = CommonWords.score(k, of: own.count, beside: m, of: rest.count)
            if k >= 2, score >= 2 { expected.append((word, score, k)) }
        }
        expected.sort { ($1.1, $0.0) < ($0.1, $1.0) }
        #expect(found.map(\.text) == expected.map(\.0))
        #expect(found.map(\.count) == expected.map(\.2))
        #expect(Set(found.map(\.text)).isSuperset(of: ["apple", "red"]) && !found.map(\.text).contains("a"))
        #expect(CommonWords(texts).described(pictures) == pictures.count { texts[$0] != nil })
        // Words of the same pictures have the same score: the bytes decide.
        let tied = CommonWords((0..<30).reduce(into: [:]) { $0[$1] = [$1 < 8 ? "b c a" : "d"] })
        #expect(tied.common(Array(0..<8), limit: 2).map(\.text) == ["a", "b"])
    }
}
