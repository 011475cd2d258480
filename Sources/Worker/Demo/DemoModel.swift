import Core
import Foundation

/// The untrained model of the demonstration, as a Hugging Face folder: LLaVA's shape with some 224,000 parameters.
enum DemoModel {
    /// Writes the folder; what other programs need to load it is in it too.
    static func write(to folder: URL, seed: UInt64) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, content) in [
            ("config.json", configuration), ("tokenizer.json", tokenizer),
            ("tokenizer_config.json", tokenizerConfiguration), ("preprocessor_config.json", preprocessor),
        ] {
            try FileOutput.write(content.description + "\n", to: folder.appending(path: name))
        }
        let files = try ModelFolder(folder)
        let model = try VisionLanguageModel<Float>(
            files.configuration, from: InitialTensors(seed: seed), pixels: files.pixels,
            trainable: Trainable(language: .frozen), seed: seed)
        try model.write(to: folder, besides: folder)
    }

    private static let specials = ["<pad>", "<s>", "</s>", "<image>", "<unk>"]
    private static let width = 64
    private static var vocabulary: Int { specials.count + DemoLanguage.words.count }

    private static var configuration: JSON {
        let patches = Scene.cells
        return [
            "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "dtype": "float32",
            "image_token_index": 3, "image_seq_length": .integer(patches), "multimodal_projector_bias": true,
            "projector_hidden_act": "gelu", "vision_feature_layer": -1, "vision_feature_select_strategy": "default",
            "tie_word_embeddings": false,
            "text_config": [
                "model_type": "llama", "vocab_size": .integer(vocabulary), "hidden_size": .integer(width),
                "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
                "head_dim": 16, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0, "attention_bias": false, "mlp_bias": false, "tie_word_embeddings": false,
                "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
            ],
            "vision_config": [
                "model_type": "clip_vision_model", "hidden_size": .integer(width), "intermediate_size": 128,
                "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": .integer(Scene.pixels),
                "patch_size": .integer(Scene.cellSide), "num_channels": 3, "hidden_act": "quick_gelu",
                "layer_norm_eps": 1e-5, "projection_dim": .integer(width),
            ],
        ]
    }

    /// Byte-level BPE over a closed vocabulary: a word with the space before it is a token, whole (`ignore_merges`).
    private static var tokenizer: JSON {
        let tokens = specials + DemoLanguage.words.map { "Ġ\($0)" }
        return [
            "version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil,
            "added_tokens": .array(
                specials.enumerated().map { id, content in
                    [
                        "id": .integer(id), "content": .string(content), "single_word": false, "lstrip": false,
                        "rstrip": false, "normalized": false, "special": true,
                    ]
                }),
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
            ],
            "post_processor": [
                "type": "TemplateProcessing",
                "single": [
                    ["SpecialToken": ["id": "<s>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]],
                ],
                "pair": [
                    ["SpecialToken": ["id": "<s>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]],
                    ["Sequence": ["id": "B", "type_id": 1]],
                ],
                "special_tokens": ["<s>": ["id": "<s>", "ids": [1], "tokens": ["<s>"]]],
            ],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
            "model": [
                "type": "BPE", "dropout": nil, "unk_token": "<unk>", "continuing_subword_prefix": nil,
                "end_of_word_suffix": nil, "fuse_unk": true, "byte_fallback": false, "ignore_merges": true,
                "vocab": .object(.init(tokens.enumerated().map { ($1, .integer($0)) })), "merges": [],
            ],
        ]
    }

    private static let tokenizerConfiguration: JSON = [
        "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "model_max_length": 64,
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
    ]

    private static var preprocessor: JSON {
        let side = JSON.integer(Scene.pixels)
        return [
            "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": true, "do_resize": true,
            "size": ["shortest_edge": side], "resample": 3, "do_center_crop": true,
            "crop_size": ["height": side, "width": side], "do_rescale": true, "rescale_factor": .number(1.0 / 255),
            "do_normalize": true, "image_mean": [0.1, 0.1, 0.1], "image_std": [0.3, 0.3, 0.3],
        ]
    }
}

/// First values, each tensor a pure function of seed and name. Larger than the usual deviation of 0.02, from which so
/// short a training would not get anywhere.
private struct InitialTensors: TensorSource {
    let seed: UInt64

    func weight<S: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<S> {
        let matrix = Matrix<S>(zeros: rows, columns)
        if name.hasSuffix(".bias") { return Weight(frozen: matrix) }
        if name.contains("norm") {
            matrix.base.update(repeating: 1, count: matrix.count)
        } else {
            let deviation = deviation(name)
            var random = KeyedRandom(seed, name)
            for i in 0..<matrix.count { matrix.base[i] = S(deviation * random.normal()) }
        }
        return Weight(frozen: matrix)
    }

    private func deviation(_ name: String) -> Double {
        if name.hasSuffix("embed_tokens.weight") { return 1 }
        if name.hasSuffix("position_embedding.weight") { return 0.7 }
        return name.hasSuffix("patch_embedding.weight") ? 0.0625 : 0.125
    }

    /// As the checkpoints on the Hugging Face hub have it, which every version of transformers reads.
    func writtenName(_ name: String) -> String {
        for (own, written) in [
            ("language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
            ("vision_tower.", "vision_tower.vision_model."),
        ] where name.hasPrefix(own) {
            return written + name.dropFirst(own.count)
        }
        return name
    }
}
