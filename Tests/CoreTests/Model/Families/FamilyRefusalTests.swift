import Core
import Foundation
import TestSupport
import Testing

/// What the families beside LLaVA do not implement is refused by name, in one line, as a fault of the input.
@Suite struct FamilyRefusalTests {
    /// The error of a config.json with some members changed; null removes one.
    private func refusal(of name: String, _ changes: String) throws -> String {
        let url = golden("families/\(name)/config.json")
        let changed = try JSON(contentsOf: url).merging(JSON(parsing: changes))
        let error = #expect(throws: MISPError.self, "\(changes)") {
            _ = try ModelConfiguration(JSONField(changed, file: "config.json"))
        }
        #expect(error?.kind == .input && error?.description.contains("\n") == false)
        return error?.description ?? ""
    }

    @Test(arguments: [
        // Rotary positions: at the top, and in text_config.
        ("qwen2.5-vl-flat", #"{"rope_scaling": {"type": "yarn"}}"#, "rope_scaling.type: is yarn, which is not"),
        ("qwen2.5-vl-flat", #"{"rope_scaling": {"rope_type": "yarn"}}"#, "rope_scaling.rope_type: is yarn"),
        ("qwen2.5-vl-flat", #"{"rope_scaling": {"rope_type": "default", "factor": 4}}"#, "rope_scaling.factor: is 4"),
        (
            "qwen2.5-vl-nested", #"{"text_config": {"rope_parameters": {"rope_type": "yarn"}}}"#,
            "text_config.rope_parameters.rope_type: is yarn, which is not supported"
        ),
        ("qwen2-vl", #"{"rope_scaling": {"mrope_interleaved": true}}"#, "rope_scaling.mrope_interleaved: is true"),
        ("qwen2-vl", #"{"rope_scaling": {"mrope_section": [2, 3, 4]}}"#, "rope_scaling.mrope_section: is [2, 3, 4]"),
        ("qwen2-vl", #"{"rope_scaling": {"mrope_section": [4, 4]}}"#, "three numbers that add up to half of 16"),
        ("qwen2-vl", #"{"rope_scaling": {"mrope_section": [8, 0, 0]}}"#, "rope_scaling.mrope_section[1]: is 0"),
        ("qwen2-vl", #"{"rope_scaling": {"mrope_section": null}}"#, "rope_scaling.mrope_section: is missing"),
        ("qwen2-vl", #"{"rope_scaling": null}"#, "mrope_section: is missing"),
        (
            "qwen2.5-vl-nested", #"{"text_config": {"rope_parameters": {"mrope_section": [2, 1, 2]}}}"#,
            "rope_parameters.mrope_section: is [2, 1, 2], but must be three numbers that add up to half of 8"
        ),
        // Windows of the decoder.
        ("qwen2.5-vl-flat", #"{"use_sliding_window": true}"#, "use_sliding_window: is true, which is not implemented"),
        (
            "qwen2.5-vl-nested", #"{"text_config": {"use_sliding_window": true}}"#,
            "text_config.use_sliding_window: is true, which is not implemented"
        ),
        (
            "qwen2.5-vl-nested", #"{"text_config": {"layer_types": ["full_attention", "sliding_attention"]}}"#,
            "text_config.layer_types[1]: is sliding_attention"
        ),
        ("qwen2-vl", #"{"layer_types": ["sliding_attention", "full_attention"]}"#, "layer_types[0]: is sliding"),
        ("qwen2-vl", #"{"layer_types": ["full_attention"]}"#, "layer_types: has 1 entries"),
        // Keys that some versions write twice.
        ("qwen2.5-vl-nested", #"{"hidden_size": 64}"#, "hidden_size: is 64, but text_config says 32"),
        ("qwen2.5-vl-nested", #"{"num_hidden_layers": 3}"#, "num_hidden_layers: is 3, but text_config says 2"),
        ("qwen2.5-vl-nested", #"{"num_attention_heads": 2}"#, "num_attention_heads: is 2, but text_config says 4"),
        ("qwen2.5-vl-nested", #"{"vocab_size": 344}"#, "vocab_size: is 344, but text_config says 345"),
        ("qwen2.5-vl-nested", #"{"rms_norm_eps": 1e-5}"#, "rms_norm_eps: is 1e-05, but text_config says 1e-06"),
        // The tower.
        ("qwen2.5-vl-flat", #"{"vision_config": {"out_hidden_size": 48}}"#, "out_hidden_size: is 48, but"),
        ("qwen2-vl", #"{"vision_config": {"hidden_size": 48}}"#, "vision_config.hidden_size: is 48, but"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"num_heads": 3}}"#, "vision_config.num_heads: is 3"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"num_heads": 16}}"#, "vision_config.num_heads: is 16"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"hidden_act": "gelu"}}"#, "vision_config.hidden_act: is not silu"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"temporal_patch_size": 1}}"#, "temporal_patch_size: must be 2"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"in_chans": 4}}"#, "vision_config.in_chans: must be 3"),
        ("qwen2.5-vl-nested", #"{"vision_config": {"in_channels": 1}}"#, "vision_config.in_channels: must be 3"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"spatial_patch_size": 16}}"#, "spatial_patch_size: is not patch_size"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"window_size": 27}}"#, "vision_config.window_size: is 27"),
        ("qwen2.5-vl-flat", #"{"vision_config": {"fullatt_block_indexes": [1.5]}}"#, "fullatt_block_indexes[0]"),
        (
            "qwen2.5-vl-nested", #"{"vision_config": {"rope_parameters": {"rope_theta": 5000.0}}}"#,
            "vision_config.rope_parameters.rope_theta: is 5000"
        ),
        ("qwen2-vl", #"{"vision_config": {"window_size": 112}}"#, "vision_config.window_size: is 112"),
        ("qwen2-vl", #"{"vision_config": {"deepstack_visual_indexes": [5]}}"#, "deepstack_visual_indexes"),
        ("qwen2-vl", #"{"model_type": "qwen3_vl"}"#, "model_type: is qwen3_vl, which is not supported"),
        // SmolVLM and Idefics3.
        ("smolvlm-tiles", #"{"scale_factor": 3}"#, "scale_factor: is 3, which does not divide 4 patches a side"),
        ("idefics3-whole", #"{"scale_factor": 4}"#, "scale_factor: is 4, which does not divide 6 patches a side"),
        ("smolvlm-tiles", #"{"text_config": {"rms_norm_eps": null}}"#, "text_config.rms_norm_eps: is missing"),
        ("smolvlm-tiles", #"{"text_config": {"qk_layer_norms": true}}"#, "text_config.qk_layer_norms: is true"),
        ("smolvlm-tiles", #"{"text_config": {"use_resampler": true}}"#, "text_config.use_resampler: is true"),
        ("smolvlm-tiles", #"{"text_config": {"rope_interleaved": true}}"#, "text_config.rope_interleaved: is true"),
        ("smolvlm-tiles", #"{"text_config": {"model_type": "gemma"}}"#, "text_config.model_type: is gemma"),
        ("smolvlm-tiles", #"{"vision_config": {"model_type": "clip"}}"#, "vision_config.model_type: is clip"),
        // A tower with a class token, whose rows are no grid.
        ("idefics3-whole", #"{"vision_config": {"model_type": "clip_vision_model"}}"#, "model_type: is clip_vision"),
        ("smolvlm-tiles", #"{"text_config": null}"#, "text_config: is missing"),
        ("smolvlm-tiles", #"{"image_token_id": -1}"#, "image_token_id: is -1, which is no token id"),
    ])
    func settingsOfAConfigurationThatAreRefused(name: String, changes: String, expected: String) throws {
        let text = try refusal(of: name, changes)
        #expect(text.hasPrefix("config.json: ") && text.contains(expected), "\(text)")
    }
}

/// Folders, settings of runs and texts that do not fit a family.
@Suite struct FamilyFolderTests {
    private func message(_ body: () throws -> Void) -> String {
        let error = #expect(throws: MISPError.self, performing: body)
        #expect(error?.kind == .input && error?.description.contains("\n") == false)
        return error?.description ?? ""
    }

    /// A copy of a folder without weights.
    private func copy(_ name: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"] {
            try FileManager.default.copyItem(at: golden("families/\(name)/\(file)"), to: folder[file])
        }
        return folder
    }

    private func set(_ changes: [(String, JSON)], in file: URL) throws {
        var object = try #require(JSON(contentsOf: file).object)
        for (key, value) in changes { object[key] = value }
        try Data(JSON.object(object).description.utf8).write(to: file)
    }

    @Test(arguments: [
        ("qwen2.5-vl-flat", "CLIPImageProcessor", "is CLIPImageProcessor, but models of this family need Qwen2VL"),
        ("qwen2-vl", "SmolVLMImageProcessor", "is SmolVLMImageProcessor, but models of this family need Qwen2VL"),
        ("smolvlm-tiles", "Qwen2VLImageProcessor", "is Qwen2VLImageProcessor, but models of this family need SmolVLM"),
        ("idefics3-whole", "Idefics2ImageProcessor", "is Idefics2ImageProcessor, but models of this family"),
        ("llava-interleave", "Qwen2VLImageProcessor", "Qwen2VLImageProcessor is not supported"),
    ])
    func anotherFamilysImageProcessor(name: String, type: String, expected: String) throws {
        let folder = try copy(name)
        try set([("image_processor_type", .string(type))], in: folder["preprocessor_config.json"])
        let text = message { _ = try ModelFolder(folder.url) }
        #expect(text.contains("preprocessor_config.json: image_processor_type: \(expected)"), "\(text)")
    }

    @Test(
        arguments: [
            ("qwen2-vl", "min_pixels", JSON.integer(30_000), "at least 30000 and at most 28224 pixels cannot be"),
            ("qwen2-vl", "max_pixels", 783, "at most 783 pixels cannot be"),
            ("qwen2-vl", "max_pixels", 0, "max_pixels: is 0"),
            ("qwen2-vl", "patch_size", "14", "patch_size: is a string"),
            ("qwen2-vl", "do_resize", false, "do_resize: is false"),
            ("qwen2-vl", "temporal_patch_size", 1, "temporal_patch_size: is 1, which is not implemented"),
            ("qwen2-vl", "resample", 9, "resample: 9 is no filter"),
            ("qwen2-vl", "image_std", [1, 0, 1], "image_std: holds 0"),
            ("qwen2-vl", "pad_to", 8, "pad_to: is 8"), ("qwen2-vl", "do_center_crop", true, "do_center_crop: is true"),
            ("smolvlm-tiles", "do_image_splitting", "yes", "do_image_splitting: is a string"),
            ("smolvlm-tiles", "max_image_size", ["longest_edge": 0], "max_image_size.longest_edge: is 0"),
            ("smolvlm-tiles", "size", ["longest_edge": 100_000], "size.longest_edge: is 100000"),
            ("smolvlm-tiles", "do_resize", false, "do_resize: is false"),
        ] as [(String, String, JSON, String)])
    func settingsOfAnImageProcessorThatAreRefused(name: String, key: String, value: JSON, expected: String) throws {
        let folder = try copy(name)
        try set([(key, value)], in: folder["preprocessor_config.json"])
        let text = message { _ = try ModelFolder(folder.url) }
        #expect(text.contains("preprocessor_config.json: ") && text.contains(expected), "\(text)")
    }

    /// Pictures in cells or tiles of another size than the tower's would be cut up wrongly.
    @Test(
        arguments: [
            ("qwen2.5-vl-flat", "patch_size", JSON.integer(16)), ("qwen2-vl", "merge_size", 3),
            ("smolvlm-tiles", "max_image_size", ["longest_edge": 48]),
            ("idefics3-whole", "max_image_size", ["longest_edge": 64]),
        ] as [(String, String, JSON)])
    func anImageProcessorThatDoesNotFitTheTower(name: String, key: String, value: JSON) throws {
        let folder = try copy(name)
        try FileManager.default.copyItem(
            at: golden("families/\(name)/model.safetensors"), to: folder["model.safetensors"])
        func load() throws {
            let read = try ModelFolder(folder.url)
            _ = try GroupEncoder(read, template: .llava)
            _ = try read.model(trainable: CheckpointGolden.frozen, seed: 0)
        }
        try load()
        try set([(key, value)], in: folder["preprocessor_config.json"])
        let text = message(load)
        #expect(text.contains("preprocessor_config.json"), "\(text)")
    }

    /// What a run sets of its pictures, for families that have no such setting.
    @Test func settingsThatAFamilyDoesNotHave() throws {
        for (name, settings, expected) in [
            ("llava-interleave", PictureSettings(least: 3136), "model.min_pixels: is set, but models of the LLaVA"),
            ("llava-interleave", PictureSettings(most: 3136), "model.max_pixels: is set, but models of the LLaVA"),
            ("llava-interleave", PictureSettings(splits: false), "model.image_splitting: is set, but"),
            ("qwen2.5-vl-flat", PictureSettings(splits: true), "model.image_splitting: is set, but models of"),
            ("smolvlm-tiles", PictureSettings(least: 3136), "model.min_pixels: is set, but models of the SmolVLM"),
            ("idefics3-whole", PictureSettings(most: 3136), "model.max_pixels: is set, but models of the SmolVLM"),
            ("qwen2-vl", PictureSettings(least: 30_000), "at least 30000 and at most 28224 pixels cannot be"),
            ("qwen2-vl", PictureSettings(least: 1, most: 783), "at most 783 pixels cannot be: a cell has 784"),
        ] {
            let text = message { _ = try ModelFolder(golden("families/\(name)"), pictures: settings) }
            #expect(text.contains(expected), "\(text)")
        }
    }

    /// A run's own limits stand above the folder's.
    @Test func settingsThatAFamilyHas() throws {
        let url = golden("families/qwen2-vl")
        func shape(_ settings: PictureSettings) throws -> PictureShape {
            try ModelFolder(url, pictures: settings).processor.shape(height: 220, width: 300)
        }
        // At most 28,224 pixels, which are 36 cells: 5 × 7.
        #expect(try shape(PictureSettings()) == PictureShape(height: 140, width: 196))
        #expect(try shape(PictureSettings(least: 784, most: 784)) == PictureShape(height: 28, width: 28))
        #expect(try shape(PictureSettings(most: 1 << 20)) == PictureShape(height: 224, width: 308))
        let tiles = golden("families/smolvlm-tiles")
        #expect(try ModelFolder(tiles).processor.commonShape == nil)
        let whole = try ModelFolder(tiles, pictures: PictureSettings(splits: false)).processor
        #expect(whole.commonShape == PictureShape(height: 32, width: 32))
        let idefics3 = golden("families/idefics3-whole")
        let split = try ModelFolder(idefics3, pictures: PictureSettings(splits: true)).processor
        #expect(try split.commonShape == nil && split.shape(height: 50, width: 50).tiles == 17)
    }

    /// Tokens that stand for a picture, or for a part of one, are the program's alone to place.
    @Test(arguments: [
        (
            "qwen2.5-vl-flat",
            ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"]
        ),
        (
            "smolvlm-tiles", ["<fake_token_around_image>", "<global-img>", "<row_1_col_1>", "<row_6_col_6>", "<video>"]
        ),
    ])
    func tokensOfPicturesInTextsAreRefused(name: String, marks: [String]) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let encoder = try GroupEncoder(
            checkpoint.folder, template: PromptTemplate(checkpoint.json["template_name"].string()))
        for mark in marks {
            let prompt = message { _ = try encoder.encode(prompt: "What is \(mark)?", at: "rows.jsonl: a") }
            #expect(prompt.hasPrefix("rows.jsonl: a: the prompt holds \(mark), which stands for"), "\(prompt)")
            let alone = message { _ = try encoder.encode(promptWithoutImage: "\(mark)", at: "rows.jsonl: a") }
            #expect(alone.contains("holds \(mark)"), "\(alone)")
            let system = message { _ = try encoder.encode(prompt: "What?", system: mark, at: "rows.jsonl: a") }
            #expect(system.contains("holds \(mark)"), "\(system)")
            let response = message { _ = try encoder.encode(response: "A\(mark)\u{301} b", at: "rows.jsonl: a") }
            #expect(response.hasPrefix("rows.jsonl: a: the response holds \(mark)"), "\(response)")
        }
        // The template's own mark, which for Qwen is no token at all.
        #expect(message { _ = try encoder.encode(prompt: "an <image>", at: "rows") }.contains("rows: holds <image>"))
    }

    /// In Qwen's family `<image>` in a response is text like any other; in SmolVLM's it is the image token.
    @Test func theTemplatesMarkInAResponse() throws {
        func encoder(_ name: String) throws -> GroupEncoder {
            let checkpoint = try CheckpointGolden(family: name)
            return try GroupEncoder(
                checkpoint.folder, template: PromptTemplate(checkpoint.json["template_name"].string()))
        }
        let qwen = try encoder("qwen2-vl").encode(response: "an <image> of it", at: "rows")
        #expect(qwen.count > 4)
        let smol = try encoder("smolvlm-tiles")
        #expect(message { _ = try smol.encode(response: "an <image> of it", at: "rows") }.contains("the image token"))
    }

    /// A tokenizer without the image token, and a config.json that names another one.
    @Test(arguments: [("qwen2.5-vl-flat", "<|image_pad|>"), ("smolvlm-tiles", "<image>")])
    func anImageTokenThatDoesNotFit(name: String, mark: String) throws {
        let folder = try copy(name)
        try set([("image_token_id", 7)], in: folder["config.json"])
        let read = try ModelFolder(folder.url)
        let text = message { _ = try GroupEncoder(read, template: .llava) }
        #expect(text.contains("tokenizer.json: \(mark) is not token 7"), "\(text)")
    }
}
