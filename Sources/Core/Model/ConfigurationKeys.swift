/// What is made of each key of the configuration files of models, as the classes of transformers 4 and 5 write them.
///
/// Read keys are checked where they are read; a value of a fixed key is the default of its class.
extension KeyTable {
    /// What every class writes. None of the harmless keys changes a log-probability: names, number formats of files,
    /// how a model was initialised, what it returns, and generation settings, which transformers takes from
    /// generation_config.json alone.
    package static let anyModel = KeyTable(
        read: ["model_type", "quantization_config"],
        harmless: [
            "_attn_implementation_autoset", "_commit_hash", "_flash_attn_2_enabled", "_name_or_path", "architectures",
            "attn_implementation",
            "bos_token_id", "chunk_size_feed_forward", "cls_token_id", "cross_attention_hidden_size",
            "decoder_start_token_id", "dtype",
            "eos_token_id", "finetuning_task", "gradient_checkpointing", "id2label", "initializer_factor",
            "initializer_range", "is_composition", "is_decoder", "label2id", "mask_token_id", "name_or_path",
            "num_labels",
            "output_attentions", "output_hidden_states", "pad_token_id", "prefix", "pretraining_tp", "problem_type",
            "projection_dim", "return_dict", "sep_token_id", "task_specific_params", "tf_legacy_loss",
            "tie_encoder_decoder", "tokenizer_class", "torch_dtype", "torchscript", "transformers_version",
            "transformers.js_config", "unk_token_id", "unsloth_fixed", "unsloth_version", "use_bfloat16", "use_cache",
        ],
        fixed: [
            "add_cross_attention": [false], "is_encoder_decoder": [false], "pruned_heads": [.object(.init())],
        ]
    ).adding(generation)

    private static let generation = KeyTable(
        read: [],
        harmless: [
            "bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
            "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
            "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id", "length_penalty",
            "max_length",
            "max_new_tokens", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
            "num_return_sequences",
            "output_scores", "remove_invalid_values", "repetition_penalty", "return_dict_in_generate",
            "suppress_tokens",
            "temperature", "top_k", "top_p", "typical_p",
        ])

    /// The top of a LLaVA model's config.json. Sizes there repeat those of `text_config`.
    package static let llava = KeyTable(
        read: [
            "text_config", "vision_config", "projector_hidden_act", "multimodal_projector_bias", "vision_feature_layer",
            "vision_feature_select_strategy", "image_token_index", "image_token_id", "tie_word_embeddings",
        ],
        harmless: ["hidden_size", "ignore_index", "image_seq_length", "vocab_size"]
    ).adding(anyModel)

    /// `text_config` of each kind of decoder.
    package static let llama = KeyTable(
        read: ["attention_bias"], harmless: loaderKeys.union(["max_window_layers"]),
        fixed: [
            "sliding_window": [], "use_sliding_window": [false], "qk_layer_norms": [false],
            "rope_interleaved": [false], "use_resampler": [false],
        ]
    ).adding(decoder)
    package static let mistral = KeyTable(
        read: ["sliding_window"], harmless: ["max_window_layers"],
        fixed: ["attention_bias": [false], "use_sliding_window": [false]]
    ).adding(decoder)
    /// Qwen2's class has its biases whatever attention_bias says.
    package static let qwen2 = KeyTable(
        read: ["sliding_window", "use_sliding_window", "max_window_layers"], harmless: ["attention_bias"]
    ).adding(decoder)
    /// Without `use_sliding_window` the other keys of windows mean nothing.
    package static let qwen2VLText = KeyTable(
        read: [],
        harmless: [
            "attention_bias", "max_window_layers", "sliding_window", "vision_end_token_id", "vision_start_token_id",
            "vision_token_id",
        ],
        fixed: ["use_sliding_window": [false]]
    ).adding(decoder)

    /// What SmolVLM's decoders keep of the code that they were first trained with.
    private static let loaderKeys: Set<String> = [
        "is_llama_config", "perceiver_config", "pixel_shuffle_factor", "neftune_noise_alpha", "freeze_config",
        "vision_config",
    ]

    private static let decoder = KeyTable(
        read: [
            "hidden_act", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "head_dim", "vocab_size", "rms_norm_eps", "max_position_embeddings", "rope_theta",
            "rope_parameters", "rope_scaling", "tie_word_embeddings", "layer_types", "eos_token_id",
        ],
        fixed: ["attention_dropout": [0], "mlp_bias": [false], "partial_rotary_factor": [1]]
    ).adding(anyModel)

    /// `rope_parameters`, and `rope_scaling` as older files call it.
    package static let rotary = KeyTable(
        read: ["rope_theta", "rope_type", "type"], fixed: ["factor": [1], "partial_rotary_factor": [1]])

    /// The same with three positions a row.
    package static let sectionedRotary = KeyTable(read: ["mrope_section"]).adding(rotary)

    /// What every vision tower's configuration has.
    static let tower = KeyTable(read: [
        "hidden_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size", "hidden_act",
        "layer_norm_eps", "num_channels",
    ]).adding(anyModel)

    /// The top of a CLIP model's config.json, and its `text_config`.
    package static let clip = KeyTable(
        read: ["text_config", "vision_config", "text_config_dict", "vision_config_dict", "projection_dim"],
        harmless: ["logit_scale_init_value"]
    ).adding(anyModel)

    package static let clipText = KeyTable(
        read: [
            "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
            "max_position_embeddings", "hidden_act", "layer_norm_eps", "eos_token_id",
        ],
        fixed: ["attention_dropout": [0], "dropout": [0]]
    ).adding(anyModel)
}

extension JSONField {
    /// Refuses keys that are not implemented, and quantised weights with what to do about them.
    func check(_ table: KeyTable) throws(MISPError) {
        let quantised = self["quantization_config"]
        guard !quantised.isPresent else {
            let method = quantised["quant_method"].value?.string.map { " (\($0))" } ?? ""
            throw quantised.failure(
                "is there\(method), but quantised weights are not read",
                remedy: "give the model in float32, float16 or bfloat16: the one it was made from, or this one as "
                    + "transformers' dequantize() saves it")
        }
        try table.check(self)
    }

    func activation(default value: Activation) throws(MISPError) -> Activation {
        guard isPresent else { return value }
        let name = try string()
        guard let activation = Activation(configured: name) else {
            let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure("is \(name), which is not supported", remedy: "use one of \(known)")
        }
        return activation
    }
}
