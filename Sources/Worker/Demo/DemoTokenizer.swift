import Core

/// The tokenizer of the demonstration's models: byte-level BPE over a closed vocabulary. A word with the space before
/// it is a token, whole (`ignore_merges`).
enum DemoTokenizer {
    /// - Parameters:
    ///   - specials: the first tokens; `<s>` is among them and begins every text
    ///   - closing: the one that ends every text; nil: none does
    static func content(specials: [String], closing: String?) -> JSON {
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
            "post_processor": postProcessor(specials, closing),
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
            "model": [
                "type": "BPE", "dropout": nil, "unk_token": "<unk>", "continuing_subword_prefix": nil,
                "end_of_word_suffix": nil, "fuse_unk": true, "byte_fallback": false, "ignore_merges": true,
                "vocab": .object(.init(tokens.enumerated().map { ($1, .integer($0)) })), "merges": [],
            ],
        ]
    }

    private static func postProcessor(_ specials: [String], _ closing: String?) -> JSON {
        func special(_ token: String) -> JSON { ["SpecialToken": ["id": .string(token), "type_id": 0]] }
        func text(_ name: JSON, type: JSON) -> JSON { ["Sequence": ["id": name, "type_id": type]] }
        let ends = closing.map { [special($0)] } ?? []
        let used = ["<s>"] + (closing.map { [$0] } ?? [])
        return [
            "type": "TemplateProcessing",
            "single": .array([special("<s>"), text("A", type: 0)] + ends),
            "pair": .array([special("<s>"), text("A", type: 0), text("B", type: 1)] + ends),
            "special_tokens": .object(
                .init(
                    used.map { token in
                        let id = JSON.integer(specials.firstIndex(of: token) ?? 0)
                        return (token, ["id": .string(token), "ids": [id], "tokens": [.string(token)]])
                    })),
        ]
    }

    /// tokenizer_config.json
    static let settings: JSON = [
        "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "model_max_length": 64,
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
    ]
}
