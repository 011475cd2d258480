import Core
import Foundation
import TestSupport
import Testing

/// A checkpoint folder whose tensors do not fit its config.json: refused in one line that names the tensor.
@Suite struct CheckpointTensorTests {
    let folder: TemporaryFolder
    let entries: [SafetensorsWriter.Entry]

    init() throws {
        folder = try TemporaryFolder()
        let checkpoint = golden("checkpoints/llama-clip-spm")
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"] {
            try FileManager.default.copyItem(at: checkpoint.appending(path: name), to: folder[name])
        }
        entries = try SafetensorsFile(contentsOf: checkpoint.appending(path: "model.safetensors")).tensors.values.map {
            .init(name: $0.name, shape: $0.shape, matrix: $0.widened(rows: 1, columns: $0.count))
        }
    }

    private func load(_ entries: [SafetensorsWriter.Entry]) throws {
        try SafetensorsWriter.write(entries, to: folder["model.safetensors"])
        _ = try ModelFolder(folder.url).model(trainable: Trainable(), seed: 0)
    }

    private func message(_ entries: [SafetensorsWriter.Entry]) -> String {
        let error = #expect(throws: MISPError.self) { try load(entries) }
        #expect(error?.kind == .input)
        #expect(error?.description.contains("\n") == false)
        return error?.description ?? ""
    }

    @Test func aWholeFolderLoads() throws { try load(entries) }

    @Test func aMissingTensor() {
        let text = message(entries.filter { $0.name != "language_model.model.layers.1.mlp.up_proj.weight" })
        #expect(text.contains("language_model.layers.1.mlp.up_proj.weight is missing"), "\(text)")
        #expect(text.contains(folder.url.path), "\(text)")
    }

    @Test(arguments: ["multi_modal_projector.linear_2.bias", "vision_tower.post_layernorm.bias"])
    func aTensorOfAnotherShape(name: String) {
        let wrong = SafetensorsWriter.Entry(name: name, shape: [3, 1], matrix: Matrix(zeros: 3, 1))
        let text = message(entries.filter { $0.name != name } + [wrong])
        #expect(text.contains("\(name) has shape [3, 1], but config.json asks for ["), "\(text)")
    }

    @Test func aTensorTooMany() {
        let extra = SafetensorsWriter.Entry(
            name: "language_model.model.layers.2.mlp.up_proj.weight", shape: [1], matrix: Matrix(zeros: 1, 1))
        let text = message(entries + [extra])
        #expect(text.contains("1 tensors belong to no part of the model"), "\(text)")
        #expect(text.contains(extra.name), "\(text)")
    }

    @Test func twoNamesForOneTensor() {
        let twin = SafetensorsWriter.Entry(name: "model.lm_head.weight", shape: [1], matrix: Matrix(zeros: 1, 1))
        #expect(message(entries + [twin]).contains("occurs twice"))
    }

    @Test func noWeightsAtAll() {
        let error = #expect(throws: MISPError.self) {
            try ModelFolder(folder.url).model(trainable: Trainable(), seed: 0)
        }
        #expect(error?.description.contains("has no model.safetensors and no model.safetensors.index.json") == true)
    }

    @Test(arguments: [
        (#"{"weight_map": {"a": "../model.safetensors"}}"#, "outside the folder"),
        (#"{"weight_map": {"a": "absent.safetensors"}}"#, "lists absent.safetensors, which is not in the folder"),
        (#"{"weight_map": []}"#, "weight_map"), (#"{}"#, "weight_map: is missing"),
    ])
    func aBrokenIndex(index: String, expected: String) throws {
        try Data(index.utf8).write(to: folder["model.safetensors.index.json"])
        let error = #expect(throws: MISPError.self) { try TensorCatalog(folder: folder.url) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }
}

/// Adapter folders that do not fit the model.
@Suite struct AdapterFolderTests {
    let folder: TemporaryFolder
    let source = golden("checkpoints/llama-clip-spm/adapter-final")

    init() throws {
        folder = try TemporaryFolder()
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            try FileManager.default.copyItem(at: source.appending(path: name), to: folder[name])
        }
    }

    private func message(_ body: () throws -> Void) -> String {
        #expect(throws: MISPError.self, performing: body)?.description ?? ""
    }

    @Test(arguments: [
        (#""peft_type": "LORA""#, #""peft_type": "IA3""#, "IA3"),
        (#""use_dora": false"#, #""use_dora": true"#, "use_dora: is true"),
        (#""rank_pattern": {}"#, #""rank_pattern": {"x": 0}"#, "rank_pattern.x: is 0"),
        (#""r": 4"#, #""r": 0"#, "r: is 0"), (#""r": 4"#, #""r": "four""#, "r: is a string"),
    ])
    func unsupportedSettings(old: String, new: String, expected: String) throws {
        let text = try String(contentsOf: folder["adapter_config.json"], encoding: .utf8)
        #expect(text.contains(old))
        try Data(text.replacing(old, with: new).utf8).write(to: folder["adapter_config.json"])
        #expect(message { _ = try LowRankAdapterFolder(folder.url) }.contains(expected))
    }

    @Test func tensorsThatDoNotFit() throws {
        let model = try CheckpointGolden("llama-clip-spm").model(Trainable(lora: LowRankSettings(r: 4, alpha: 8)))
        let file = folder["adapter_model.safetensors"]
        let entries = try SafetensorsFile(contentsOf: file).tensors.values.map {
            SafetensorsWriter.Entry(
                name: $0.name, shape: $0.shape, matrix: $0.widened(rows: 1, columns: $0.count))
        }.sorted { $0.name < $1.name }
        func load(_ entries: [SafetensorsWriter.Entry]) -> String {
            message {
                try SafetensorsWriter.write(entries, to: file)
                try LowRankAdapterFolder(folder.url).load(into: model)
            }
        }
        let name = entries[0].name
        let wrong = SafetensorsWriter.Entry(name: name, shape: [2, 2], matrix: Matrix(zeros: 2, 2))
        let extra = entries.prefix(2).map {
            SafetensorsWriter.Entry(
                name: $0.name.replacing("layers.0", with: "layers.7"), shape: $0.shape,
                matrix: Matrix(zeros: $0.shape[0], $0.shape[1]))
        }
        #expect(load(Array(entries.dropFirst())).contains("is missing"))
        #expect(load([wrong] + entries.dropFirst()).contains("\(name) has shape [2, 2]"))
        #expect(load(entries + extra).contains("\(extra[0].name) belongs to no part of the model"))
        let vision = SafetensorsWriter.Entry(
            name: "base_model.model.model.vision_tower.encoder.layers.0.mlp.fc1.lora_A.weight", shape: [1],
            matrix: Matrix(zeros: 1, 1))
        #expect(load(entries + [vision]).contains("does not adapt its module"))
    }
}
