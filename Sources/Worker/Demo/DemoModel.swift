import Core
import Foundation

/// The untrained model of the demonstration, as a Hugging Face folder: LLaVA's shape with some 224,000 parameters.
enum DemoModel {
    /// Writes the folder; what other programs need to load it is in it too.
    static func write(to folder: URL, seed: UInt64) throws {
        try OutputFolder.make(folder)
        for (name, content) in [
            ("config.json", configuration), ("tokenizer.json", tokenizer),
            ("tokenizer_config.json", DemoTokenizer.settings), ("preprocessor_config.json", preprocessor),
        ] {
            try FileOutput.write(content.description + "\n", to: folder.appending(path: name))
        }
        let files = try ModelFolder(folder)
        let model = try VisionLanguageModel<Vector>(
            files.configuration, from: InitialTensors(seed: seed), common: files.processor.commonShape,
            trainable: Trainable(language: .frozen), seed: seed)
        try model.write(to: folder, besides: folder)
    }

    private static let specials = ["<pad>", "<s>", "</s>", "<image>", "<unk>"]
    private static let width = 64
    private static var vocabulary: Int { specials.count + DemoLanguage.words.count }
    private static var tokenizer: JSON { DemoTokenizer.content(specials: specials, closing: nil) }

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

    static var preprocessor: JSON {
        let side = JSON.integer(Scene.pixels)
        return [
            "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": true, "do_resize": true,
            "size": ["shortest_edge": side], "resample": 3, "do_center_crop": true,
            "crop_size": ["height": side, "width": side], "do_rescale": true, "rescale_factor": .number(1.0 / 255),
            "do_normalize": true, "image_mean": [0.1, 0.1, 0.1], "image_std": [0.3, 0.3, 0.3],
        ]
    }
}
