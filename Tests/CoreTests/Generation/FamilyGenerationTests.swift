import Core
import Foundation
import TestSupport
import Testing

/// Against transformers' `generate` on the small checkpoints of every family (Tests/Goldens/families.py).
@Suite struct FamilyGenerationTests {
    /// The goldens' prompts, uneven, about pictures of different shapes, and one about none.
    private func requests<A: Arithmetic>(
        _ checkpoint: CheckpointGolden, _ model: VisionLanguageModel<A>, _ rows: [JSONField]
    ) throws -> [Generator<A>.Request] {
        let encoder = try GroupEncoder(
            checkpoint.folder, template: PromptTemplate(checkpoint.json["template_name"].string()))
        return try rows.map { row in
            let (key, text) = (try row["id"].string(), try row["prompt"].string())
            guard row["image"].isPresent else {
                let prompt = try encoder.encode(promptWithoutImage: text, at: key)
                return .init(key: key, prompt: prompt, features: nil)
            }
            let path = checkpoint.data.appending(path: try row["image"].string()).path
            let place = try encoder.placed(ImageSource(path: path)).place
            return .init(
                key: key, prompt: try encoder.encode(prompt: text, at: key).tokens(place),
                features: model.encoder.input(try checkpoint.picture(path)).fixedPart)
        }
    }

    private func ids(_ field: JSONField) throws -> [Int32] { try field.array().map { Int32(try $0.int()) } }

    private func rows(_ checkpoint: CheckpointGolden) throws -> [JSONField] {
        try JSONField(contentsOf: checkpoint.url.appending(path: "generation.json"))["groups"].array()
    }

    private func ends(_ checkpoint: CheckpointGolden) throws -> Set<Int32> {
        try GenerationConfiguration(
            folder: checkpoint.url, vocabulary: checkpoint.folder.configuration.text.vocabulary
        ).ends
    }

    /// All prompts in one batch.
    @Test(arguments: CheckpointGolden.families) func greedyTokens(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let rows = try rows(checkpoint)
        let requests = try requests(checkpoint, model, rows)
        #expect(requests.count == 5 && requests.last?.features == nil)
        for (request, row) in zip(requests, rows) {
            #expect(request.prompt.tokens == (try ids(row["ids"])), "\(request.key)")
        }
        for (key, penalty) in [("greedy", 1.0), ("penalized", 1.3)] {
            let answers = try Generator(
                model, sampler: TokenSampler(), constraints: TokenConstraints(repetitionPenalty: penalty),
                stops: ends(checkpoint), limit: 64
            ).answers(requests)
            for (answer, row) in zip(answers, rows) { #expect(answer == (try ids(row[key])), "\(key) \(row.path)") }
        }
    }

    /// Each by itself, and in the other order: what else is answered changes nothing.
    @Test(arguments: CheckpointGolden.families) func answersDoNotDependOnTheBatch(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let rows = try rows(checkpoint)
        let requests = try requests(checkpoint, model, rows)
        let generator = Generator(model, sampler: TokenSampler(), stops: try ends(checkpoint), limit: 20)
        let expected = try rows.map { Array(try ids($0["greedy"]).prefix(20)) }
        #expect(try requests.map { try generator.answers([$0])[0] } == expected)
        #expect(try generator.answers(requests.reversed()) == expected.reversed())
    }

    /// In Double: what a decoder says token by token, from a cache, is what it says of prompt and answer at once.
    /// Behind a picture positions run behind the rows.
    @Test(arguments: CheckpointGolden.families) func answersTokenByTokenEqualTheWhole(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let model = try checkpoint.model(CheckpointGolden.frozen, as: DoublePrecision.self)
        let rows = try rows(checkpoint)
        for (request, row) in zip(try requests(checkpoint, model, rows), rows) {
            let answer = Array(try ids(row["greedy"]).prefix(12))
            let cache = model.language.makeCache(capacity: 4)
            var inputs = model.language.embed(request.prompt.tokens)
            var filled = 0
            for place in request.prompt.imageRows {
                let features = try #require(request.features).rows(filled..<filled + place.count)
                inputs.rows(place).copyElements(of: features)
                filled += place.count
            }
            var place = LanguageModel<DoublePrecision>.Continuation(
                rows: 0..<inputs.rows, of: request.prompt, cache: cache)
            var sum = 0.0
            for token in answer {
                let logits = model.language.decode(inputs, [place]).elements
                let largest = logits.max() ?? 0
                let total = logits.reduce(0) { $0 + Double.exponential($1 - largest) }
                sum += logits[Int(token)] - largest - Double.naturalLogarithm(total)
                inputs = model.language.embed([token])
                place = .init(rows: 0..<1, cache: cache)
            }
            #expect(cache.count == request.prompt.tokens.count + answer.count - 1)
            #expect(cache.position == request.prompt.end + answer.count - 1)

            var layout = SequenceLayout()
            layout.append(request.prompt, image: 0, responses: [answer])
            var images: [VisionInput<DoublePrecision>] = []
            if row["image"].isPresent {
                let path = checkpoint.data.appending(path: try row["image"].string()).path
                images = [model.encoder.input(try checkpoint.picture(path))]
            }
            let whole = model.forward(layout, images: images).0[0]
            #expect(abs(whole - sum) < 1e-9, "\(request.key): \(whole) \(sum)")
        }
    }
}
