import Core
import Foundation
import TestSupport
import Testing

/// Settings of configurations and adapters against transformers and PEFT in float32 (Tests/Goldens/variants.py).
@Suite struct VariantGoldenTests {
    private static let variants = Result { try JSONField(contentsOf: golden("variants.json")) }

    private func each(_ kind: String, _ body: (CheckpointGolden, JSONField) throws -> Void) throws {
        let cases = try Self.variants.get()[kind].array()
        #expect(cases.count == 6)
        for one in cases { try body(CheckpointGolden(one["checkpoint"].string()), one) }
    }

    /// The checkpoint's configuration with some of its text settings changed.
    private func configuration(_ checkpoint: CheckpointGolden, _ changes: JSONField) throws -> ModelConfiguration {
        var root = try JSONField(contentsOf: checkpoint.url.appending(path: "config.json")).object()
        var text: [(String, JSON)] = root["text_config"]?.object?.members ?? []
        let changed = try changes.object()
        text.removeAll { changed[$0.0] != nil }
        text += changed.members.filter { !$0.value.isNull }
        root["text_config"] = .object(.init(text))
        return try ModelConfiguration(JSONField(.object(root), file: "config.json"))
    }

    private func model<A: Arithmetic>(
        _ checkpoint: CheckpointGolden, _ changes: JSONField, as: A.Type = Vector.self
    ) throws -> VisionLanguageModel<A> {
        try VisionLanguageModel(
            configuration(checkpoint, changes), from: TensorCatalog(folder: checkpoint.url),
            common: checkpoint.folder.processor.commonShape, trainable: CheckpointGolden.frozen, seed: 0)
    }

    @Test func slidingWindows() throws {
        try each("windows") { checkpoint, one in
            let model: VisionLanguageModel<Vector> = try model(checkpoint, one["settings"])
            for group in try checkpoint.groups() {
                for isJoint in [true, false] {
                    let values = try checkpoint.logProbabilities(group, model, isJoint: isJoint)
                    #expect(try difference(values, one["logps"][group.id]) < 2e-4, "\(one.path) \(group.id)")
                }
            }
        }
    }

    /// The window of a decoder that remembers keys, beside the one of a decoder that is given all rows.
    @Test func slidingWindowsWhenGenerating() throws {
        try each("windows") { checkpoint, one in
            let model: VisionLanguageModel<Vector> = try model(checkpoint, one["settings"])
            let group = try #require(try checkpoint.groups().first)
            let features = model.encoder.input(try checkpoint.picture(group.image.source.path)).fixedPart
            let prompt = group.prompt.tokens(group.image.place)
            let cache = model.language.makeCache(capacity: 4)
            var inputs = model.language.embed(prompt.tokens)
            inputs.rows(try #require(prompt.imageRows.first)).copyElements(of: features)
            var tokens: [Int32] = []
            for _ in 0..<24 {
                let logits = model.language.decode(inputs, [.init(rows: 0..<inputs.rows, cache: cache)])
                let next = Int32(Vector.firstLargest(logits.row(0), count: logits.columns))
                tokens.append(next)
                inputs = model.language.embed([next])
            }
            #expect(tokens == (try one["generated"].array().map { Int32(try $0.int()) }), "\(one.path)")
        }
    }

    /// The same bits as without a window where no sequence is as long.
    @Test(arguments: [("llama-clip-spm", "mistral"), ("qwen2-siglip", "qwen2")])
    func aWindowThatNoSequenceReachesChangesNothing(name: String, type: String) throws {
        let checkpoint = try CheckpointGolden(name)
        func values(_ window: JSON) throws -> [[String: Double]] {
            let settings: JSON = [
                "model_type": .string(type), "sliding_window": window, "use_sliding_window": .bool(type == "qwen2"),
                "max_window_layers": 0, "layer_types": nil,
            ]
            let model: VisionLanguageModel<Vector> = try model(checkpoint, JSONField(settings, file: "settings"))
            return try checkpoint.groups().map { try checkpoint.logProbabilities($0, model) }
        }
        let without = try values(nil)
        #expect(try values(4096) == without)
        #expect(try values(200) == without)
        #expect(try values(12) != without)
    }

    private func write(_ one: JSONField, to folder: TemporaryFolder) throws {
        let entries = try one["shapes"].object().members.map { name, _ in
            let shape = try one["shapes"][name].array().map { try $0.int() }
            var random = KeyedRandom(9, name)
            let values = (0..<shape[0] * shape[1]).map { _ in Float(0.1 * random.normal()) }
            return SafetensorsWriter.Entry(name: name, shape: shape, matrix: Matrix(shape[0], shape[1], values))
        }
        try SafetensorsWriter.write(entries, to: folder["adapter_model.safetensors"])
        try Data((one["config"].value?.description ?? "").utf8).write(to: folder["adapter_config.json"])
    }

    @Test func adaptersOfEverySetting() throws {
        try each("adapters") { checkpoint, one in
            let folder = try TemporaryFolder()
            try write(one, to: folder)
            let adapter = try LowRankAdapterFolder(folder.url)
            let model = try checkpoint.model(Trainable(lora: adapter.settings))
            try adapter.load(into: model)
            for group in try checkpoint.groups() {
                let values = try checkpoint.logProbabilities(group, model)
                #expect(try difference(values, one["logps"][group.id]) < 2e-4, "\(one.path) \(group.id)")
            }
        }
    }

    /// An adapter of any setting that is written again is the same adapter: values, scales and settings.
    @Test func adaptersOfEverySettingAreWrittenAgain() throws {
        try each("adapters") { checkpoint, one in
            let (read, written) = (try TemporaryFolder(), try TemporaryFolder())
            try write(one, to: read)
            let adapter = try LowRankAdapterFolder(read.url)
            let model = try checkpoint.model(Trainable(lora: adapter.settings))
            try adapter.load(into: model)
            try LowRankAdapterFolder.write(model, baseModel: "..", to: written.url)
            let again = try LowRankAdapterFolder(written.url)
            for (path, shape) in try #require(adapter.settings.parts) {
                let other = try #require(again.settings.shape(of: path))
                #expect(other == shape && again.settings.scale(of: other) == adapter.settings.scale(of: shape))
            }
            #expect(again.settings.parts?.count == adapter.settings.parts?.count)
            let fresh = try checkpoint.model(Trainable(lora: again.settings))
            try again.load(into: fresh)
            let group = try checkpoint.groups()[0]
            let (one, two) = (
                try checkpoint.logProbabilities(group, fresh), try checkpoint.logProbabilities(group, model)
            )
            #expect(one == two)
        }
    }
}
