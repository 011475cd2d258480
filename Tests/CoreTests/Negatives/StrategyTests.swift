import Core
import Testing

/// What the strategies pick, against searches that follow their definitions word for word.
struct StrategyTests {
    static func candidates(_ n: Int, latents: Int = 6, key: String = "candidates") -> CandidateScores {
        var random = KeyedRandom(21, key)
        var codes = (0..<n).map { _ in (0..<latents).map { _ in Float(random.uniform()) } }
        var (errors, deviations) = ([Float](), [Float]())
        for _ in 0..<n {
            errors.append(Float(random.uniform()))
            deviations.append(Float(random.uniform()))
        }
        // Repetitions, whose scores and distances tie exactly.
        for (copy, original) in [(n - 1, 2), (n - 2, 2), (5, n / 2)] {
            (codes[copy], errors[copy], deviations[copy]) = (codes[original], errors[original], deviations[original])
        }
        return CandidateScores(
            rows: (0..<n).map { 3 * $0 + 1 }, errors: errors, deviations: deviations,
            latents: Matrix(n, latents, codes.flatMap { $0 }))
    }

    /// Algorithm 1 without any state kept from pick to pick. Distances are rounded, far more finely than they differ,
    /// so that a sum taken in another order does not tell repetitions apart.
    static func bruteForce(_ count: Int, _ candidates: CandidateScores, diversity: Double) -> [Int] {
        func distance(_ a: Int, _ b: Int) -> Double {
            let (x, y) = (doubles(candidates.latents, a), doubles(candidates.latents, b))
            let square = PlainAutoencoder.dot(x, x) * PlainAutoencoder.dot(y, y)
            return ((1 - PlainAutoencoder.dot(x, y) / square.squareRoot()) * 1e5).rounded() / 1e5
        }
        var picks: [Int] = []
        while picks.count < min(count, candidates.rows.count) {
            let values = candidates.rows.indices.map { i -> Double in
                if picks.contains(i) { return -.infinity }
                let nearest = picks.map { distance(i, $0) }.min()
                return candidates.scores[i] + diversity * (nearest ?? 0)
            }
            picks.append(values.indices.first { values[$0] == values.max() } ?? 0)
        }
        return picks
    }

    @Test(arguments: [0, 0.3, 1, 5], [1, 5, 40]) func greedyIsBruteForce(diversity: Double, count: Int) {
        for round in 0..<8 {
            let candidates = Self.candidates(24, key: "round \(round)")
            let own = GreedyDiverse(diversity: diversity).pick(count, candidates)
            #expect(own == Self.bruteForce(count, candidates, diversity: diversity), "round \(round)")
        }
    }

    @Test func tiesGoToTheLowerIndex() {
        let equal = CandidateScores(
            rows: [4, 5, 6, 7], errors: [1, 1, 1, 1], deviations: [2, 2, 2, 2],
            latents: Matrix(4, 2, [1, 0, 1, 0, 0, 1, 0, 1]))
        #expect(GreedyDiverse(diversity: 1).pick(4, equal) == [0, 2, 1, 3])
        #expect(GreedyDiverse(diversity: 0).pick(3, equal) == [0, 1, 2])
        // Silent latents: cosine 0, so as far as can be from everything.
        let silent = CandidateScores(
            rows: [0, 1, 2], errors: [2, 1, 1], deviations: [0, 0, 0], latents: Matrix(3, 2, [1, 1, 1, 1, 0, 0]))
        #expect(GreedyDiverse(diversity: 1).pick(3, silent) == [0, 2, 1])
    }

    @Test func scoresAddSharesOfTheGreatest() {
        let candidates = CandidateScores(
            rows: [1, 2, 3], errors: [1, 4, 2], deviations: [0.5, 1, 2], latents: Matrix(zeros: 3, 2))
        #expect(candidates.scores == [0.5, 1.5, 1.5])
        #expect(candidates.errorShare(2) == 0.5)
        let nothing = CandidateScores(rows: [1], errors: [0], deviations: [0], latents: Matrix(zeros: 1, 2))
        #expect(nothing.scores == [0])
    }

    /// Against determinants computed from the definition.
    @Test func logDeterminantIsBruteForce() {
        let features = clusteredRows(20, 5, spread: 0.6, key: "features")
        for c in 0..<5 { features[13, c] = features[4, c] }
        func determinant(_ places: [Int]) -> Double {
            var m = places.map { i in
                places.map { j in
                    PlainAutoencoder.dot(doubles(features, i), doubles(features, j)) + (i == j ? 0.1 : 0)
                }
            }
            var value = 1.0
            for k in m.indices {
                value *= m[k][k]
                for i in m.indices where i > k {
                    let factor = m[i][k] / m[k][k]
                    for j in m.indices { m[i][j] -= factor * m[k][j] }
                }
            }
            return value
        }
        let own = LogDeterminant().pick(6, features)
        var picks = Array(own.prefix(1))
        for pick in own.dropFirst() {
            let rest = (0..<20).filter { !picks.contains($0) }.map { ($0, determinant(picks + [$0])) }
            let greatest = rest.map(\.1).max() ?? 0
            let chosen = determinant(picks + [pick])
            #expect(chosen > greatest * (1 - 1e-5), "\(pick)")
            picks.append(pick)
        }
        #expect(Set(own).count == 6)
        #expect(LogDeterminant().pick(30, features).sorted() == Array(0..<20))
    }

    private static func context(_ id: String = "g1", seed: UInt64 = 3) -> SelectionContext {
        let images = clusteredRows(200, 8, spread: 0.5, key: "gallery")
        return SelectionContext(
            images: images, prompt: MiningPrompt(id: id, positive: 0, text: 0), positivePath: "a.png",
            candidates: candidates(40), seed: seed)
    }

    private static func places(_ chosen: [ChosenNegative]) -> [Int] {
        chosen.compactMap { if case .gallery(_, let place) = $0.source { place } else { nil } }
    }

    @Test func randomIsKeyedAndWithoutRepetition() {
        let strategy = RandomNegatives()
        let first = Self.places(strategy.choose(7, Self.context()))
        #expect(Set(first).count == 7)
        #expect(Self.places(strategy.choose(7, Self.context())) == first)
        #expect(Self.places(strategy.choose(3, Self.context())) == Array(first.prefix(3)))
        #expect(Self.places(strategy.choose(7, Self.context("g2"))) != first)
        #expect(Self.places(strategy.choose(7, Self.context(seed: 4))) != first)
        #expect(Self.places(strategy.choose(50, Self.context())).sorted() == Array(0..<40))
        // Every candidate about as often as any other: 4 of 40 in 2,000 prompts.
        var counts = [Int](repeating: 0, count: 40)
        let context = Self.context()
        for prompt in 0..<2_000 {
            let other = SelectionContext(
                images: context.images, prompt: MiningPrompt(id: "\(prompt)", positive: 0, text: 0), positivePath: "",
                candidates: context.candidates, seed: 0)
            for place in Self.places(strategy.choose(4, other)) { counts[place] += 1 }
        }
        #expect(counts.allSatisfy { abs($0 - 200) < 70 }, "\(counts)")
    }

    @Test func nearestIsBySimilarityToThePositive() {
        let context = Self.context()
        let own = Self.places(NearestNegatives().choose(5, context))
        let cosines = context.candidates.rows.map {
            PlainAutoencoder.dot(doubles(context.images, $0), doubles(context.images, 0))
        }
        for (pick, next) in zip(own, own.dropFirst()) { #expect(cosines[pick] > cosines[next] - 1e-6) }
        #expect(cosines.indices.allSatisfy { own.contains($0) || cosines[$0] < cosines[own[4]] + 1e-6 })
    }

    @Test func perturbedPositivesAreThoseOfTraining() {
        let chosen = PerturbedPositive().choose(4, Self.context())
        #expect(chosen[0].source == .perturbed(ImageSource(path: "a.png", crop: .random(seed: 3, group: "g1"))))
        #expect(
            chosen[1].source
                == .perturbed(ImageSource(path: "a.png", noise: DiffusionNoise(seed: 3, group: "g1"))))
        #expect(Set(chosen.map { "\($0.source)" }).count == 4)
        #expect(chosen.allSatisfy { $0.score == nil })
    }

    @Test func everyNameIsAStrategy() {
        for name in NegativeStrategies.names {
            let chosen = NegativeStrategies.named(name)?.choose(3, Self.context())
            #expect(chosen?.count == 3, "\(name)")
        }
        #expect(NegativeStrategies.named("best") == nil)
    }
}
