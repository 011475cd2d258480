import Core
import Foundation

/// A preference group of made-up tokens and image features: chosen and rejected with the first image, chosen with each
/// negative's. `launch/peers/step.py` makes the same.
struct SyntheticGroup {
    let image: Int
    let prompt: Int
    let response: Int
    let negatives: Int

    private var promptTokens: PromptTokens {
        PromptTokens(
            before: [Int32](repeating: 5, count: 4), PicturePlace(rows: image, token: 5),
            after: [Int32](repeating: 5, count: prompt - 4))
    }

    private func response(_ seed: Int32) -> [Int32] { (0..<Int32(response)).map { 100 + ($0 * 37 + seed) % 30_000 } }

    private func responses(to image: Int) -> [[Int32]] { image == 0 ? [response(0), response(7)] : [response(0)] }

    /// All sequences in one layout, and the same a layout for each image, whose index is 0 there.
    var joint: SequenceLayout {
        (0...negatives).reduce(into: SequenceLayout()) {
            $0.append(promptTokens, image: $1, responses: responses(to: $1))
        }
    }

    var single: [SequenceLayout] {
        (0...negatives).map { image in
            var layout = SequenceLayout()
            layout.append(promptTokens, image: 0, responses: responses(to: image))
            return layout
        }
    }

    /// Rows of the image × width of the language model, as the projector would give them. The picture is a strip with
    /// a patch of 14 × 14 pixels for each row.
    func features<A: VectorArithmetic>(_ index: Int, width: Int) -> VisionInput<A> {
        let values = (0..<image * width).map { Float(0.1 * sin(0.37 * Double($0) + Double(index))) }
        return VisionInput(Matrix(image, width, values), shape: PictureShape(height: 14, width: 14 * image))
    }
}

/// Shapes of language models to measure with.
enum BenchmarkShape: String, CaseIterable {
    case smol = "135m"
    case tiny = "1b"

    /// SmolLM2-135M's and TinyLlama-1.1B's, with a vision tower that is never run.
    var configuration: String {
        let text =
            switch self {
            case .smol:
                """
                "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
                "num_key_value_heads": 3, "vocab_size": 49152
                """
            case .tiny:
                """
                "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
                "num_key_value_heads": 4, "vocab_size": 32000
                """
            }
        return """
            {"model_type": "llava", "tie_word_embeddings": true, "image_token_index": 3, "vision_feature_layer": 0,
             "text_config": {"model_type": "llama", \(text), "rms_norm_eps": 1e-5, "rope_theta": 100000,
               "max_position_embeddings": 8192},
             "vision_config": {"model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 64,
               "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}}
            """
    }
}
