import Core
import Foundation
import TestSupport
import Testing

/// Model folders of every family, written and read again.
@Suite struct FamilyWritingTests {
    private func tensors(_ folder: URL) throws -> [String: StoredTensor] {
        try SafetensorsFile(contentsOf: folder.appending(path: "model.safetensors")).tensors
    }

    /// Names, shapes and values are those of the folder that was read, whichever generation named them; so is what the
    /// files beside them say.
    @Test(arguments: CheckpointGolden.families) func tensorsKeepTheirNames(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let (source, folder) = (checkpoint.folder, try TemporaryFolder())
        let model = try source.model(trainable: Trainable(language: .frozen), seed: 0)
        let original = try tensors(source.url)
        #expect(Set(model.tensors.map(\.name)) == Set(original.keys))
        try model.write(to: folder.url, besides: source.url)
        let written = try tensors(folder.url)
        #expect(Set(written.keys) == Set(original.keys))
        for (key, tensor) in original {
            let copy = try #require(written[key])
            #expect(copy.shape == tensor.shape && copy.format == .float32, "\(key)")
            let values = [tensor, copy].map { $0.widened(Float.self, rows: 1, columns: $0.count).elements }
            #expect(values[0] == values[1], "\(key)")
        }
        let config = try JSON(contentsOf: folder["config.json"])
        #expect(config["torch_dtype"]?.string ?? config["dtype"]?.string == "float32")
        for file in try FileManager.default.contentsOfDirectory(atPath: source.url.path) {
            let isCompanion = file.hasPrefix("tokenizer") || file.hasSuffix("processor_config.json")
            guard isCompanion || ["generation_config.json", "chat_template.jinja"].contains(file) else { continue }
            #expect(try Data(contentsOf: folder[file]) == Data(contentsOf: source.url.appending(path: file)), "\(file)")
        }
        let again = try ModelFolder(folder.url)
        #expect(again.endOfSequence == source.endOfSequence)
        #expect(again.processor.settings == source.processor.settings)
        let group = try checkpoint.groups()[0]
        let second: VisionLanguageModel<Vector> = try again.model(trainable: CheckpointGolden.frozen, seed: 0)
        let values = try checkpoint.logProbabilities(group, second)
        #expect(try difference(values, checkpoint.json["groups"][0]["logps"]) < 2e-4)
    }

    /// Adapters of language model and tower, merged in: the written model alone is the adapted one.
    @Test(arguments: CheckpointGolden.families) func mergedAdaptersOfBothPartsAreTheAdaptedModel(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let adapter = try LowRankAdapterFolder(checkpoint.url.appending(path: "adapter-vision-final"))
        let model = try checkpoint.model(Trainable(vision: .lora, lora: adapter.settings))
        try adapter.load(into: model)
        let folder = try TemporaryFolder()
        try model.write(to: folder.url, besides: checkpoint.url)
        let merged: VisionLanguageModel<Vector> = try ModelFolder(folder.url).model(
            trainable: CheckpointGolden.frozen, seed: 0)
        let golden = try JSONField(contentsOf: checkpoint.url.appending(path: "adapted-vision.json"))
        for group in try checkpoint.groups() {
            #expect(
                try difference(checkpoint.logProbabilities(group, merged), golden[group.id]) < 5e-4, "\(group.id)")
        }
    }

    /// An adapter of both parts that is written again has the names, ranks and values that PEFT gave it.
    @Test(arguments: CheckpointGolden.families, ["adapter-final", "adapter-vision-final"])
    func adaptersAreWrittenAsPEFTNamesThem(name: String, adapter: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let url = checkpoint.url.appending(path: adapter)
        let settings = try LowRankAdapterFolder(url).settings
        let model = try checkpoint.model(
            Trainable(vision: settings.adaptsVision ? .lora : .frozen, lora: settings))
        try LowRankAdapterFolder(url).load(into: model)
        let folder = try TemporaryFolder()
        try LowRankAdapterFolder.write(model, baseModel: "..", to: folder.url)
        let file = "adapter_model.safetensors"
        let original = try SafetensorsFile(contentsOf: url.appending(path: file)).tensors
        let written = try SafetensorsFile(contentsOf: folder[file]).tensors
        #expect(Set(written.keys) == Set(original.keys))
        for (key, tensor) in original {
            let copy = try #require(written[key])
            let values = [tensor, copy].map { $0.widened(Float.self, rows: 1, columns: $0.count).elements }
            #expect(copy.shape == tensor.shape && values[0] == values[1], "\(key)")
        }
        let again = try LowRankAdapterFolder(folder.url)
        #expect(again.settings.parts == settings.parts && again.settings.adaptsVision == settings.adaptsVision)
        let second = try checkpoint.model(
            Trainable(vision: settings.adaptsVision ? .lora : .frozen, lora: again.settings))
        try again.load(into: second)
        let group = try checkpoint.groups()[1]
        let values = try checkpoint.logProbabilities(group, model)
        #expect(try checkpoint.logProbabilities(group, second) == values)
    }

    /// The pattern of a fresh adapter names the same modules as the run trains, so that PEFT passes none over.
    @Test(arguments: CheckpointGolden.families) func freshAdaptersNameTheirModules(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let settings = LowRankSettings(r: 2, alpha: 3, targets: ["q_proj", "down_proj"])
        let model = try checkpoint.model(Trainable(vision: .lora, lora: settings))
        let folder = try TemporaryFolder()
        try LowRankAdapterFolder.write(model, baseModel: "..", to: folder.url)
        let again = try LowRankAdapterFolder(folder.url)
        let parts = try #require(again.settings.parts)
        let language = parts.keys.filter { $0.hasPrefix("language_model.") }
        #expect(language.count == 2 * model.configuration.text.layers)
        #expect(parts.count > language.count && parts.count == model.parameters.slots.count / 2)
        #expect(parts.values.allSatisfy { $0 == LowRankShape(r: 2, alpha: 3) })
        let second = try checkpoint.model(Trainable(vision: .lora, lora: again.settings))
        try again.load(into: second)
        #expect(second.parameters.slots == model.parameters.slots)
    }
}
