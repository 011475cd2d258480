import Core
import Foundation
import TestSupport
import Testing

/// Whole checkpoints against transformers and PEFT in float32 (Tests/Goldens/checkpoints.py).
@Suite struct CheckpointGoldenTests {
    @Test(arguments: CheckpointGolden.names) func tokenIds(name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        #expect(Int(checkpoint.folder.endOfSequence) == (try checkpoint.json["eos_token_id"].int()))
        #expect(checkpoint.folder.configuration.imageToken == (try checkpoint.json["image_token_id"].int()))
        let expected = try checkpoint.json["groups"].array()
        let groups = try checkpoint.groups()
        #expect(groups.map(\.id) == (try expected.map { try $0["id"].string() }))
        for (group, golden) in zip(groups, expected) {
            func ids(_ key: String) throws -> [Int32] { try golden[key].array().map { Int32(try $0.int()) } }
            #expect(group.prompt.tokens(group.image.place).tokens == (try ids("prompt")), "\(group.id)")
            #expect(group.chosen.tokens == (try ids("chosen")), "\(group.id)")
            #expect((group.rejected != nil) == golden["rejected"].isPresent, "\(group.id)")
            if let rejected = group.rejected { #expect(rejected.tokens == (try ids("rejected")), "\(group.id)") }
        }
    }

    @Test(arguments: CheckpointGolden.names) func picturesAndFeatures(name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let shape = try #require(checkpoint.folder.processor.commonShape)
        #expect(model.encoder.rows(shape).language == (try checkpoint.json["image_tokens"].int()))
        for (path, _) in try checkpoint.json["images"].object().members {
            let golden = checkpoint.json["images"][path]
            let picture = try checkpoint.picture(checkpoint.url.appending(path: path).path)
            #expect(picture.shape == shape)
            #expect(try TensorSummary(golden["pixels"]).difference(picture.values) < 1e-6, "\(path)")
            let features = model.encoder.input(picture).fixedPart.elements
            #expect(try TensorSummary(golden["features"]).difference(features) < 1e-4, "\(path)")
        }
    }

    @Test(arguments: CheckpointGolden.names) func logProbabilities(name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        for (group, golden) in zip(try checkpoint.groups(), try checkpoint.json["groups"].array()) {
            let error = try difference(checkpoint.logProbabilities(group, model), golden["logps"])
            #expect(error < 2e-4, "\(group.id)")
        }
    }

    @Test(arguments: CheckpointGolden.names) func logits(name: String) throws {
        try CheckpointGolden(name).checkLogits(within: 2e-5)
    }

    @Test(arguments: CheckpointGolden.names.dropLast()) func gradients(name: String) throws {
        try CheckpointGolden(name).checkGradients()
    }

    /// Adapters as PEFT writes them for either generation of module names.
    @Test(arguments: [
        ("llama-clip-spm", "llama-clip-spm/adapter-final"),
        ("smol-dinov2-bytelevel", "smol-dinov2-bytelevel/adapter-final"),
        ("qwen2-siglip", "qwen2-siglip/adapter-final"),
        ("llama-clip-sharded", "llama-clip-spm/adapter-final"),
        ("llama-clip-sharded", "llama-clip-sharded/adapter-old-names"),
    ])
    func adaptedLogProbabilities(name: String, adapter: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let folder = try LowRankAdapterFolder(golden("checkpoints/\(adapter)"))
        var settings = folder.settings
        #expect(settings.parts?.count == 14 && settings.isUniform(layers: 2))
        settings.parts = nil
        #expect(settings == LowRankSettings(r: 4, alpha: 8))
        let model = try checkpoint.model(Trainable(lora: folder.settings))
        let golden = try JSONField(contentsOf: checkpoint.url.appending(path: "adapted.json"))
        let base = try checkpoint.json["groups"].array()
        // A = random and B = 0: the adapter changes nothing until it is loaded.
        let groups = try checkpoint.groups()
        #expect(try difference(checkpoint.logProbabilities(groups[0], model), base[0]["logps"]) < 2e-4)
        try folder.load(into: model)
        for group in groups {
            #expect(
                try difference(checkpoint.logProbabilities(group, model), golden[group.id]) < 2e-4, "\(group.id)")
        }
    }
}

/// One mathematics, three layouts: in Double they agree to rounding.
@Suite struct LayoutEqualityTests {
    private struct Batch {
        var layout = SequenceLayout()
        var images: [ImageSource]
        var sequences: [GroupSequence]
    }

    /// Each sequence with a prompt of its own.
    private func separate(_ group: EncodedGroup) -> [Batch] {
        let all = GroupLayout(group, withRejected: true, negatives: Array(group.negatives.indices), isJoint: true)
        return all.batches[0].sequences.map { sequence in
            var (image, response) = (group.image, group.chosen)
            if case .negative(let index) = sequence { image = group.negatives[index] }
            if case .rejected = sequence { response = group.rejected ?? WeightedTokens([]) }
            var batch = Batch(images: [image.source], sequences: [sequence])
            batch.layout.append(group.prompt.tokens(image.place), image: 0, responses: [response])
            return batch
        }
    }

    private func evaluate(
        _ batches: [Batch], _ checkpoint: CheckpointGolden, _ model: VisionLanguageModel<DoublePrecision>
    ) throws -> (values: [String: Double], gradient: [Double]) {
        var values: [String: Double] = [:]
        let gradient = Gradient(zerosFor: model.parameters)
        for batch in batches {
            let (logProbabilities, saved) = try checkpoint.run(batch.layout, images: batch.images, model)
            for (sequence, value) in zip(batch.sequences, logProbabilities) { values[sequence.name] = value }
            let coefficients = batch.sequences.map { 1 / Double($0.name.utf8.last ?? 0) - 0.01 }
            model.backward(coefficients, saved, gradient)
        }
        let elements = UnsafeBufferPointer(start: gradient.base, count: model.parameters.count)
        return (values, Array(elements))
    }

    @Test(
        arguments: ["llama-clip-spm", "smol-dinov2-bytelevel", "qwen2-siglip"], [CheckpointGolden.full, Trainable()])
    func jointStreamingAndSeparateSequencesAgree(name: String, trainable: Trainable) throws {
        let checkpoint = try CheckpointGolden(name)
        var trainable = trainable
        trainable.lora = LowRankSettings(r: 4, alpha: 8)
        let model = try checkpoint.model(trainable, as: DoublePrecision.self)
        if trainable.language == .lora {
            try LowRankAdapterFolder(checkpoint.url.appending(path: "adapter-final")).load(into: model)
        }
        for group in try checkpoint.groups() where ["four", "no-rejected", "same-start"].contains(group.id) {
            let negatives = Array(group.negatives.indices)
            let expected = try evaluate(separate(group), checkpoint, model)
            let size = expected.gradient.reduce(0) { max($0, abs($1)) }
            for isJoint in [true, false] {
                let layout = GroupLayout(group, withRejected: true, negatives: negatives, isJoint: isJoint)
                #expect(layout.batches.count == (isJoint ? 1 : 1 + negatives.count))
                let result = try evaluate(
                    layout.batches.map { Batch(layout: $0.layout, images: $0.images, sequences: $0.sequences) },
                    checkpoint, model)
                #expect(result.values.count == expected.values.count)
                for (sequence, value) in expected.values {
                    #expect(abs((result.values[sequence] ?? .nan) - value) < 1e-10, "\(group.id) \(sequence)")
                }
                let error = zip(result.gradient, expected.gradient).reduce(0) { max($0, abs($1.0 - $1.1)) }
                #expect(error < 1e-10 * size, "\(group.id), joint: \(isJoint)")
            }
        }
    }
}
