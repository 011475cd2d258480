import Core

/// Models small enough to differentiate numerically, of every shape that is supported.
enum SmallModels {
    static func configuration(
        vision: String, layers: String = "-2", select: String = "default", tied: Bool = false, text: String = "llama",
        more: String = ""
    ) throws -> ModelConfiguration {
        let inner = vision == "dinov2" ? #""mlp_ratio": 2"# : #""intermediate_size": 6"#
        let json = """
            {"model_type": "llava", "tie_word_embeddings": \(tied), "image_token_index": 9,
             "vision_feature_layer": \(layers), "vision_feature_select_strategy": "\(select)",
             "text_config": {"model_type": "\(text)", "hidden_size": 12, "intermediate_size": 10,
               "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4,
               "vocab_size": 11, "rms_norm_eps": 1e-5\(more)},
             "vision_config": {"model_type": "\(vision)", "hidden_size": 8, \(inner),
               "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 6, "patch_size": 2}}
            """
        return try ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json"))
    }

    static func picture(_ seed: UInt64, _ shape: PictureShape) -> ProcessedPicture {
        var random = KeyedRandom(seed, "pixels")
        return ProcessedPicture((0..<shape.count).map { _ in Float(random.normal()) }, shape: shape)
    }

    /// Two images; one prompt with two responses, one with one.
    static func layout(imageRows: Int) -> SequenceLayout {
        var layout = SequenceLayout()
        let prompt = PromptTokens(before: [1, 3], PicturePlace(rows: imageRows, token: 9), after: [4, 5])
        layout.append(prompt, image: 0, responses: [[6, 7, 2], [8, 2]])
        layout.append(prompt, image: 1, responses: [[6, 7, 2]])
        return layout
    }
}
