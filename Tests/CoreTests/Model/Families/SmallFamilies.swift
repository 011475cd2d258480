import Core
import Foundation
import TestSupport
import Testing

/// Models of the families beside LLaVA, small enough to differentiate numerically, each with pictures of two shapes.
struct SmallFamily: Sendable, CustomTestStringConvertible {
    let name: String
    /// config.json
    let json: String
    let shapes: [PictureShape]

    var testDescription: String { name }

    var configuration: ModelConfiguration {
        get throws { try ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json")) }
    }

    private static let decoder = """
        "hidden_size": 12, "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "vocab_size": 11, "rms_norm_eps": 1e-5
        """

    /// Cells of 4 × 4 pixels; windows of 2 × 2 cells, which both pictures cut; layer 1 sees whole pictures.
    static func qwen25(wholeLayers: String = "[1]") -> SmallFamily {
        SmallFamily(
            name: "Qwen2.5-VL",
            json: """
                {"model_type": "qwen2_5_vl", "image_token_id": 9,
                 "text_config": {\(decoder), "rope_parameters": {"rope_theta": 100, "mrope_section": [1, 1, 1]}},
                 "vision_config": {"depth": 3, "hidden_size": 8, "num_heads": 2, "intermediate_size": 6,
                   "patch_size": 2, "spatial_merge_size": 2, "window_size": 8, "out_hidden_size": 12,
                   "fullatt_block_indexes": \(wholeLayers)}}
                """,
            shapes: [PictureShape(height: 12, width: 20), PictureShape(height: 4, width: 12)])
    }

    static let qwen2 = SmallFamily(
        name: "Qwen2-VL",
        json: """
            {"model_type": "qwen2_vl", "image_token_id": 9, "tie_word_embeddings": true, \(decoder), "rope_theta": 100,
             "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 1]},
             "vision_config": {"depth": 2, "embed_dim": 8, "num_heads": 1, "mlp_ratio": 2, "patch_size": 2,
               "spatial_merge_size": 2, "hidden_size": 12}}
            """,
        shapes: [PictureShape(height: 8, width: 4), PictureShape(height: 4, width: 12)])

    /// Tiles of 4 × 4 patches, of which 2 × 2 are a row: two tiles and the whole picture, and one tile.
    static let smolVLM = SmallFamily(
        name: "SmolVLM",
        json: """
            {"model_type": "smolvlm", "image_token_id": 9, "scale_factor": 2, "text_config": {\(decoder)},
             "vision_config": {"hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 2,
               "num_attention_heads": 2, "image_size": 8, "patch_size": 2}}
            """,
        shapes: [PictureShape(height: 8, width: 8, tileRows: 2, tileColumns: 1), PictureShape(height: 8, width: 8)])

    /// Tiles of 6 × 6 patches and a pixel that none sees, of which 3 × 3 are a row.
    static let idefics3 = SmallFamily(
        name: "Idefics3",
        json: """
            {"model_type": "idefics3", "image_token_id": 9, "scale_factor": 3, "tie_word_embeddings": true,
             "text_config": {\(decoder)},
             "vision_config": {"hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 1,
               "num_attention_heads": 2, "image_size": 13, "patch_size": 2}}
            """,
        shapes: [PictureShape(height: 13, width: 13), PictureShape(height: 13, width: 13, tileRows: 1, tileColumns: 2)])

    static let all = [qwen25(), qwen2, smolVLM, idefics3]

    func model<A: Arithmetic>(
        _ trainable: Trainable, as: A.Type = DoublePrecision.self
    ) throws -> VisionLanguageModel<A> {
        try VisionLanguageModel(
            configuration, from: RandomTensors(seed: 3, deviation: 0.3), common: nil, trainable: trainable, seed: 5)
    }

    /// Of each picture: where the family itself puts its cells, and tiles with tokens of this vocabulary between them.
    var places: [PicturePlace] {
        get throws {
            if let qwen = try configuration.family as? Qwen2VL {
                // Which tokenizer it is does not matter: all tokens are the image token.
                let tokenizer = try Tokenizer(contentsOf: golden("families/qwen2-vl/tokenizer.json"))
                return try shapes.map { try qwen.place($0, tokenizer) }
            }
            return shapes.map { shape in
                var (tokens, features) = ([Int32](), [Range<Int>]())
                for tile in 0..<shape.tiles {
                    tokens += [7, Int32(tile)]
                    features.append(tokens.count..<tokens.count + 4)
                    tokens += [9, 9, 9, 9]
                }
                return PicturePlace(tokens: tokens + [8], featureRows: features)
            }
        }
    }

    /// Random ones of the shapes.
    var pictures: [ProcessedPicture] { zip([0, 1] as [UInt64], shapes).map { SmallModels.picture($0, $1) } }

    /// Both pictures; one prompt with two responses, one with one.
    func layout() throws -> SequenceLayout {
        var layout = SequenceLayout()
        let responses: [[[Int32]]] = [[[6, 7, 2], [8, 2]], [[6, 7, 2]]]
        for (index, place) in try places.enumerated() {
            layout.append(
                PromptTokens(before: [1, 3], place, after: [4, 5]), image: index, responses: responses[index])
        }
        return layout
    }
}
