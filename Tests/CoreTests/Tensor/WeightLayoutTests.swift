import Core
import Foundation
import TestSupport
import Testing

/// Model folders whose weights are of another layout or number format: the message names the cause.
@Suite struct WeightLayoutTests {
    let folder: TemporaryFolder

    init() throws { folder = try Self.copy(of: "llama-clip-spm") }

    private static func copy(of checkpoint: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let source = golden("checkpoints/\(checkpoint)")
        for name in [
            "config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "model.safetensors",
        ] {
            try FileManager.default.copyItem(at: source.appending(path: name), to: folder[name])
        }
        return folder
    }

    private func message(_ url: URL? = nil) -> String {
        let error = #expect(throws: MISPError.self) {
            _ = try ModelFolder(url ?? folder.url).model(trainable: Trainable(), seed: 0)
        }
        #expect(error?.kind == .input && error?.description.contains("\n") == false)
        return error?.description ?? ""
    }

    /// A safetensors file of zeros with one tensor of the original file in another format.
    private func rewrite(_ name: String, format: String, bytes: Int) throws {
        let file = golden("checkpoints/llama-clip-spm/model.safetensors")
        var header: [(String, JSON)] = []
        var offset = 0
        for tensor in try SafetensorsFile(contentsOf: file).tensors.values.sorted(by: { $0.name < $1.name }) {
            let isChosen = tensor.name == name
            let size = tensor.count * (isChosen ? bytes : 4)
            header.append(
                (
                    tensor.name,
                    [
                        "dtype": .string(isChosen ? format : "F32"), "shape": .array(tensor.shape.map(JSON.integer)),
                        "data_offsets": [.integer(offset), .integer(offset + size)],
                    ]
                ))
            offset += size
        }
        let text = Data(JSON.object(.init(header)).description.utf8)
        var data = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) }
        data += text + Data(count: offset)
        try data.write(to: folder["model.safetensors"])
    }

    @Test(arguments: [
        ("F64", 8, "is F64, which is not read; F32"), ("F8_E4M3", 1, "is F8_E4M3, which is not read (quantised"),
        ("F8_E5M2", 1, "is F8_E5M2"), ("I8", 1, "is I8, which is not read (quantised weights)"), ("U8", 1, "is U8"),
        ("I64", 8, "is I64"),
    ])
    func numberFormats(format: String, bytes: Int, expected: String) throws {
        for name in [
            "language_model.model.layers.1.mlp.up_proj.weight", "vision_tower.post_layernorm.weight",
            "language_model.lm_head.weight",
        ] {
            try rewrite(name, format: format, bytes: bytes)
            let text = message()
            #expect(text.contains("model.safetensors: the tensor ") && text.contains(expected), "\(text)")
            #expect(!text.contains("is missing"))
        }
    }

    @Test(arguments: ["qweight", "weight_packed", "SCB"]) func packedWeights(suffix: String) throws {
        let file = folder["model.safetensors"]
        let module = "language_model.model.layers.0.mlp.up_proj"
        let entries = try SafetensorsFile(contentsOf: file).tensors.values.map {
            SafetensorsWriter.Entry(
                name: $0.name == "\(module).weight" ? "\(module).\(suffix)" : $0.name, shape: $0.shape,
                matrix: $0.widened(rows: 1, columns: $0.count))
        }
        try SafetensorsWriter.write(entries, to: file)
        let text = message()
        #expect(text.contains("mlp.up_proj are quantised (\(suffix))"), "\(text)")
    }

    @Test(arguments: ["model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"])
    func filesThatLieElsewhere(name: String) throws {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "4d", count: 32))\n"
        try Data((pointer + "size 13476902\n").utf8).write(to: folder[name])
        let text = message()
        #expect(text.contains("\(name): is a git-LFS pointer") && text.contains("git lfs pull"), "\(text)")
    }

    @Test(arguments: ["pytorch_model.bin", "consolidated.00.pth", "ggml-model-q4_k.gguf", "tf_model.h5"])
    func weightsOfOtherLibraries(name: String) throws {
        try FileManager.default.moveItem(at: folder["model.safetensors"], to: folder[name])
        let text = message()
        #expect(text.contains("has no model.safetensors") && text.contains("but \(name)"), "\(text)")
    }

    @Test func anIndexThatDoesNotFit() throws {
        try FileManager.default.moveItem(
            at: folder["model.safetensors"], to: folder["model-00001-of-00001.safetensors"])
        let names = try SafetensorsFile(contentsOf: folder["model-00001-of-00001.safetensors"]).tensors.keys
        func write(_ more: [(String, JSON)]) throws {
            let map = names.sorted().map { ($0, JSON.string("model-00001-of-00001.safetensors")) } + more
            try Data(JSON.object(.init([("weight_map", .object(.init(map)))])).description.utf8)
                .write(to: folder["model.safetensors.index.json"])
        }
        try write([])
        _ = try ModelFolder(folder.url).model(trainable: Trainable(), seed: 0)
        try write([("lm_head.bias", "model-00001-of-00001.safetensors")])
        #expect(message().contains("index.json: lists lm_head.bias, which is in none of its files"))
        try write([("lm_head.bias", "model-00002-of-00002.safetensors")])
        #expect(message().contains("lists model-00002-of-00002.safetensors, which is not in the folder"))
        try write([("lm_head.bias", 2)])
        #expect(message().contains("weight_map.lm_head.bias: is a number"))
    }

    @Test func whatIsNoModelFolder() throws {
        #expect(message(folder["llava-hf/llava-1.5-7b-hf"]).contains("hf download llava-hf/llava-1.5-7b-hf"))
        #expect(message(URL(filePath: "/nowhere/llava-hf/llava-1.5-7b-hf")).contains("hf download llava-hf/llava"))
        #expect(message(folder["absent"]).contains("is not a folder; give a Hugging Face model folder"))
        #expect(message(folder["config.json"]).contains("is a file, not a folder"))
        try FileManager.default.moveItem(at: folder["config.json"], to: folder["adapter_config.json"])
        #expect(message().contains("this is an adapter"))
        try FileManager.default.moveItem(at: folder["adapter_config.json"], to: folder["params.json"])
        #expect(message().contains("has no config.json"))
    }
}

/// Tied embeddings are what the flags of both levels and the file say, as in transformers 5.
@Suite struct TiedEmbeddingTests {
    private let embedding = "model.language_model.embed_tokens.weight"

    /// A copy of a checkpoint with other flags, and its tensors as `change` makes them.
    private func model(
        _ checkpoint: String, top: JSON, text: JSON,
        _ change: (inout [String: SafetensorsWriter.Entry]) -> Void = { _ in }
    ) throws -> VisionLanguageModel<Vector> {
        let source = try CheckpointGolden(checkpoint)
        let folder = try TemporaryFolder()
        var entries: [String: SafetensorsWriter.Entry] = [:]
        for tensor in try SafetensorsFile(contentsOf: source.url.appending(path: "model.safetensors")).tensors.values {
            entries[tensor.name] = .init(
                name: tensor.name, shape: tensor.shape, matrix: tensor.widened(rows: 1, columns: tensor.count))
        }
        change(&entries)
        try SafetensorsWriter.write(entries.values.sorted { $0.name < $1.name }, to: folder["model.safetensors"])
        var root = try #require(JSON(contentsOf: source.url.appending(path: "config.json")).object)
        var inner = try #require(root["text_config"]?.object)
        inner["tie_word_embeddings"] = text
        root["text_config"] = .object(inner)
        root["tie_word_embeddings"] = top
        return try VisionLanguageModel(
            ModelConfiguration(JSONField(.object(root), file: "config.json")), from: TensorCatalog(folder: folder.url),
            common: source.folder.processor.commonShape, trainable: CheckpointGolden.full, seed: 0)
    }

    private func renamed(_ entry: SafetensorsWriter.Entry?, _ name: String) -> SafetensorsWriter.Entry? {
        entry.map { .init(name: name, shape: $0.shape, matrix: $0.matrix) }
    }

    private func expectGolden(_ model: VisionLanguageModel<Vector>, _ name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let group = try checkpoint.groups()[0]
        let values = try checkpoint.logProbabilities(group, model)
        #expect(try difference(values, checkpoint.json["groups"][0]["logps"]) < 2e-4)
    }

    @Test(arguments: [(true, true), (true, false), (false, true), (true, nil), (nil, true)] as [(JSON, JSON)])
    func aFlagOnEitherLevelTies(top: JSON, text: JSON) throws {
        let name = "smol-dinov2-bytelevel"
        let alone = try model(name, top: top, text: text)
        try expectGolden(alone, name)
        #expect(!alone.parameters.slots.contains { $0.name.contains("lm_head") })
        // With a head of the same values, and with the head alone.
        let both = try model(name, top: top, text: text) {
            $0["lm_head.weight"] = renamed($0[embedding], "lm_head.weight")
        }
        try expectGolden(both, name)
        #expect(both.parameters.count == alone.parameters.count)
        // Both names are written, with the values that training gives the one tensor.
        #expect(both.tensors.count == alone.tensors.count + 1)
        let head = try model(name, top: top, text: text) {
            $0["lm_head.weight"] = renamed($0.removeValue(forKey: embedding), "lm_head.weight")
        }
        try expectGolden(head, name)
    }

    @Test func aHeadOfOtherValuesIsRefused() throws {
        let name = "smol-dinov2-bytelevel"
        let error = #expect(throws: MISPError.self) {
            _ = try model(name, top: true, text: true) {
                guard let entry = $0[embedding] else { return }
                let matrix = entry.matrix.copied()
                matrix.base[matrix.count - 1] += 1
                $0["lm_head.weight"] = .init(name: "lm_head.weight", shape: entry.shape, matrix: matrix)
            }
        }
        let text = error?.description ?? ""
        #expect(text.contains("lm_head.weight") && text.contains("tie_word_embeddings"), "\(text)")
    }

    @Test(arguments: [(false, false), (nil, nil), (false, nil)] as [(JSON, JSON)])
    func withoutAFlagTheHeadIsItsOwn(top: JSON, text: JSON) throws {
        try expectGolden(try model("llama-clip-spm", top: top, text: text), "llama-clip-spm")
        let error = #expect(throws: MISPError.self) {
            _ = try model("smol-dinov2-bytelevel", top: top, text: text)
        }
        let message = error?.description ?? ""
        #expect(message.contains("lm_head.weight is missing; set tie_word_embeddings"), "\(message)")
    }
}
