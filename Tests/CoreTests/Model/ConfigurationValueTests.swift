import Core
import Foundation
import TestSupport
import Testing

/// Values of config.json, one by one.
@Suite struct ConfigurationValueTests {
    private func read(_ text: String) throws -> ModelConfiguration {
        try ModelConfiguration(JSONField(JSON(parsing: text), file: "config.json"))
    }

    private func llava(_ configuration: ModelConfiguration) throws -> LLaVA {
        try #require(configuration.family as? LLaVA)
    }

    /// As the published checkpoints and both generations of transformers write them.
    @Test(arguments: [
        // LLaVA-1.5, first conversion
        """
        {"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 32000,
         "model_type": "llava", "pad_token_id": 32001, "projector_hidden_act": "gelu",
         "text_config": {"_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"],
           "max_position_embeddings": 4096, "model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16",
           "vocab_size": 32064},
         "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.36.0.dev0",
         "vision_config": {"hidden_size": 1024, "image_size": 336, "intermediate_size": 4096,
           "model_type": "clip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14,
           "projection_dim": 768, "vocab_size": 32000},
         "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "vocab_size": 32064}
        """,
        // BakLLaVA, with everything that transformers 4.3x dumped
        """
        {"model_type": "llava", "ignore_index": -100, "image_token_index": 32000, "image_seq_length": 576,
         "text_config": {"_name_or_path": "mistralai/Mistral-7B-v0.1", "add_cross_attention": false,
           "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bad_words_ids": null,
           "begin_suppress_tokens": null, "bos_token_id": 1, "chunk_size_feed_forward": 0,
           "cross_attention_hidden_size": null, "decoder_start_token_id": null, "diversity_penalty": 0.0,
           "do_sample": false, "early_stopping": false, "encoder_no_repeat_ngram_size": 0, "eos_token_id": 2,
           "exponential_decay_length_penalty": null, "finetuning_task": null, "forced_bos_token_id": null,
           "forced_eos_token_id": null, "hidden_act": "silu", "hidden_size": 4096, "id2label": {"0": "LABEL_0"},
           "initializer_range": 0.02, "intermediate_size": 14336, "is_decoder": false, "is_encoder_decoder": false,
           "label2id": {"LABEL_0": 0}, "length_penalty": 1.0, "max_length": 20, "max_position_embeddings": 32768,
           "min_length": 0, "model_type": "mistral", "no_repeat_ngram_size": 0, "num_attention_heads": 32,
           "num_beam_groups": 1, "num_beams": 1, "num_hidden_layers": 32, "num_key_value_heads": 8,
           "num_return_sequences": 1, "output_attentions": false, "output_hidden_states": false,
           "output_scores": false, "pad_token_id": null, "prefix": null, "problem_type": null, "pruned_heads": {},
           "remove_invalid_values": false, "repetition_penalty": 1.0, "return_dict": true,
           "return_dict_in_generate": false, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sep_token_id": null,
           "sliding_window": 4096, "suppress_tokens": null, "task_specific_params": null, "temperature": 1.0,
           "tf_legacy_loss": false, "tie_encoder_decoder": false, "tie_word_embeddings": false,
           "tokenizer_class": null, "top_k": 50, "top_p": 1.0, "torch_dtype": "bfloat16", "torchscript": false,
           "typical_p": 1.0, "use_bfloat16": false, "use_cache": true, "vocab_size": 32064},
         "vision_config": {"model_type": "clip_vision_model", "dropout": 0.0, "hidden_size": 1024, "image_size": 336,
           "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14,
           "projection_dim": 768}}
        """,
        // LLaVA-interleave
        """
        {"architectures": ["LlavaForConditionalGeneration"], "image_token_index": 151646, "model_type": "llava",
         "projector_hidden_act": "gelu", "ignore_index": -100, "tie_word_embeddings": true, "torch_dtype": "float16",
         "text_config": {"_name_or_path": "Qwen/Qwen1.5-0.5B-Chat", "bos_token_id": 151643, "eos_token_id": 151645,
           "hidden_size": 1024, "intermediate_size": 2816, "max_position_embeddings": 32768, "max_window_layers": 21,
           "model_type": "qwen2", "num_attention_heads": 16, "num_hidden_layers": 24, "num_key_value_heads": 16,
           "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true, "use_sliding_window": false,
           "torch_dtype": "bfloat16", "vocab_size": 152000},
         "vision_config": {"hidden_size": 1152, "image_size": 384, "intermediate_size": 4304,
           "model_type": "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 26, "patch_size": 14,
           "vision_use_head": false},
         "vision_feature_layer": -1, "vision_feature_select_strategy": "full"}
        """,
        // As little as can be
        #"{"model_type": "llava", "text_config": {}}"#,
    ])
    func publishedConfigurationsAreAccepted(text: String) throws {
        let configuration = try read(text)
        #expect(try llava(configuration).vision.layers >= 24)
        #expect(configuration.text.windows.count == configuration.text.layers)
    }

    @Test func aModelWithoutAVisionConfigurationHasLLaVAs() throws {
        let vision = try llava(read(#"{"model_type": "llava", "text_config": {}}"#)).vision
        #expect(vision.architecture == .clip && vision.hiddenSize == 1024 && vision.intermediateSize == 4096)
        #expect(vision.layers == 24 && vision.heads == 16 && vision.imageSide == 336 && vision.patchSide == 14)
        // An empty one has its own class's defaults.
        let empty = try llava(read(#"{"model_type": "llava", "text_config": {}, "vision_config": {}}"#)).vision
        #expect(empty.hiddenSize == 768)
    }

    private func text(_ settings: String) throws -> TextConfiguration {
        try read(#"{"model_type": "llava", "text_config": {"num_hidden_layers": 4, \#(settings)}}"#).text
    }

    /// As MistralConfig and Qwen2Config of transformers.
    @Test(arguments: [
        (#""model_type": "llama""#, [nil, nil, nil, nil] as [Int?]),
        (#""model_type": "mistral""#, [4096, 4096, 4096, 4096]),
        (#""model_type": "mistral", "sliding_window": null"#, [nil, nil, nil, nil]),
        (#""model_type": "mistral", "sliding_window": 9"#, [9, 9, 9, 9]),
        (#""model_type": "qwen2", "sliding_window": 9"#, [nil, nil, nil, nil]),
        (#""model_type": "qwen2", "sliding_window": 9, "use_sliding_window": true"#, [nil, nil, nil, nil]),
        (
            #""model_type": "qwen2", "sliding_window": 9, "use_sliding_window": true, "max_window_layers": 3"#,
            [nil, nil, nil, 9]
        ),
        (#""model_type": "qwen2", "use_sliding_window": true, "max_window_layers": 1"#, [nil, 4096, 4096, 4096]),
        (
            #""model_type": "qwen2", "sliding_window": 9, "use_sliding_window": true, "#
                + #""layer_types": ["sliding_attention", "full_attention", "sliding_attention", "attention"]"#,
            [9, nil, 9, nil]
        ),
    ])
    func windowsByLayer(settings: String, windows: [Int?]) throws {
        #expect(try text(settings).windows == windows)
    }

    @Test(arguments: [
        (#""model_type": "qwen2", "layer_types": ["sliding_attention", "a", "b", "c"]"#, "layer_types[0]"),
        (#""model_type": "qwen2", "layer_types": ["full_attention"]"#, "layer_types: has 1 entries"),
        (
            #""model_type": "mistral", "#
                + #""layer_types": ["full_attention", "full_attention", "full_attention", "full_attention"]"#,
            "layer_types[0]"
        ),
        (
            #""layer_types": ["full_attention", "full_attention", "full_attention", "linear_attention"]"#,
            "layer_types[3]: is linear_attention"
        ),
        (#""sliding_window": 8"#, "text_config.sliding_window: is 8, which is not implemented"),
        (#""model_type": "mistral", "sliding_window": 0"#, "sliding_window: is 0"),
        (#""model_type": "mistral", "sliding_window": -1"#, "sliding_window: is -1"),
        (#""model_type": "qwen2", "max_window_layers": -1"#, "max_window_layers: is -1"),
        (#""rope_scaling": {"type": "linear", "factor": 2.0}"#, "rope_scaling.type: is linear"),
        (#""rope_parameters": {"rope_type": "yarn", "factor": 4}"#, "rope_parameters.rope_type: is yarn"),
        (#""rope_parameters": {"rope_theta": 1, "partial_rotary_factor": 0.5}"#, "partial_rotary_factor: is 0.5"),
        (#""rope_theta": 0"#, "rope_theta: is 0"), (#""rope_theta": Infinity"#, "rope_theta: is inf"),
        (#""rms_norm_eps": -1e-6"#, "rms_norm_eps: is -1e-06"), (#""rms_norm_eps": NaN"#, "rms_norm_eps: is nan"),
        (#""hidden_act": "gelu""#, "hidden_act: is not silu"), (#""hidden_act": "relu7""#, "hidden_act: is relu7"),
        (#""mlp_bias": true"#, "mlp_bias: is true"), (#""attention_dropout": 0.1"#, "attention_dropout: is 0.1"),
        (#""quantization_config": {"quant_method": "gptq"}"#, "quantization_config: is there (gptq)"),
        (#""model_type": "gemma""#, "text_config.model_type: is gemma"),
        (#""num_hidden_layers": 1099511627776"#, "num_hidden_layers: is 1099511627776, but must be from 1 to 4096"),
        (#""num_hidden_layers": 2.5"#, "num_hidden_layers: is a number, not an integer"),
        (#""num_hidden_layers": true"#, "num_hidden_layers: is a boolean"),
        (#""hidden_size": -32"#, "hidden_size: is -32"), (#""vocab_size": 1e30"#, "vocab_size: is a number"),
        (#""num_attention_heads": 1048576, "num_key_value_heads": 1, "head_dim": 1048576"#, "head_dim: is 1048576"),
        (#""num_attention_heads": 4, "num_key_value_heads": 3"#, "does not divide 4 heads"),
        (#""num_attention_heads": 1048576, "hidden_size": 8"#, "head_dim: is 0"),
        (#""head_dim": 7"#, "head_dim: is 7"), (#""eos_token_id": 5000000000"#, "eos_token_id: is 5000000000"),
        (#""max_position_embeddings": 9223372036854775807"#, "max_position_embeddings: is 9223372036854775807"),
    ])
    func textSettingsThatAreRefused(settings: String, expected: String) throws {
        let error = #expect(throws: MISPError.self) { try text(settings) }
        let message = error?.description ?? ""
        #expect(message.hasPrefix("config.json: text_config.") && message.contains(expected), "\(message)")
    }

    @Test(arguments: [
        (#""image_token_index": 5000000000"#, "image_token_index: is 5000000000, which is no token id"),
        (#""image_token_index": -1"#, "image_token_index: is -1"),
        (#""image_token_index": 7, "image_token_id": 8"#, "image_token_id: is 8, but image_token_index is 7"),
        (#""vision_feature_layer": [-1, -26]"#, "vision_feature_layer[1]: is -26"),
        (#""vision_feature_layer": -9223372036854775808"#, "vision_feature_layer: is -9223372036854775808"),
        (#""vision_feature_layer": []"#, "vision_feature_layer: is empty"),
        (#""vision_feature_select_strategy": "cls""#, "vision_feature_select_strategy: is cls"),
        (#""projector_hidden_act": "swish9""#, "projector_hidden_act: is swish9"),
        (#""vision_config": {"image_size": 1099511627776}"#, "vision_config.image_size: is 1099511627776"),
        (#""vision_config": {"image_size": [224, 336]}"#, "vision_config.image_size: is [224"),
        (#""vision_config": {"image_size": 14, "patch_size": 28}"#, "vision_config.patch_size: is 28"),
        (
            #""vision_config": {"num_hidden_layers": 1099511627776}"#,
            "vision_config.num_hidden_layers: is 1099511627776"
        ),
        (#""vision_config": {"hidden_size": 7, "num_attention_heads": 2}"#, "does not divide"),
        (#""vision_config": {"model_type": "dinov2", "use_swiglu_ffn": true}"#, "use_swiglu_ffn: is true"),
        (#""vision_config": {"model_type": "dinov2", "mlp_ratio": 1099511627776}"#, "mlp_ratio: is 1099511627776"),
        (#""vision_config": {"model_type": "siglip_vision_model", "vision_use_heads": true}"#, "did you mean"),
        (#""vision_config": {"layer_norm_eps": 0}"#, "layer_norm_eps: is 0"),
        (#""quantization_config": {"load_in_4bit": true}"#, "config.json: quantization_config: is there"),
        (#""mm_vision_tower": "clip-vit-large-patch14-336""#, "mm_vision_tower: is \"clip-vit-large-patch14-336\""),
        (#""model_type": "llava_next""#, "model_type: is llava_next, which is not supported"),
        (#""model_type": "mistral""#, "model_type: is mistral, a language model without a vision tower"),
        (#""model_type": "llava_qwen""#, "the original LLaVA layout"),
        (#""text_config": null"#, "text_config: is missing"),
    ])
    func otherSettingsThatAreRefused(settings: String, expected: String) throws {
        var object = try #require(try JSON(parsing: #"{"model_type": "llava", "text_config": {}}"#).object)
        for (key, value) in try #require(try JSON(parsing: "{\(settings)}").object).members { object[key] = value }
        let error = #expect(throws: MISPError.self) {
            try ModelConfiguration(JSONField(.object(object), file: "config.json"))
        }
        let message = error?.description ?? ""
        #expect(message.hasPrefix("config.json: ") && message.contains(expected), "\(message)")
    }
}
