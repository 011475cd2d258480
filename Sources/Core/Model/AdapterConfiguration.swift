import Foundation

/// adapter_config.json of PEFT's LoRA: what is read of it, and what is refused because the adapter would not be
/// W + scale·B·A over the model's own weights.
package struct AdapterConfiguration {
    package let r: Int
    package let alpha: Double
    package let isRankStabilized: Bool
    let targets: AdapterTargets
    private let ranks: [(pattern: ModulePattern, value: Int)]
    private let alphas: [(pattern: ModulePattern, value: Double)]

    package static let mergeRemedy =
        "merge the adapter with PEFT (merge_and_unload, save_pretrained) and give the result as model.path"
    private static let convertRemedy =
        "it belongs to a base that its initialisation changed: save it as plain LoRA with PEFT (save_pretrained with "
        + "path_initial_model_for_weight_conversion), or merge it where it was trained and give the result as "
        + "model.path"

    /// Keys of `LoraConfig` (PEFT 0.4 to 0.21). Dropout and the settings of initialisations act in training alone.
    package static let keys = KeyTable(
        read: [
            "peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "init_lora_weights",
            "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern",
        ],
        harmless: [
            "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config",
            "inference_mode", "loftq_config",
            "lora_dropout", "lora_ga_config", "megatron_core", "merge_weights", "peft_version", "qalora_group_size",
            "revision", "runtime_config", "task_type",
        ],
        fixed: [
            "alora_invocation_tokens": [], "arrow_config": [], "bias": ["none"], "enable_lora": [],
            "fan_in_fan_out": [false], "kasa_config": [], "layer_replication": [[]], "lora_bias": [false],
            "megatron_config": [], "modules_to_save": [[]], "monteclora_config": [], "target_parameters": [[]],
            "trainable_token_indices": [[]], "use_bdlora": [false], "use_dora": [false], "use_qalora": [false],
            "velora_config": [],
        ])

    /// Values of `init_lora_weights` that leave the base as it is.
    private static let plainStarts = ["gaussian", "eva", "orthogonal", "mica"]

    package init(_ config: JSONField) throws(MISPError) {
        let type = try config["peft_type"].string(default: "LORA")
        guard type == "LORA" else {
            throw config["peft_type"].failure("is \(type), which is not supported; LORA is", remedy: Self.mergeRemedy)
        }
        try Self.keys.check(config, remedy: Self.mergeRemedy)
        try Self.checkStart(config["init_lora_weights"])
        r = try config["r"].size(default: 8)
        alpha = try config["lora_alpha"].finite(default: 8)
        targets = try AdapterTargets(config)
        isRankStabilized = try config["use_rslora"].bool(default: false)
        ranks = try Self.patterns(config["rank_pattern"]) { (field) throws(MISPError) in try field.size(default: 0) }
        alphas = try Self.patterns(config["alpha_pattern"]) { (field) throws(MISPError) in
            try field.finite(default: 0)
        }
    }

    private static func checkStart(_ field: JSONField) throws(MISPError) {
        guard field.isPresent, field.value?.bool == nil else { return }
        let name = try field.string()
        guard plainStarts.contains(name.lowercased()) else {
            throw field.failure("is \(field.value?.shortDescription ?? name)", remedy: convertRemedy)
        }
    }

    private static func patterns<Value>(
        _ field: JSONField, _ read: (JSONField) throws(MISPError) -> Value
    ) throws(MISPError) -> [(pattern: ModulePattern, value: Value)] {
        guard field.isPresent else { return [] }
        let members = try field.object().members
        guard members.count <= 10_000 else { throw field.failure("has \(members.count) entries; 10000 can be") }
        var patterns: [(pattern: ModulePattern, value: Value)] = []
        for (key, _) in members {
            guard let pattern = ModulePattern(key) else {
                throw field[key].failure("is no pattern that is read here", remedy: "name the modules in full")
            }
            guard field[key].isPresent else { throw field[key].failure("is null") }
            patterns.append((pattern, try read(field[key])))
        }
        return patterns
    }

    /// - Parameter path: the module's path as the adapter's file has it, without PEFT's `base_model.model.`
    package func shape(of path: String) -> LowRankShape {
        LowRankShape(
            r: ranks.first { $0.pattern.matches(path) }?.value ?? r,
            alpha: alphas.first { $0.pattern.matches(path) }?.value ?? alpha)
    }
}

/// A key of PEFT's `rank_pattern` and `alpha_pattern`: a regular expression for the end of a module's path, from a dot
/// on (`get_pattern_key` of PEFT).
struct ModulePattern {
    private let literal: String?
    private let expression: Regex<AnyRegexOutput>?

    /// nil for what is no regular expression here.
    init?(_ key: String) {
        let plain = key.replacing("\\.", with: ".")
        if plain.utf8.allSatisfy({ $0 < 0x80 && (Self.isWord($0) || $0 == UInt8(ascii: ".")) }) {
            (literal, expression) = (plain, nil)
        } else {
            guard key.utf8.count <= 500, RegexCost.isBounded(key), let expression = try? Regex("(?:.*\\.)?(?:\(key))")
            else { return nil }
            (literal, self.expression) = (nil, expression)
        }
    }

    func matches(_ path: String) -> Bool {
        if let literal { return path == literal || path.hasSuffix("." + literal) }
        guard let expression, path.utf8.count <= RegexCost.longestPath else { return false }
        return (try? expression.wholeMatch(in: path)) != nil
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }
}

extension JSONField {
    fileprivate func finite(default value: Double) throws(MISPError) -> Double {
        let number = try double(default: value)
        guard number.isFinite else { throw failure("is \(number), which is not finite") }
        return number
    }
}
