import Core

/// Families of models to measure with. The language model has a `BenchmarkShape`; what is the family's own is the
/// encoder, and what of a picture stands in a sequence.
package enum BenchmarkFamily: String, CaseIterable {
    case llava
    case qwen25 = "qwen2.5-vl"
    case qwen2 = "qwen2-vl"
    case smolVLM = "smolvlm"

    /// config.json: SmolVLM-256M's tower, the first 8 of Qwen's 32 layers (of Qwen2.5-VL's one in eight sees the whole
    /// picture, as published), and for LLaVA a tower that is never run.
    package func configuration(_ shape: BenchmarkShape) -> String {
        switch self {
        case .llava:
            """
            {"model_type": "llava", "tie_word_embeddings": true, "image_token_index": 3, "vision_feature_layer": 0,
             "text_config": {"model_type": "llama", \(shape.text), "rms_norm_eps": 1e-5, "rope_theta": 100000,
               "max_position_embeddings": 8192},
             "vision_config": {"model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 64,
               "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}}
            """
        case .qwen25:
            Self.qwen(
                "qwen2_5_vl", shape,
                vision: """
                    "depth": 8, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "window_size": 112,
                    "fullatt_block_indexes": [7], "out_hidden_size": \(shape.width)
                    """)
        case .qwen2:
            Self.qwen(
                "qwen2_vl", shape,
                vision: """
                    "depth": 8, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "hidden_size": \(shape.width)
                    """)
        case .smolVLM:
            """
            {"model_type": "smolvlm", "tie_word_embeddings": true, "image_token_id": 3, "scale_factor": 4,
             "text_config": {"model_type": "llama", \(shape.text), "rms_norm_eps": 1e-5, "rope_theta": 100000,
               "max_position_embeddings": 8192},
             "vision_config": {"model_type": "smolvlm_vision", "hidden_size": 768, "intermediate_size": 3072,
               "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 512, "patch_size": 16}}
            """
        }
    }

    private static func qwen(_ type: String, _ shape: BenchmarkShape, vision: String) -> String {
        """
        {"model_type": "\(type)", "tie_word_embeddings": true, "image_token_id": 3,
         "text_config": {"model_type": "\(type)_text", \(shape.text), "rms_norm_eps": 1e-6,
           "max_position_embeddings": 8192,
           "rope_parameters": {"rope_type": "default", "rope_theta": 1000000, "mrope_section": [8, 12, 12]}},
         "vision_config": {\(vision)}}
        """
    }

    /// A picture that takes `rows` rows of the language model; nil where none does.
    package func picture(rows: Int) -> PictureShape? {
        switch self {
        case .llava: return PictureShape(height: 28, width: 28)
        case .qwen25, .qwen2:
            let height = Self.height(rows)
            return PictureShape(height: 28 * height, width: 28 * (rows / height))
        case .smolVLM:
            // Two tiles would be one and the whole picture, which is the same.
            guard rows % Self.tileRows == 0, rows != 2 * Self.tileRows else { return nil }
            let tiles = rows / Self.tileRows
            return PictureShape(height: 512, width: 512, tileRows: 1, tileColumns: max(1, tiles - 1))
        }
    }

    /// What stands for it in a sequence. The texts between SmolVLM's tiles are tokens of no meaning.
    package func place(rows: Int) -> PicturePlace {
        switch self {
        case .llava: return PicturePlace(rows: rows, token: 5)
        case .qwen25, .qwen2:
            let (height, width) = (Self.height(rows), rows / Self.height(rows))
            return PicturePlace(
                tokens: [Int32](repeating: 5, count: rows), featureRows: [0..<rows],
                positions: (0..<rows).map { RotaryPosition(time: 0, height: $0 / width, width: $0 % width) },
                span: max(height, width))
        case .smolVLM:
            let block = Self.tileRows + Self.tileText
            let tiles = rows / Self.tileRows
            return PicturePlace(
                tokens: [Int32](repeating: 5, count: tiles * block + 1),
                featureRows: (0..<tiles).map { $0 * block + Self.tileText..<($0 + 1) * block })
        }
    }

    /// Cells down a picture of so many: as near to a square as can be.
    private static func height(_ cells: Int) -> Int {
        (1...cells).prefix { $0 * $0 <= cells }.last { cells % $0 == 0 } ?? 1
    }

    /// Rows of a tile of SmolVLM-256M, and tokens before it.
    private static let (tileRows, tileText) = (64, 2)
}

/// Shapes of language models to measure with.
package enum BenchmarkShape: String, CaseIterable {
    case smol = "135m"
    case tiny = "1b"

    /// C
    var width: Int { self == .smol ? 576 : 2048 }

    /// SmolLM2-135M's and TinyLlama-1.1B's.
    var text: String {
        switch self {
        case .smol:
            """
            "hidden_size": \(width), "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
            "num_key_value_heads": 3, "vocab_size": 49152
            """
        case .tiny:
            """
            "hidden_size": \(width), "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
            "num_key_value_heads": 4, "vocab_size": 32000
            """
        }
    }
}
