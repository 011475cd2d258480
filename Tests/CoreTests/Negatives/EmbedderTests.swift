import Core
import Foundation
import TestSupport
import Testing

/// CLIP against transformers' `CLIPModel` in float32 on random checkpoints (Tests/Goldens/clip.py).
@Suite struct ClipGoldenTests {
    static let names = ["legacy", "newer"]

    private static func floats(_ field: JSONField) throws -> [Float] {
        try field.array().map { Float(try $0.double()) }
    }

    private static func difference(_ a: Matrix<Float>, _ b: [Float]) -> Float {
        guard a.count == b.count else { return .infinity }
        return zip(a.elements, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    @Test(arguments: names) func tokensAndTexts(name: String) throws {
        let folder = golden("clip/\(name)")
        let model = try ClipModel(folder: folder)
        let json = try JSONField(contentsOf: folder.appending(path: "golden.json"))
        #expect(model.longestPrompt == (try json["context"].int()))
        var cuts = 0
        for prompt in try json["prompts"].array() {
            let text = try prompt["text"].string()
            func ids(_ key: String) throws -> [Int32] { try prompt[key].array().map { Int32(try $0.int()) } }
            var tokens = try model.tokens(of: text)
            #expect(tokens == (try ids("ids")), "\(text)")
            if tokens.count > model.configuration.text.maximumLength {
                tokens = model.cut(tokens)
                cuts += 1
            }
            #expect(tokens == (try ids("cut")), "\(text)")
            let embedding = model.embed(tokens: tokens)
            #expect(embedding.columns == model.textWidth)
            #expect(Self.difference(embedding, try Self.floats(prompt["embedding"])) < 1e-4, "\(text)")
        }
        #expect(cuts == 2)
    }

    @Test(arguments: names) func pictures(name: String) throws {
        let folder = golden("clip/\(name)")
        let model = try ClipModel(folder: folder)
        let images = try JSONField(contentsOf: folder.appending(path: "golden.json"))["images"]
        for (file, _) in try images.object().members {
            let picture = try RGBImage(
                contentsOf: golden("checkpoints/llama-clip-spm/images/\(file)"), transparency: .drop)
            let embedding = model.embed(picture)
            #expect(embedding.columns == model.imageWidth)
            #expect(Self.difference(embedding, try Self.floats(images[file])) < 1e-4, "\(file)")
        }
        #expect(try images.object().count == 10)
    }

    @Test func whichTokenStandsForAText() {
        #expect(ClipPooling.highestToken.place(in: [5, 9, 3, 9, 1]) == 1)
        #expect(ClipPooling.firstEnd(3).place(in: [5, 9, 3, 9, 3]) == 2)
        #expect(ClipPooling.firstEnd(4).place(in: [5, 9]) == nil)
    }

    /// As transformers: the older section replaces the newer one whole, with its class's defaults.
    @Test func theOlderSectionsCount() throws {
        let url = golden("clip/legacy/config.json")
        let newer = try JSON(contentsOf: url)
        var older = try #require(newer.object)
        older["text_config_dict"] = ["hidden_size": 64, "num_attention_heads": 4]
        older["vision_config_dict"] = nil
        let configuration = try ClipConfiguration(JSONField(.object(older), file: "config.json"))
        #expect(configuration.text.hiddenSize == 64 && configuration.text.layers == 12)
        #expect(configuration.text.pooling == .firstEnd(49407))
        #expect(configuration.vision.hiddenSize == 24)
    }

    @Test func faultsAreNamed() throws {
        let folder = try TemporaryFolder()
        for name in ["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors"] {
            try FileManager.default.copyItem(at: golden("clip/legacy/\(name)"), to: folder[name])
        }
        #expect(try ClipModel(folder: folder.url).imageWidth == 20)
        func fault() -> String {
            do {
                _ = try ClipModel(folder: folder.url)
                return "none"
            } catch { return "\(error)" }
        }
        let config = try String(contentsOf: folder["config.json"], encoding: .utf8)
        for (old, new, expected) in [
            (#""model_type": "clip","#, #""model_type": "siglip","#, "model_type: is siglip, not clip"),
            (#""hidden_size": 32"#, #""hidden_size": 36"#, "token_embedding.weight has shape"),
            (#""num_hidden_layers": 2"#, #""num_hidden_layers": 1"#, "belong to no part of the model"),
            (#""num_hidden_layers": 3"#, #""num_hidden_layers": 4"#, "vision_model.encoder.layers.3"),
            (#""eos_token_id": 2"#, #""eos_token_id": 7"#, "none"),
        ] {
            #expect(config.contains(old))
            try Data(config.replacing(old, with: new, maxReplacements: 1).utf8).write(to: folder["config.json"])
            #expect(fault().contains(expected), "\(fault())")
        }
        // The last of these: a text without the token that stands for it.
        #expect { try ClipModel(folder: folder.url).tokens(of: "A cat.") } throws: {
            "\($0)".contains("no end-of-text token")
        }
        try FileManager.default.removeItem(at: folder["tokenizer.json"])
        #expect(fault().contains("tokenizer.json: does not exist; prompts need CLIP's tokenizer"))
    }
}

/// A LLaVA model's tower and token embeddings as an embedder.
@Suite struct VisionEmbedderTests {
    @Test(arguments: CheckpointGolden.names) func meansOfFeaturesAndTokens(name: String) throws {
        let url = golden("checkpoints/\(name)")
        let embedder = try VisionEmbedder(folder: url)
        let checkpoint = try CheckpointGolden(name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let file = url.appending(path: "images/wide.jpg")
        let picture = try checkpoint.picture(file.path)
        let features = model.encoder.features(picture)
        #expect(features.columns == model.encoder.featureWidth)
        #expect(features.rows == model.encoder.rows(picture.shape).features)
        let embedding = try embedder.embed(RGBImage(contentsOf: file))
        #expect(embedding.columns == embedder.imageWidth && embedding.columns == features.columns)
        check(embedding, isMeanOf: features)

        let tokens = try embedder.tokens(of: "What is on the table?")
        #expect(tokens == checkpoint.folder.tokenizer.encode("What is on the table?", addSpecialTokens: false))
        let rows = Matrix<Float>(uninitialized: tokens.count, embedder.textWidth)
        for (row, token) in tokens.enumerated() {
            rows.rows(row..<row + 1).copyElements(
                of: model.language.embedding.matrix.rows(Int(token)..<Int(token) + 1))
        }
        check(embedder.embed(tokens: tokens), isMeanOf: rows)
    }

    /// A picture's mean is over as many features as its size gives it; a size that a family refuses is an error.
    @Test(arguments: CheckpointGolden.families) func picturesOfEveryFamily(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let embedder = try VisionEmbedder(folder: checkpoint.url)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        for path in ["images/strip.png", "images/large.png"] {
            let file = checkpoint.data.appending(path: path)
            let embedding = try embedder.embed(RGBImage(contentsOf: file))
            #expect(embedding.columns == embedder.imageWidth)
            check(embedding, isMeanOf: model.encoder.features(try checkpoint.picture(file.path)))
        }
        guard checkpoint.folder.configuration.family is Qwen2VL else { return }
        let long = RGBImage(width: 201, height: 1, pixels: [UInt8](repeating: 7, count: 603))
        #expect(throws: MISPError.self) { _ = try embedder.embed(long) }
    }

    /// By the plain formula, in Double.
    private func check(_ embedding: Matrix<Float>, isMeanOf rows: Matrix<Float>) {
        let means = (0..<rows.columns).map { c in (0..<rows.rows).reduce(0.0) { $0 + Double(rows[$1, c]) } }
        let length = means.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for (value, mean) in zip(embedding.elements, means) { #expect(abs(Double(value) - mean / length) < 1e-6) }
    }

    @Test func aVectorOfZerosStays() {
        #expect(Matrix<Float>(2, 2, [0, 0, 3, 4]).unitRows().elements == [0, 0, 0.6, 0.8])
    }
}

/// What is stored under an embedder's name must have been made by it.
@Suite struct EmbedderContentTests {
    private func identity(_ url: URL) throws -> Digest {
        let content = try ClipModel(folder: url).content
        return content.identity((0..<content.partCount).map(content.digest(ofPart:)))
    }

    @Test func everyFileAndWeightCounts() throws {
        let folder = try TemporaryFolder()
        let names = ["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors"]
        func restore(_ name: String) throws {
            try? FileManager.default.removeItem(at: folder[name])
            try FileManager.default.copyItem(at: golden("clip/legacy/\(name)"), to: folder[name])
        }
        for name in names { try restore(name) }
        let original = try identity(golden("clip/legacy"))
        // The place of the folder does not.
        #expect(try identity(folder.url) == original)
        for name in names {
            var bytes = try Data(contentsOf: folder[name])
            if name == "model.safetensors" { bytes[bytes.count - 2] ^= 1 } else { bytes += Data("\n".utf8) }
            try bytes.write(to: folder[name])
            #expect(try identity(folder.url) != original, "\(name)")
            try restore(name)
        }
        #expect(try identity(folder.url) == original)
    }
}
