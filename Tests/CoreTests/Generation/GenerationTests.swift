import Core
import Foundation
import TestSupport
import Testing

/// Against transformers' `generate` (Tests/Goldens/generation.py).
@Suite struct GenerationTests {
    private func requests<A: Arithmetic>(
        _ checkpoint: CheckpointGolden, _ model: VisionLanguageModel<A>
    ) throws -> [Generator<A>.Request] {
        try checkpoint.groups().map { group in
            let picture = try checkpoint.picture(group.image.source.path)
            return .init(
                key: group.id, prompt: group.prompt.tokens(group.image.place),
                features: model.encoder.input(picture).fixedPart)
        }
    }

    /// All prompts, of different lengths, in one batch.
    @Test(arguments: CheckpointGolden.names) func greedyTokens(name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let requests = try requests(checkpoint, model)
        let golden = try JSONField(contentsOf: checkpoint.url.appending(path: "generation.json"))["groups"].array()
        #expect(golden.count == requests.count)
        for (key, penalty) in [("greedy", 1.0), ("penalized", 1.3)] {
            var told = [[Int32]](repeating: [], count: requests.count)
            let answers = try Generator(
                model, sampler: TokenSampler(), constraints: TokenConstraints(repetitionPenalty: penalty),
                stops: [checkpoint.folder.endOfSequence], limit: 64
            ).answers(requests) { told[$0].append($1) }
            #expect(told == answers)
            for (answer, one) in zip(answers, golden) {
                #expect(answer == (try one[key].array().map { Int32(try $0.int()) }), "\(key) \(one.path)")
            }
        }
    }

    /// In Double: fed piece by piece, a prompt has the logits it has at once.
    @Test(arguments: CheckpointGolden.names) func piecesEqualTheWhole(name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let language = try checkpoint.model(CheckpointGolden.frozen, as: DoublePrecision.self).language
        let width = language.embedding.columns
        let inputs = Matrix<Double>(uninitialized: 150, width)
        var random = KeyedRandom(4, "rows")
        for i in 0..<inputs.count { inputs.base[i] = random.normal() }
        func logits(_ pieces: [Int]) -> [Double] {
            let cache = language.makeCache(capacity: 3)
            var (start, result) = (0, [Double]())
            for count in pieces {
                let rows = inputs.rows(start..<start + count)
                result = language.decode(rows, [.init(rows: 0..<count, cache: cache)]).elements
                start += count
            }
            return result
        }
        let whole = logits([150])
        for pieces in [[149, 1], [1, 130, 19], [7, 1, 1, 141]] {
            #expect(zip(logits(pieces), whole).allSatisfy { abs($0 - $1) < 1e-9 }, "\(pieces)")
        }
    }

    @Test(arguments: CheckpointGolden.names) func candidatesAndProbabilities(name: String) throws {
        let golden = try JSONField(contentsOf: CheckpointGolden(name).url.appending(path: "generation.json"))
        let logits = try golden["logits"].array().map { Float(try $0.double()) }
        for one in try golden["warped"].array() {
            let candidates = TokenSampler.candidates(
                logits, try one["temperature"].double(), try one["top_k"].int(), try one["top_p"].double())
            let total = candidates.reduce(0) { $0 + $1.weight }
            let own = Dictionary(uniqueKeysWithValues: candidates.map { ("\($0.token)", $0.weight / total) })
                .filter { $0.value > 1e-6 }
            let expected = try one["probabilities"].object().members
            #expect(own.count == expected.count, "\(one.path)")
            for (token, value) in expected.map({ ($0.key, $0.value) }) {
                #expect(abs((own[token] ?? -1) - (value.double ?? 0)) < 1e-6, "\(one.path) \(token)")
            }
        }
    }

    /// Draws follow the probabilities, depend on nothing but their keys, and one seed is not another.
    @Test func draws() {
        let logits: [Float] = [0, 1, 2, -1, 0.5]
        func draw(_ sampler: TokenSampler, _ key: String, _ step: Int) -> Int32 {
            sampler.next(logits, key: key, step: step)
        }
        let sampler = TokenSampler(temperature: 1, seed: 5)
        var counts = [Double](repeating: 0, count: 5)
        for step in 0..<4000 { counts[Int(draw(sampler, "a", step))] += 1 }
        let weights = logits.map { Double.exponential(Double($0)) }
        let total = weights.reduce(0, +)
        for (count, weight) in zip(counts, weights) {
            let p = weight / total
            #expect(abs(count / 4000 - p) < 4 * (p * (1 - p) / 4000).squareRoot())
        }
        let first = (0..<50).map { draw(sampler, "a", $0) }
        #expect(first == (0..<50).map { draw(sampler, "a", $0) })
        #expect(first != (0..<50).map { draw(sampler, "b", $0) })
        #expect(first != (0..<50).map { draw(TokenSampler(temperature: 1, seed: 6), "a", $0) })
    }
}
