import Core
import Foundation
import TestSupport
import Testing

/// Small checkpoints of every family against transformers and PEFT in float32 (Tests/Goldens/families.py).
@Suite struct FamilyGoldenTests {
    static let qwen = CheckpointGolden.families.filter { $0.hasPrefix("qwen") }

    private func ids(_ field: JSONField) throws -> [Int32] { try field.array().map { Int32(try $0.int()) } }

    /// A group has a prompt for each of its pictures: how many rows one takes, and where, depends on its size.
    @Test(arguments: CheckpointGolden.families) func promptsOfEveryPictureAndResponses(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        #expect(Int(checkpoint.folder.endOfSequence) == (try checkpoint.json["eos_token_id"].int()))
        #expect(checkpoint.folder.configuration.imageToken == (try checkpoint.json["image_token_id"].int()))
        let (before, after) = try PromptTemplate(checkpoint.json["template_name"].string()).render("{prompt}")
        #expect("\(before)<image>\(after)" == (try checkpoint.json["template"].string()))
        let rows = try checkpoint.json["groups"].array()
        let groups = try checkpoint.groups()
        #expect(groups.map(\.id) == (try rows.map { try $0["id"].string() }))
        for (group, row) in zip(groups, rows) {
            let own = ([group.image] + group.negatives).map { group.prompt.tokens($0.place).tokens }
            #expect(own == (try row["prompts"].array().map { try ids($0) }), "\(group.id)")
            #expect(group.chosen.tokens == (try ids(row["chosen"])), "\(group.id)")
            #expect((group.rejected != nil) == row["rejected"].isPresent, "\(group.id)")
            if let rejected = group.rejected { #expect(rejected.tokens == (try ids(row["rejected"])), "\(group.id)") }
        }
    }

    @Test(arguments: qwen) func positionsOfEveryRow(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let golden = checkpoint.json["positions"]
        let group = try #require(try checkpoint.groups().first { try $0.id == golden["group"].string() })
        #expect(try group.image.source.path.hasSuffix(golden["image"].string()))
        let prompt = group.prompt.tokens(group.image.place)
        let rows = try golden["rows"].array().map { try ids($0) }
        #expect(prompt.positions.map(\.time) == rows[0])
        #expect(prompt.positions.map(\.height) == rows[1])
        #expect(prompt.positions.map(\.width) == rows[2])
        #expect(prompt.end == (rows.joined().max().map { Int($0) + 1 }))
    }

    /// Rows and columns as the goldens count them: of patches, or of tiles, of which one that is alone has none.
    private func grid(_ shape: PictureShape, _ family: any ModelFamily) -> [Int] {
        switch family {
        case let qwen as Qwen2VL: [shape.height / qwen.vision.patchSide, shape.width / qwen.vision.patchSide]
        case is SmolVLM: shape.tiles > 1 ? [shape.tileRows, shape.tileColumns] : [0, 0]
        case let llava as LLaVA: [shape.height / llava.vision.patchSide, shape.width / llava.vision.patchSide]
        default: []
        }
    }

    @Test(arguments: CheckpointGolden.families) func picturesToTheBitAndTheirFeatures(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let (family, processor) = (checkpoint.folder.configuration.family, checkpoint.folder.processor)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let paths = try checkpoint.json["images"].object().keys
        #expect(paths.count == 10)
        for path in paths {
            let golden = checkpoint.json["images"][path]
            let source = ImageSource(path: checkpoint.data.appending(path: path).path)
            let picture = try source.picture(processor)
            #expect(grid(picture.shape, family) == (try golden["grid"].array().map { try $0.int() }), "\(path)")
            // The file's header suffices to tell.
            #expect(try source.shape(processor) == picture.shape, "\(path)")
            // As the model's processor in transformers orders them.
            let pixels = family is Qwen2VL ? model.encoder.patches(picture).elements : picture.values
            #expect(try TensorSummary(golden["pixels"]).difference(pixels) < 1e-6, "\(path)")
            let digest = pixels.withUnsafeBytes { SHA256.digest($0) }
            #expect(digest.description == (try golden["pixels"]["sha256"].string()), "\(path)")

            let features = model.encoder.input(picture).fixedPart
            #expect(try TensorSummary(golden["features"]).difference(features.elements) < 1e-4, "\(path)")
            let rows = model.encoder.rows(picture.shape)
            #expect(features.rows == rows.language && features.columns == model.encoder.rowWidth, "\(path)")
            #expect(model.encoder.patches(picture).rows == rows.patches, "\(path)")
            #expect(model.encoder.features(picture).rows == rows.features, "\(path)")
            let place = try family.place(picture.shape, checkpoint.folder.tokenizer)
            #expect(place.features == rows.language, "\(path)")
            #expect(place.featureRows.flatMap { place.tokens[$0] }.allSatisfy { Int($0) == family.imageToken })
        }
    }

    @Test(arguments: CheckpointGolden.families) func logProbabilitiesJointAndOnePictureAtATime(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        for (group, row) in zip(try checkpoint.groups(), try checkpoint.json["groups"].array()) {
            for isJoint in [true, false] {
                let values = try checkpoint.logProbabilities(group, model, isJoint: isJoint)
                #expect(try difference(values, row["logps"]) < 2e-4, "\(group.id), joint: \(isJoint)")
            }
        }
    }

    @Test(arguments: CheckpointGolden.families) func logits(name: String) throws {
        try CheckpointGolden(family: name).checkLogits(within: 5e-5)
    }

    @Test(arguments: CheckpointGolden.families) func gradientsOfEveryTensor(name: String) throws {
        try CheckpointGolden(family: name).checkGradients()
    }

    /// Of the language model's projections, and of those and the tower's.
    @Test(arguments: CheckpointGolden.families, ["adapter-final", "adapter-vision-final"])
    func adaptedLogProbabilities(name: String, adapter: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let url = checkpoint.url.appending(path: adapter)
        let folder = try LowRankAdapterFolder(url)
        let hasTower = adapter == "adapter-vision-final"
        #expect(folder.settings.adaptsVision == hasTower)
        #expect(folder.settings.parts?.values.allSatisfy { $0 == LowRankShape(r: 4, alpha: 8) } == true)
        let model = try checkpoint.model(Trainable(vision: hasTower ? .lora : .frozen, lora: folder.settings))
        let stored = try SafetensorsFile(contentsOf: url.appending(path: "adapter_model.safetensors")).tensors
        #expect(model.parameters.slots.count == stored.count)
        let groups = try checkpoint.groups()
        // A = random and B = 0: the adapter changes nothing until it is loaded.
        let base = try checkpoint.json["groups"].array()
        #expect(try difference(checkpoint.logProbabilities(groups[0], model), base[0]["logps"]) < 2e-4)
        try folder.load(into: model)
        let file = hasTower ? "adapted-vision.json" : "adapted.json"
        let golden = try JSONField(contentsOf: checkpoint.url.appending(path: file))
        for group in groups {
            #expect(
                try difference(checkpoint.logProbabilities(group, model), golden[group.id]) < 3e-4, "\(group.id)")
        }
    }
}

/// One mathematics, whatever stands together: in Double the rows of a picture and the values of a sequence agree to
/// rounding.
@Suite struct FamilyStackingTests {
    private static let trained: [Trainable] = [
        CheckpointGolden.full, Trainable(language: .frozen, projector: .full, vision: .frozen), CheckpointGolden.frozen,
    ]

    /// Pictures of every size of the goldens, in one pass and each in one of its own.
    @Test(arguments: CheckpointGolden.families, trained)
    func stackedPicturesHaveTheFeaturesOfOneAlone(name: String, trainable: Trainable) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let model = try checkpoint.model(trainable, as: DoublePrecision.self)
        let paths = try checkpoint.json["images"].object().keys
        let pictures = try paths.map { try checkpoint.picture(checkpoint.data.appending(path: $0).path) }
        if checkpoint.folder.processor.commonShape == nil { #expect(Set(pictures.map(\.shape)).count > 4) }
        let inputs = pictures.map { model.encoder.input($0) }
        for (input, picture) in zip(inputs, pictures) {
            let (rows, columns) = model.encoder.fixedShape(picture.shape)
            #expect(input.fixedPart.rows == rows && input.fixedPart.columns == columns && input.shape == picture.shape)
        }
        let stacked = model.encoder.pass(inputs).rows
        var first = 0
        for (path, input) in zip(paths, inputs) {
            let alone = model.encoder.pass([input]).rows
            let own = stacked.rows(first..<first + alone.rows)
            let error = zip(own.elements, alone.elements).reduce(0.0) { max($0, abs($1.0 - $1.1)) }
            #expect(error < 1e-11, "\(path)")
            first += alone.rows
        }
        #expect(first == stacked.rows)
    }

    /// A group's sequences in one batch, and one picture after the other.
    @Test(arguments: CheckpointGolden.families) func jointAndStreamingGradientsAgree(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let model = try checkpoint.model(CheckpointGolden.full, as: DoublePrecision.self)
        let group = try #require(try checkpoint.groups().first { $0.id == "four" })
        func evaluate(isJoint: Bool) throws -> (values: [String: Double], gradient: [Double]) {
            let gradient = Gradient(zerosFor: model.parameters)
            var values: [String: Double] = [:]
            let layout = GroupLayout(
                group, withRejected: true, negatives: Array(group.negatives.indices), isJoint: isJoint)
            #expect(layout.batches.count == (isJoint ? 1 : 1 + group.negatives.count))
            for batch in layout.batches {
                let (logProbabilities, saved) = try checkpoint.run(batch.layout, images: batch.images, model)
                for (sequence, value) in zip(batch.sequences, logProbabilities) { values[sequence.name] = value }
                model.backward(batch.sequences.map { 1 / Double($0.name.utf8.last ?? 0) - 0.01 }, saved, gradient)
            }
            return (values, Array(UnsafeBufferPointer(start: gradient.base, count: model.parameters.count)))
        }
        let (joint, streaming) = (try evaluate(isJoint: true), try evaluate(isJoint: false))
        #expect(joint.values.count == 6 && streaming.values.count == 6)
        for (sequence, value) in joint.values {
            #expect(abs((streaming.values[sequence] ?? .nan) - value) < 1e-10, "\(sequence)")
        }
        let size = joint.gradient.reduce(0) { max($0, abs($1)) }
        let error = zip(joint.gradient, streaming.gradient).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(size > 1e-3 && error < 1e-10 * size)
    }
}
