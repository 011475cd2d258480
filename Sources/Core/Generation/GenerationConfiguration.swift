import Foundation

/// What a model folder's generation_config.json says of answers; nil, or empty, where it says nothing.
///
/// transformers' `generate` follows it, and so do answers here. What is not implemented is refused by name.
public struct GenerationConfiguration: Sendable, Equatable {
    /// do_sample: draws; otherwise always the most probable token, and what only draws need is not looked at.
    public var samples = false
    /// temperature, above 0; read for draws alone.
    public var temperature: Double?
    /// top_k; read for draws alone.
    public var topK: Int?
    /// top_p; read for draws alone.
    public var topP: Double?
    /// min_p; read for draws alone.
    public var minP: Double?
    /// repetition_penalty
    public var repetitionPenalty: Double?
    /// no_repeat_ngram_size
    public var noRepeatSize: Int?
    /// suppress_tokens
    public var suppressed: [Int32] = []
    /// begin_suppress_tokens
    public var suppressedFirst: [Int32] = []
    /// min_new_tokens and min_length: of the answer, and of prompt and answer together.
    public var leastNew: Int?
    /// min_length, in tokens.
    public var leastLength: Int?
    /// max_new_tokens and max_length, likewise.
    public var mostNew: Int?
    /// max_length, in tokens.
    public var mostLength: Int?
    /// eos_token_id
    public var ends: Set<Int32> = []

    /// Bounds of numbers of tokens.
    public static let counts = 1...1 << 24

    private static let drawKeys = ["temperature", "top_k", "top_p", "min_p"]
    /// What changes draws alone and is not implemented, with the values that change nothing.
    private static let otherDraws: [String: [JSON]] = [
        "typical_p": [1], "epsilon_cutoff": [0], "eta_cutoff": [0], "top_h": [],
    ]
    package static let table = KeyTable(
        read: [
            "do_sample", "repetition_penalty", "no_repeat_ngram_size", "suppress_tokens", "begin_suppress_tokens",
            "min_new_tokens", "min_length", "max_new_tokens", "max_length", "eos_token_id",
        ],
        harmless: [
            "bos_token_id", "pad_token_id", "decoder_start_token_id", "transformers_version", "_from_model_config",
            "_commit_hash", "use_cache", "cache_implementation", "cache_config", "max_cache_len", "output_attentions",
            "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate", "return_legacy_cache",
            "renormalize_logits", "remove_invalid_values", "early_stopping", "length_penalty", "low_memory",
            "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold",
            "assistant_lookbehind", "target_lookbehind", "compile_config", "disable_compile", "prefill_chunk_size",
            "max_matching_ngram_size", "encoder_repetition_penalty", "encoder_no_repeat_ngram_size",
        ],
        fixed: [
            "num_beams": [1], "num_beam_groups": [1], "diversity_penalty": [0], "num_return_sequences": [1],
            "penalty_alpha": [0], "guidance_scale": [1], "forced_bos_token_id": [], "forced_eos_token_id": [],
            "bad_words_ids": [[]], "sequence_bias": [[], [:]], "exponential_decay_length_penalty": [], "max_time": [],
            "stop_strings": [[], ""], "token_healing": [false], "watermarking_config": [], "constraints": [],
            "force_words_ids": [], "dola_layers": [], "use_mtp": [false], "prompt_lookup_num_tokens": [],
            "assistant_early_exit": [], "assistant_ensemble_weight": [], "speculation_type": [],
            "continuous_batching_config": [],
        ])

    /// Says nothing.
    public init() {}

    /// Where a model folder has it. It need not exist.
    public static func file(in folder: URL) -> URL { folder.appending(path: "generation_config.json") }

    /// - Parameters:
    ///   - folder: that of the model; without the file nothing is said
    ///   - vocabulary: rows of the embeddings, which all ids are checked against
    /// - Throws: `MISPError` with file and key: what is malformed, out of bounds or not implemented
    public init(folder: URL, vocabulary: Int) throws(MISPError) {
        let url = Self.file(in: folder)
        guard FileManager.default.fileExists(atPath: url.path) else {
            self.init()
            return
        }
        try self.init(JSONField(contentsOf: url), vocabulary: vocabulary)
    }

    /// - Parameter file: the root of a generation_config.json
    public init(_ file: JSONField, vocabulary: Int) throws(MISPError) {
        samples = try file["do_sample"].bool(default: false)
        let draws =
            samples
            ? KeyTable(read: Set(Self.drawKeys), fixed: Self.otherDraws)
            : KeyTable(read: [], harmless: Set(Self.drawKeys + Self.otherDraws.keys))
        _ = try file.object()
        try Self.table.adding(draws).check(
            file, remedy: "remove it there, or give --ignore-generation-config (eval.yaml: generation_config: false)")
        if samples {
            temperature = try file["temperature"].optionalNumber("above 0") { $0 > 0 }
            topK = try file["top_k"].optionalCount(from: 0)
            topP = try file["top_p"].optionalNumber("above 0 and at most 1") { $0 > 0 && $0 <= 1 }
            minP = try file["min_p"].optionalNumber("from 0 to 1") { $0 >= 0 && $0 <= 1 }
        }
        repetitionPenalty = try file["repetition_penalty"].optionalNumber("above 0") { $0 > 0 }
        noRepeatSize = try file["no_repeat_ngram_size"].optionalCount(from: 0)
        suppressed = try file["suppress_tokens"].tokens(below: vocabulary)
        suppressedFirst = try file["begin_suppress_tokens"].tokens(below: vocabulary)
        leastNew = try file["min_new_tokens"].optionalCount(from: 0)
        leastLength = try file["min_length"].optionalCount(from: 0)
        mostNew = try file["max_new_tokens"].optionalCount(from: 1)
        mostLength = try file["max_length"].optionalCount(from: 1)
        ends = Set(try file["eos_token_id"].tokens(below: vocabulary))
    }

    /// The ids that end an answer alone, whatever else the file says.
    public static func ends(folder: URL, vocabulary: Int) throws(MISPError) -> Set<Int32> {
        let url = file(in: folder)
        guard FileManager.default.fileExists(atPath: url.path) else { return [] }
        return Set(try JSONField(contentsOf: url)["eos_token_id"].tokens(below: vocabulary))
    }
}

extension JSONField {
    fileprivate func optionalNumber(
        _ expected: String, _ isGood: (Double) -> Bool
    ) throws(MISPError) -> Double? {
        guard isPresent else { return nil }
        let number = try double()
        guard number.isFinite, isGood(number) else { throw failure("is \(number), but must be \(expected)") }
        return number
    }

    fileprivate func optionalCount(from least: Int) throws(MISPError) -> Int? {
        guard isPresent else { return nil }
        let number = try int()
        guard least...GenerationConfiguration.counts.upperBound ~= number else {
            throw failure("is \(number), but must be from \(least) to \(GenerationConfiguration.counts.upperBound)")
        }
        return number
    }

    /// Token ids: a list of them, one, or none.
    fileprivate func tokens(below vocabulary: Int) throws(MISPError) -> [Int32] {
        guard isPresent else { return [] }
        var tokens: [Int32] = []
        for field in value?.array == nil ? [self] : try array() {
            let id = try field.int()
            guard 0..<vocabulary ~= id, let token = Int32(exactly: id) else {
                throw field.failure("is token \(id), but the model has \(vocabulary) embeddings")
            }
            tokens.append(token)
        }
        return tokens
    }
}
