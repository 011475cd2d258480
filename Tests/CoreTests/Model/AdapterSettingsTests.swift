import Core
import Foundation
import TestSupport
import Testing

/// Adapters that are no plain LoRA over the model's own weights: refused by name, with what to do.
@Suite struct AdapterSettingsTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            try FileManager.default.copyItem(
                at: golden("checkpoints/llama-clip-spm/adapter-final/\(name)"), to: folder[name])
        }
    }

    private func message() -> String {
        let error = #expect(throws: MISPError.self) { _ = try LowRankAdapterFolder(folder.url) }
        #expect(error?.kind == .input && error?.description.contains("\n") == false)
        return error?.description ?? ""
    }

    private func set(_ key: String, _ value: JSON) throws {
        var config = try #require(JSON(contentsOf: folder["adapter_config.json"]).object)
        config[key] = value
        try Data(JSON.object(config).description.utf8).write(to: folder["adapter_config.json"])
    }

    @Test(
        arguments: [
            ("init_lora_weights", "pissa", "path_initial_model_for_weight_conversion"),
            ("init_lora_weights", "pissa_niter_16", "path_initial_model_for_weight_conversion"),
            ("init_lora_weights", "olora", "path_initial_model_for_weight_conversion"),
            ("init_lora_weights", "corda", "path_initial_model_for_weight_conversion"),
            ("init_lora_weights", "loftq", "merge it"), ("init_lora_weights", "lora_ga", "merge it"),
            ("use_dora", true, "merge_and_unload"), ("bias", "all", "merge_and_unload"),
            ("bias", "lora_only", "merge_and_unload"), ("lora_bias", true, "merge_and_unload"),
            ("modules_to_save", ["lm_head"], "merge_and_unload"), ("fan_in_fan_out", true, "merge_and_unload"),
            ("alora_invocation_tokens", [5, 6], "merge_and_unload"), ("target_parameters", ["a"], "merge_and_unload"),
            ("trainable_token_indices", [3], "merge_and_unload"), ("layer_replication", [[0, 1]], "merge_and_unload"),
            ("megatron_config", ["a": 1], "merge_and_unload"), ("use_qalora", true, "merge_and_unload"),
            ("kasa_config", ["beta": 1], "merge_and_unload"), ("arrow_config", ["a": 1], "merge_and_unload"),
            ("peft_type", "LOHA", "merge_and_unload"), ("something_new", 1, "merge_and_unload"),
        ] as [(String, JSON, String)])
    func settingsOfOtherMethods(key: String, value: JSON, remedy: String) throws {
        try set(key, value)
        let text = message()
        #expect(text.contains("adapter_config.json: \(key): is ") && text.contains(remedy), "\(text)")
    }

    @Test(
        arguments: [
            ("r", 1_099_511_627_776, "r: is 1099511627776, but must be from 1 to"),
            ("r", 4.5, "r: is a number, not an"),
            ("r", true, "r: is a boolean"), ("r", 5, "but adapter_config.json gives it rank 5"),
            ("lora_alpha", "8", "lora_alpha: is a string"), ("use_rslora", 1, "use_rslora: is a number"),
            ("rank_pattern", ["q_proj": 3], "gives it rank 3"), ("rank_pattern", ["q_proj": -3], "q_proj: is -3"),
            ("rank_pattern", ["(": 3], "rank_pattern.(: is no pattern"),
            ("alpha_pattern", ["a": "b"], "a: is a string"),
            ("alpha_pattern", [1], "alpha_pattern: is an array"),
        ] as [(String, JSON, String)])
    func numbersThatCannotBe(key: String, value: JSON, expected: String) throws {
        try set(key, value)
        let text = message()
        #expect(text.contains(expected), "\(text)")
    }

    @Test(arguments: ["gaussian", "eva", "orthogonal", "mica", true, false] as [JSON])
    func startsThatLeaveTheBaseAlone(value: JSON) throws {
        try set("init_lora_weights", value)
        #expect(try LowRankAdapterFolder(folder.url).settings.r == 4)
    }

    @Test(arguments: [
        (".lora_A.weight", ".lora_A.default.weight", "has the adapter's name (.default.) in it"),
        (".lora_A.weight", ".lora_A.policy.weight", "has the adapter's name (.policy.) in it"),
        ("layers.0.mlp.up_proj.lora_A.weight", "layers.0.mlp.up_proj.lora_magnitude_vector", "is DoRA"),
        ("layers.0.mlp.up_proj.lora_A.weight", "embed_tokens.lora_embedding_A", "is adapted embeddings"),
        ("layers.0.mlp.up_proj.lora_A.weight", "layers.0.mlp.up_proj.base_layer.bias", "is no part of plain LoRA"),
        ("model.language_model.", "model.vision_tower.", "adapts vision_tower.layers."),
        ("model.language_model.layers.0.mlp.up_proj", "model.multi_modal_projector.linear_1", "adapts the projector"),
        ("model.model.language_model.layers.0.mlp.up_proj", "model.lm_head", "adapts lm_head"),
    ])
    func tensorsOfOtherParts(old: String, new: String, expected: String) throws {
        let file = folder["adapter_model.safetensors"]
        let entries = try SafetensorsFile(contentsOf: file).tensors.values.map {
            SafetensorsWriter.Entry(
                name: $0.name.replacing(old, with: new), shape: $0.shape,
                matrix: $0.widened(rows: 1, columns: $0.count))
        }
        try SafetensorsWriter.write(entries, to: file)
        let text = message()
        #expect(text.contains("adapter_model.safetensors: ") && text.contains(expected), "\(text)")
    }

    /// What target_modules says and what the file holds must be the same, as PEFT takes it.
    @Test(
        arguments: [
            (["target_modules": ["q_proj", "v_proj"]], "does not adapt its module"),
            (["target_modules": ".*language_model.*\\.(q_proj|v_proj)"], "does not adapt its module"),
            (["exclude_modules": ["layers.0.mlp.up_proj"]], "does not adapt its module"),
            (["exclude_modules": ".*down_proj"], "does not adapt its module"),
            (
                ["target_modules": .array(LowRankSettings.modules.map(JSON.string)), "layers_to_transform": [1]],
                "does not adapt its module"
            ),
            (["target_modules": 5], "target_modules: is a number"),
            (["layers_to_transform": [true]], "[0]: is a boolean"),
            // As Unsloth writes them.
            (
                [
                    "target_modules":
                        "(?:.*?(?:language|text).*?(?:self_attn|attention|attn).*?(?:k_proj|q_proj|v_proj|o_proj).*?)"
                ], "does not adapt its module"
            ),
            (
                [
                    "target_modules":
                        "(?:.*?(?:language|text).*?(?:self_attn|mlp).*?(?:[kqvo]_proj|gate_proj|up_proj|down_proj).*?)"
                ], nil
            ),
            (["target_modules": "all-linear"], nil), (["target_modules": nil], nil),
            (
                ["target_modules": .array(LowRankSettings.modules.map(JSON.string)), "layers_to_transform": [0, 1]], nil
            ),
        ] as [(JSON, String?)])
    func targets(settings: JSON, expected: String?) throws {
        for (key, value) in try #require(settings.object).members { try set(key, value) }
        guard let expected else {
            #expect(try LowRankAdapterFolder(folder.url).settings.parts?.count == 14)
            return
        }
        let text = message()
        #expect(text.contains(expected), "\(text)")
    }

    /// What would backtrack for ever is not tried: the file's tensors are then what is adapted.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            "(.*)*(.*)*(.*)*(.*)*x", "((a|b|.)*)*(q|k|v|o|gate|up|down)_proj_", "(?:.+)+_", ".*.*.*.*.*.*.*x",
            "(a?){100000}x",
            "(model|language|_|\\.)*(model|language|_|\\.)*x", #"\Q[\E(.+)+x"#, "(?x)# [\n(.+)+x", "[^](.+)+]x",
            "([a-z.]+|.)+x",
        ])
    func patternsThatCouldTakeForEverAreNotTried(pattern: String) throws {
        try set("target_modules", .string(pattern))
        try set("exclude_modules", .string(pattern))
        #expect(try LowRankAdapterFolder(folder.url).settings.parts?.count == 14)
        try set("rank_pattern", .object(.init([(pattern, JSON.integer(4))])))
        #expect(message().contains("is no pattern that is read here"))
    }

    @Test func aModuleThatIsAdaptedButNotThere() throws {
        let file = folder["adapter_model.safetensors"]
        let entries = try SafetensorsFile(contentsOf: file).tensors.values.map {
            SafetensorsWriter.Entry(
                name: $0.name, shape: $0.shape, matrix: $0.widened(rows: 1, columns: $0.count))
        }
        for missing in ["layers.0.self_attn.k_proj", "layers.1.mlp.", "layers.1."] {
            try SafetensorsWriter.write(entries.filter { !$0.name.contains(missing) }, to: file)
            let adapter = try LowRankAdapterFolder(folder.url)
            let model = try CheckpointGolden("llama-clip-spm").model(Trainable(lora: adapter.settings))
            let error = #expect(throws: MISPError.self) { try adapter.load(into: model) }
            let text = error?.description ?? ""
            #expect(text.contains(missing) && text.contains("is missing, and adapter_config.json"), "\(text)")
        }
    }

    @Test func foldersWithoutAnAdapter() throws {
        let files = FileManager.default
        try files.moveItem(at: folder["adapter_model.safetensors"], to: folder["adapter_model.bin"])
        #expect(message().contains("adapter_model.bin: is pickled"))
        try files.removeItem(at: folder["adapter_model.bin"])
        #expect(message().contains("adapter_model.safetensors: does not exist"))
        try files.removeItem(at: folder["adapter_config.json"])
        #expect(message().contains("has no adapter_config.json"))
        try Data("{}".utf8).write(to: folder["config.json"])
        #expect(message().contains("is a model's folder, not an adapter's"))
        for (path, expected) in [
            ("config.json", "is a file, not a folder"), ("nobody/an-adapter", "if nobody/an-adapter is a model of"),
        ] {
            let error = #expect(throws: MISPError.self) { _ = try LowRankAdapterFolder(folder[path]) }
            #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        }
    }

    /// Patterns as PEFT's `get_pattern_key` takes them: a regular expression for the end of a path, from a dot on.
    @Test(arguments: [
        ("q_proj", true), ("proj", false), ("self_attn.q_proj", true), (#"layers\.1\.self_attn\.q_proj"#, true),
        ("layers.1.self_attn", false), (".*q_proj", true), (#"layers\.\d+\..*_proj"#, true), ("(q|k)_proj", true),
        ("k_proj|q_proj", true), ("^model.language_model.layers.1.self_attn.q_proj", true), ("^q_proj", false),
        (#"layers\.[2-9]\..*"#, false), ("1.self_attn.q_proj", true), ("0?1.self_attn.q_proj", true), ("", false),
    ])
    func patterns(pattern: String, matches: Bool) throws {
        let path = "model.language_model.layers.1.self_attn.q_proj"
        let config: JSON = ["rank_pattern": .object(.init([(pattern, JSON.integer(31))])), "r": 4]
        let configuration = try AdapterConfiguration(JSONField(config, file: "adapter_config.json"))
        #expect(configuration.shape(of: path).r == (matches ? 31 : 4))
    }

    @Test func theFirstPatternThatFitsCounts() throws {
        let config: JSON = [
            "rank_pattern": ["v_proj": 2, ".*_proj": 3, "q_proj": 5], "alpha_pattern": ["q_proj": 7.5], "r": 4,
            "lora_alpha": 6,
        ]
        let configuration = try AdapterConfiguration(JSONField(config, file: "adapter_config.json"))
        #expect(configuration.shape(of: "layers.0.self_attn.q_proj") == LowRankShape(r: 3, alpha: 7.5))
        #expect(configuration.shape(of: "layers.0.self_attn.v_proj") == LowRankShape(r: 2, alpha: 6))
        #expect(configuration.shape(of: "layers.0.mlp.gate") == LowRankShape(r: 4, alpha: 6))
    }
}
