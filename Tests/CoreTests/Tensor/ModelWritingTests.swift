import Core
import Foundation
import TestSupport
import Testing

@Suite struct ModelWritingTests {
    /// What huggingface_hub 2.4's `split_torch_state_dict_into_shards` gives for tensors of these numbers of elements.
    @Test(arguments: [
        (StoredFormat.float32, 400, [[0], [1], [4], [2, 3, 5, 6], [7, 8]]),
        (.float32, 399, [[1], [4], [0, 2, 3, 5, 6], [7, 8]]),
        (.float32, 120, [[1], [0], [4], [5], [7], [2, 3, 6, 8]]),
        (.float32, 10_000, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]),
        (.float32, 1, (0...8).map { [$0] }),
        (.bfloat16, 400, [[4], [0, 1, 2, 3, 5, 6], [7, 8]]),
        (.float16, 120, [[1], [4], [0, 2, 3], [5, 6], [7], [8]]),
    ])
    func shards(format: StoredFormat, bytes: Int, expected: [[Int]]) {
        let writing = ModelWriting(format: format, shardBytes: bytes)
        #expect(writing.shards([30, 100, 5, 5, 260, 40, 10, 60, 1]) == expected)
    }

    /// PyTorch 2.13's `half()` and `bfloat16()` of the same numbers.
    private static let rounded: [(value: Float, half: UInt16, bfloat: UInt16)] = [
        (1, 0x3C00, 0x3F80), (1.00390625, 0x3C04, 0x3F80), (1.01171875, 0x3C0C, 0x3F82), (65504, 0x7BFF, 0x4780),
        (65519.99609375, 0x7BFF, 0x4780), (2.999999892949745e-08, 1, 0x3301), (2.9802322387695312e-08, 0, 0x3300),
        (2.980232594040899e-08, 1, 0x3300), (6.0999998822808266e-05, 0x3FF, 0x3880), (-0.0, 0x8000, 0x8000),
        (.infinity, 0x7C00, 0x7F80), (0.3333333432674408, 0x3555, 0x3EAB), (-9.99994610111476e-41, 0x8000, 0x8001),
        (5.960464477539063e-08, 1, 0x3380), (0.10000000149011612, 0x2E66, 0x3DCD),
    ]

    @Test func roundingToSixteenBits() throws {
        let values = Matrix<Float>(1, Self.rounded.count, Self.rounded.map(\.value))
        for (format, expected) in [
            (StoredFormat.float16, Self.rounded.map(\.half)), (.bfloat16, Self.rounded.map(\.bfloat)),
        ] {
            var bits = [UInt16](repeating: 0, count: expected.count)
            let fits = bits.withUnsafeMutableBytes {
                $0.baseAddress.map { format.narrow(values.base, into: $0, count: expected.count) }
            }
            #expect(bits == expected && fits == true, "\(format)")
        }
        for (value, format) in [(Float(65520), StoredFormat.float16), (3.4e38, .bfloat16), (-1e30, .float16)] {
            let folder = try TemporaryFolder()
            let entry = SafetensorsWriter.Entry(name: "large", shape: [1], matrix: Matrix(1, 1, [value]))
            let error = #expect(throws: MISPError.self) {
                try SafetensorsWriter.write([entry], as: format, to: folder["model.safetensors"])
            }
            #expect(error?.description.contains("large") == true, "\(error?.description ?? "")")
            #expect(!FileManager.default.fileExists(atPath: folder["model.safetensors"].path))
        }
        for bits in 0...UInt16.max {  // what 16 bits held they hold again
            let half = StoredFormat.float(half: bits)
            let bfloat = Float(bitPattern: UInt32(bits) << 16)
            try #require(half.isNaN || StoredFormat.half(half) == bits)
            try #require(bfloat.isNaN || StoredFormat.bfloat(bfloat) == bits)
        }
    }

    private func files(_ folder: TemporaryFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
            .filter { $0.contains("safetensors") || $0.contains("partial") }.sorted()
    }

    /// A checkpoint in the oldest names and float16: written in shards and read back it is the same to the bit, and
    /// what a later writing replaces is gone.
    @Test func foldersAreReadBack() throws {
        let source = try ModelFolder(golden("checkpoints/llama-clip-sharded"))
        let model = try source.model(trainable: Trainable(language: .frozen), seed: 0)
        let original = try TensorCatalog(folder: source.url).tensors
        let folder = try TemporaryFolder()
        let steps: [(StoredFormat, Int, Int)] = [
            (.float16, 30_000, 5), (.float32, .max, 1), (.float32, 60_000, 5), (.bfloat16, .max, 1),
        ]
        for (format, bytes, count) in steps {
            try model.write(
                to: folder.url, besides: source.url, ModelWriting(format: format, shardBytes: bytes))
            let shards = (1...count).map { "model-0000\($0)-of-0000\(count).safetensors" }
            let names = count == 1 ? ["model.safetensors"] : shards + ["model.safetensors.index.json"]
            #expect(try files(folder) == names)
            let written = try ModelFolder(folder.url)
            #expect(try written.model(trainable: Trainable(), seed: 0).tensors.count == model.tensors.count)
            let tensors = try TensorCatalog(folder: folder.url).tensors
            #expect(tensors.keys.sorted() == original.keys.sorted())
            for (name, tensor) in original where format != .bfloat16 {
                let copy = try #require(tensors[name])
                let (a, b) = (tensor.widened(Float.self, rows: 1, columns: tensor.count), copy)
                #expect(copy.name == tensor.name && copy.shape == tensor.shape && copy.format == format)
                #expect(a.elements == b.widened(rows: 1, columns: b.count).elements, "\(name)")
            }
            let config = try JSON(contentsOf: folder["config.json"])
            for part in [config, config["text_config"]] {
                #expect(
                    part?["torch_dtype"]?.string == ["F32": "float32", "F16": "float16"][format.rawValue] ?? "bfloat16")
            }
            guard count > 1 else { continue }
            let index = try JSON(contentsOf: folder["model.safetensors.index.json"])
            let elements = original.values.reduce(0) { $0 + $1.count }
            #expect(index["metadata"]?["total_size"]?.int == elements * format.bytes)
            for (name, file) in try #require(index["weight_map"]?.object).members {
                let shard = try SafetensorsFile(contentsOf: folder[try #require(file.string)])
                #expect(shard.tensors[name] != nil, "\(name)")
                let size = shard.tensors.values.reduce(0) { $0 + $1.count * format.bytes }
                #expect(size <= bytes || shard.tensors.count == 1)
            }
        }
    }

    /// What tokenizer, processor and `generate` read goes along, to the byte; what an earlier model left of it goes.
    @Test func companionFilesGoAlong() throws {
        let source = try TemporaryFolder()
        let checkpoint = golden("checkpoints/llama-clip-spm")
        for name in ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"] {
            try FileManager.default.copyItem(at: checkpoint.appending(path: name), to: source[name])
        }
        let companions = [
            "added_tokens.json": #"{"<new>": 338}"#, "special_tokens_map.json": #"{"eos_token": "</s>"}"#,
            "tokenizer.model": "\u{1}stand-in", "spiece.model": "x", "vocab.json": "{}", "merges.txt": "a b",
            "chat_template.jinja": "{{ messages }}", "chat_template.json": "{}", "generation_config.json": "{}",
            "video_preprocessor_config.json": "{}", "qwen.tiktoken": "x",
        ]
        for (name, text) in companions { try Data(text.utf8).write(to: source[name]) }
        try FileManager.default.createDirectory(
            at: source["additional_chat_templates"], withIntermediateDirectories: true)
        try Data("x".utf8).write(to: source["additional_chat_templates/tools.jinja"])
        try Data("x".utf8).write(to: source["README.md"])
        let target = try TemporaryFolder()
        try Data("{}".utf8).write(to: target["tokenizer.model.v3"])
        try Data("kept".utf8).write(to: target["notes.txt"])

        let folder = try ModelFolder(source.url)
        try folder.model(trainable: Trainable(language: .frozen), seed: 0).write(to: target.url, besides: source.url)
        for (name, text) in companions { #expect(try Data(contentsOf: target[name]) == Data(text.utf8), "\(name)") }
        #expect(FileManager.default.fileExists(atPath: target["additional_chat_templates/tools.jinja"].path))
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: target.url.path))
        #expect(!names.contains("README.md") && !names.contains("tokenizer.model.v3") && names.contains("notes.txt"))
        let text = "a <new> b"
        #expect(
            try ModelFolder(target.url).tokenizer.encode(text, addSpecialTokens: true)
                == folder.tokenizer.encode(text, addSpecialTokens: true))
    }
}
