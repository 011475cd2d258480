import Core
import Foundation
import TestSupport
import Testing

extension JSON {
    /// Objects member by member, anything else as a whole; null removes a member.
    func merging(_ changes: JSON) -> JSON {
        guard let object, let changed = changes.object else { return changes }
        var result = JSON.Object()
        for (key, value) in object.members where !(changed[key]?.isNull ?? false) {
            result[key] = changed[key].map { value.merging($0) } ?? value
        }
        for (key, value) in changed.members where object[key] == nil { result[key] = value }
        return .object(result)
    }
}

/// Configurations of the families beside LLaVA, as published checkpoints and versions of transformers write them.
@Suite struct FamilyConfigurationTests {
    private func read(_ text: String) throws -> any ModelFamily {
        try ModelConfiguration(JSONField(JSON(parsing: text), file: "config.json")).family
    }

    /// As Qwen2.5-VL 3B was published.
    @Test func thePublishedLayoutIsRead() throws {
        let qwen = try #require(
            try read(
                """
                {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0,
                 "bos_token_id": 151643, "eos_token_id": 151645, "vision_start_token_id": 151652,
                 "vision_end_token_id": 151653, "vision_token_id": 151654, "image_token_id": 151655,
                 "video_token_id": 151656, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
                 "intermediate_size": 11008, "max_position_embeddings": 128000, "max_window_layers": 70,
                 "model_type": "qwen2_5_vl", "num_attention_heads": 16, "num_hidden_layers": 36,
                 "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
                 "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.41.2",
                 "use_cache": true, "use_sliding_window": false,
                 "vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280, "intermediate_size": 3420,
                   "num_heads": 16, "in_chans": 3, "out_hidden_size": 2048, "patch_size": 14, "spatial_merge_size": 2,
                   "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
                   "tokens_per_second": 2, "temporal_patch_size": 2},
                 "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "vocab_size": 151936}
                """) as? Qwen2VL)
        #expect(qwen.text.isTied && qwen.text.headSize == 128 && qwen.text.rotarySections == [16, 24, 24])
        #expect(qwen.vision.windowSide == 4 && qwen.vision.wholeLayers == [7, 15, 23, 31])
        // What 448 × 448 pixels cost: 1024 patches, in 16 windows of 64.
        let cost = qwen.cost(PictureShape(height: 448, width: 448))
        let (n, c, inner, out) = (1024.0, 1280.0, 3420.0, 2048.0)
        let products = 2 * n * (1176 * c + 32 * (4 * c * c + 3 * c * inner))
        let attention = 4 * c * (28 * 16 * 64 * 64 + 4 * n * n)
        #expect(abs(cost.tower - products - attention) < 1)
        #expect(abs(cost.connector - 2 * n / 4 * (16 * c * c + 4 * c * out)) < 1)
    }

    /// transformers 4.52 to 4.56 write both layouts at once, ids of tokens in text_config too, and the model's own name
    /// for the tower.
    @Test func bothLayoutsAtOnceAreRead() throws {
        let family = try read(
            """
            {"model_type": "qwen2_5_vl", "image_token_id": 151655, "hidden_size": 3584, "num_hidden_layers": 28,
             "num_attention_heads": 28, "vocab_size": 152064, "rms_norm_eps": 1e-06, "tie_word_embeddings": false,
             "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"},
             "text_config": {"model_type": "qwen2_5_vl_text", "architectures": ["Qwen2_5_VLForConditionalGeneration"],
               "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
               "num_key_value_heads": 4, "vocab_size": 152064, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
               "layer_types": null, "sliding_window": null, "use_sliding_window": false, "image_token_id": null,
               "video_token_id": null, "vision_start_token_id": 151652, "vision_end_token_id": 151653,
               "vision_token_id": 151654,
               "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"}},
             "vision_config": {"model_type": "qwen2_5_vl", "depth": 32, "hidden_size": 1280, "intermediate_size": 3420,
               "out_hidden_size": 3584, "in_channels": 3, "in_chans": 3, "initializer_range": 0.02}}
            """)
        #expect(family.text.headSize == 128 && family.imageToken == 151_655 && !family.text.isTied)
    }

    /// The first release of Idefics3's class calls its tower `idefics3` and writes a width at the top.
    @Test func idefics3OfItsFirstReleaseIsRead() throws {
        let family = try #require(
            try read(
                """
                {"architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3", "hidden_size": 4096,
                 "image_token_id": 128257, "scale_factor": 2, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
                 "transformers_version": "4.45.0", "use_cache": true, "vocab_size": 128259,
                 "text_config": {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
                   "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
                   "rope_theta": 500000.0, "vocab_size": 128259, "max_position_embeddings": 131072},
                 "vision_config": {"model_type": "idefics3", "hidden_size": 1152, "image_size": 364,
                   "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14}}
                """) as? SmolVLM)
        #expect(family.vision.grid == 26 && family.scale == 2)
    }

    /// Both layouts at once, as some versions write it, are fine where they agree; what text_config says counts.
    @Test func flatKeysBesideTextConfigAreReadOnce() throws {
        let url = golden("families/qwen2.5-vl-nested/config.json")
        let both = try JSON(contentsOf: url).merging([
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 345,
            "rms_norm_eps": 1e-6, "rope_theta": 7, "sliding_window": 32768, "max_window_layers": 70,
            "rope_scaling": ["type": "default", "rope_type": "default", "mrope_section": [16, 24, 24]],
        ])
        let text = try ModelConfiguration(JSONField(both, file: "config.json")).text
        #expect(try text == ModelConfiguration(contentsOf: url).text)
        #expect(text.rotaryBase == 1e5 && text.rotarySections == [2, 1, 1])
        #expect(text.windows == [nil, nil])
    }

    /// What a class has where its configuration says nothing.
    @Test func defaultsAreThoseOfTheClasses() throws {
        let newer = try #require(
            try read(
                """
                {"model_type": "qwen2_5_vl", "vision_config": {"out_hidden_size": 8192},
                 "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}
                """) as? Qwen2VL)
        #expect(newer.text.hiddenSize == 8192 && newer.text.layers == 80 && newer.text.heads == 64)
        #expect(newer.text.keyHeads == 8 && newer.text.headSize == 128 && newer.text.intermediateSize == 29568)
        #expect(newer.text.vocabulary == 152_064 && newer.text.normEpsilon == 1e-5 && newer.text.rotaryBase == 1e6)
        #expect(newer.text.maximumLength == 32768 && newer.text.hasQueryBias && !newer.text.hasOutputBias)
        let tower = newer.vision
        #expect(tower.depth == 32 && tower.width == 3584 && tower.heads == 16 && tower.inner == 3420)
        #expect(tower.patchSide == 14 && tower.mergeSide == 2 && tower.windowSide == 4)
        #expect(tower.wholeLayers == [7, 15, 23, 31] && tower.activation == nil && newer.imageToken == 151_655)

        let older = try #require(
            try read(
                """
                {"model_type": "qwen2_vl", "vision_config": {"hidden_size": 8192},
                 "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}
                """) as? Qwen2VL
        ).vision
        #expect(older.depth == 32 && older.width == 1280 && older.heads == 16 && older.inner == 5120)
        #expect(older.output == 8192 && older.windowSide == nil && older.activation == .quickGelu)

        let tiles = try #require(
            try read(
                """
                {"model_type": "smolvlm", "text_config": {"rms_norm_eps": 1e-5}, "vision_config": {"image_size": 256}}
                """) as? SmolVLM)
        #expect(tiles.vision.hiddenSize == 1152 && tiles.vision.layers == 12 && tiles.vision.heads == 16)
        #expect(tiles.vision.intermediateSize == 3072 && tiles.vision.patchSide == 32 && tiles.scale == 2)
        #expect(tiles.vision.activation == .geluTanh && tiles.imageToken == 128_257)
    }

    /// A flag on either level ties.
    @Test(arguments: ["qwen2.5-vl-nested", "smolvlm-tiles"]) func tiedEmbeddings(name: String) throws {
        let json = try JSON(contentsOf: golden("families/\(name)/config.json"))
        for (changes, isTied) in [
            ("{}", false), (#"{"tie_word_embeddings": true}"#, true),
            (#"{"tie_word_embeddings": false, "text_config": {"tie_word_embeddings": true}}"#, true),
        ] {
            let changed = json.merging(try JSON(parsing: changes))
            #expect(try ModelConfiguration(JSONField(changed, file: "config.json")).text.isTied == isTied)
        }
    }
}
