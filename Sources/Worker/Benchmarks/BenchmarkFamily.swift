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
    ///
    /// - Parameter layers: of the language model; nil: as published
    package func configuration(_ shape: BenchmarkShape, layers: Int? = nil) -> String {
        let text = "\(shape.text), \"num_hidden_layers\": \(layers ?? shape.layers)"
        return switch self {
        case .llava:
            """
            {"model_type": "llava", "tie_word_embeddings": true, "image_token_index": 3, "vision_feature_layer": 0,
             "text_config": {"model_type": "llama", \(text), "rms_norm_eps": 1e-5, "rope_theta": 100000,
               "max_position_embeddings": 8192},
             "vision_config": {"model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 64,
               "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}}
            """
        case .qwen25:
            Self.qwen(
                "qwen2_5_vl", text, shape,
                vision: """
                    "depth": 8, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "window_size": 112,
                    "fullatt_block_indexes": [7], "out_hidden_size": \(shape.width)
                    """)
        case .qwen2:
            Self.qwen(
                "qwen2_vl", text, shape,
                vision: """
                    "depth": 8, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "hidden_size": \(shape.width)
                    """)
        case .smolVLM:
            """
            {"model_type": "smolvlm", "tie_word_embeddings": true, "image_token_id": 3, "scale_factor": 4,
             "text_config": {"model_type": "llama", \(text), "rms_norm_eps": 1e-5, "rope_theta": 100000,
               "max_position_embeddings": 8192},
             "vision_config": {"model_type": "smolvlm_vision", "hidden_size": 768, "intermediate_size": 3072,
               "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 512, "patch_size": 16}}
            """
        }
    }

    private static func qwen(_ type: String, _ text: String, _ shape: BenchmarkShape, vision: String) -> String {
        // As published, of half a head: an eighth for time, three for each of height and width.
        let eighth = shape.head / 8
        let sections = [eighth, eighth * 3 / 2, eighth * 3 / 2]
        return """
            {"model_type": "\(type)", "tie_word_embeddings": true, "image_token_id": 3,
             "text_config": {"model_type": "\(type)_text", \(text), "rms_norm_eps": 1e-6,
               "max_position_embeddings": 8192,
               "rope_parameters": {"rope_type": "default", "rope_theta": 1000000, "mrope_section": \(sections)}},
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
    case vicuna = "7b"

    /// C
    var width: Int {
        switch self {
        case .smol: 576
        case .tiny: 2048
        case .vicuna: 4096
        }
    }

    /// Numbers of a head.
    var head: Int { self == .vicuna ? 128 : 64 }

    /// Of the published model.
    package var layers: Int {
        switch self {
        case .smol: 30
        case .tiny: 22
        case .vicuna: 32
        }
    }

    /// SmolLM2-135M's, TinyLlama-1.1B's and Vicuna-7B's, but for the layers.
    var text: String {
        switch self {
        case .smol:
            """
            "hidden_size": \(width), "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3,
            "vocab_size": 49152
            """
        case .tiny:
            """
            "hidden_size": \(width), "intermediate_size": 5632, "num_attention_heads": 32, "num_key_value_heads": 4,
            "vocab_size": 32000
            """
        case .vicuna:
            """
            "hidden_size": \(width), "intermediate_size": 11008, "num_attention_heads": 32, "num_key_value_heads": 32,
            "vocab_size": 32064
            """
        }
    }
}
