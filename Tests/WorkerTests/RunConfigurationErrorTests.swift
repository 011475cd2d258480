import Core
import Foundation
import Testing
import Worker

/// One value out of range for every number of the file, and two for those that size memory or time.
@Test(arguments: [
    "optimizer.steps=9223372036854775807", "optimizer.epochs=9223372036854775807", "optimizer.steps=1e18",
    "optimizer.groups_per_step=4000000000000", "optimizer.groups_per_step=9223372036854775808",
    "lora.r=9223372036854775807",
    "lora.r=70000", "lora.alpha=1e300", "lora.alpha=.inf", "negatives.count=1000000000", "negatives.temperature=1e-300",
    "negatives.temperature=1e40", "negatives.uniform_mix=1e-40", "objective.beta=1e200", "objective.text_weight=1e100",
    "objective.anchor_weight=.nan", "objective.kl_weight=1e9", "objective.token_weight=1e30",
    "optimizer.betas=[0.9, 1]", "optimizer.betas=[1, 0.9]", "optimizer.betas=[0.9, 0.99999999]", "optimizer.eps=0",
    "optimizer.eps=1e-46", "optimizer.eps=2", "optimizer.learning_rate=.inf", "optimizer.weight_decay=-1",
    "optimizer.max_grad_norm=.nan", "optimizer.warmup_ratio=1.5", "checkpoint.every=9223372036854775807",
    "checkpoint.keep=9223372036854775807", "cache.features_gib=1e300", "compute.threads=1000000", "seed=-1",
    "seed=99999999999999999999", "evaluation.answers=65", "evaluation.answers=-1",
])
func numbersOutOfRangeAreRefusedByName(setting: String) throws {
    let key = setting.prefix { $0 != "=" && $0 != "[" }
    let text = try configurationError(minimalConfiguration, [setting])
    #expect(text.contains("--set \(key)"), "\(text)")
}

@Test(arguments: [
    "optimizer.steps=100000000", "lora.r=4096", "negatives.count=10000", "negatives.temperature=1e-6",
    "optimizer.betas=[0, 0.9999]", "optimizer.eps=1e-12", "seed=9223372036854775807", "optimizer.learning_rate=0",
])
func largeAndSmallNumbersAreRead(setting: String) throws {
    _ = try ConfigurationFile(minimalConfiguration).read([setting])
}

@Suite struct RunConfigurationErrorTests {
    /// Lines put below a good configuration, and the error they cause.
    @Test(arguments: [
        (
            "optimizer:\n  learning_rat: 1",
            "run.yaml:4: optimizer.learning_rat: unknown key; did you mean learning_rate?"
        ),
        ("optimiser: {}", "run.yaml:3: optimiser: unknown key; did you mean optimizer?"),
        ("learning_rate: 1", "run.yaml:3: learning_rate: unknown key; did you mean optimizer.learning_rate?"),
        ("checkpoint: {x: 1}", "run.yaml:3: checkpoint.x: unknown key; known: every, keep"),
        ("objective: 3", "run.yaml:3: objective: is '3', not a section with keys"),
        ("objective: [1]", "run.yaml:3: objective: is a list, not a section with keys"),
        (
            "objective:\n  kind: mips",
            "run.yaml:4: objective.kind: unknown value 'mips'; did you mean misp? known: sft, dpo"
        ),
        ("objective: {kind: [misp]}", "run.yaml:3: objective.kind: is a list, not a string"),
        ("objective: {beta: 0}", "run.yaml:3: objective.beta: is 0, but must be greater than 0"),
        ("objective: {beta: .inf}", "objective.beta: is .inf, but must be greater than 0"),
        ("objective: {beta: nan}", "objective.beta: is 'nan', not a number"),
        ("objective: {beta: \"0.5\"}", "objective.beta: is a string in quotes, not a number"),
        ("objective: {beta: 1,5}", "objective.5: unknown key"),
        ("objective: {text_weight: -1}", "objective.text_weight: is -1, but must be between 0 and 1e6"),
        ("objective: {anchor_weight: -1}", "objective.anchor_weight: is -1"),
        ("negatives: {count: 0}", "negatives.count: is 0, but must be 1 or more"),
        ("negatives: {count: 2.5}", "negatives.count: is 2.5, not a whole number"),
        ("negatives: {count: many}", "negatives.count: is 'many', not a whole number"),
        (
            "negatives: {sampling: importence}",
            "did you mean importance? known: subset, uniform, importance, replacement"
        ),
        ("negatives: {temperature: 0}", "negatives.temperature: is 0, but must be between 1e-6 and 1e6"),
        ("negatives: {uniform_mix: 0}", "negatives.uniform_mix: is 0, but must be between 1e-9 and 1"),
        ("negatives: {uniform_mix: 1.5}", "negatives.uniform_mix: is 1.5"),
        ("trainable: {language: half}", "trainable.language: unknown value 'half'"),
        ("trainable: {language: frozen}", "run.yaml:3: trainable: everything is frozen"),
        ("lora: {r: 0}", "lora.r: is 0, but must be 1 or more"),
        ("lora: {alpha: 0}", "lora.alpha: is 0"), ("lora: {rslora: 1}", "lora.rslora: is"),
        ("lora: {targets: []}", "lora.targets: names no module"),
        ("lora: {targets: [q_porj]}", "lora.targets[0]: unknown module 'q_porj'; did you mean q_proj?"),
        ("lora: {targets: [q_proj, q_proj]}", "lora.targets[1]: 'q_proj' is given more than once"),
        ("optimizer: {learning_rate: fast}", "optimizer.learning_rate: is 'fast', not a number"),
        ("optimizer: {learning_rate: -1e-5}", "optimizer.learning_rate: is -1e-5"),
        ("optimizer: {betas: [0.9]}", "optimizer.betas: holds 1 numbers, not 2"),
        ("optimizer: {betas: 0.9}", "optimizer.betas: is '0.9', not a list"),
        (
            "optimizer:\n  betas:\n  - 0.9\n  - 1",
            "run.yaml:6: optimizer.betas[1]: is 1, but must be at least 0 and less"
        ),
        ("optimizer: {eps: 0}", "optimizer.eps: is 0"),
        ("optimizer: {weight_decay: -1}", "optimizer.weight_decay: is -1"),
        ("optimizer: {max_grad_norm: -1}", "optimizer.max_grad_norm: is -1"),
        (
            "optimizer: {schedule: cosin}",
            "optimizer.schedule: unknown value 'cosin'; did you mean cosine? known: constant"
        ),
        ("optimizer: {warmup_ratio: 2}", "optimizer.warmup_ratio: is 2, but must be between 0 and 1"),
        ("optimizer: {groups_per_step: 0}", "optimizer.groups_per_step: is 0"),
        ("optimizer: {epochs: 0}", "optimizer.epochs: is 0"),
        ("optimizer: {epochs: 1, steps: 1}", "run.yaml:3: optimizer.steps: is given beside optimizer.epochs; keep one"),
        ("checkpoint: {every: 0}", "checkpoint.every: is 0"),
        ("checkpoint: {keep: 0}", "checkpoint.keep: is 0"),
        ("compute: {members: all}", "compute.members: unknown value 'all'"),
        (
            "compute: {precision: bf16}",
            "compute.precision: unknown value 'bf16'; known: float32, bfloat16"
        ),
        ("compute: {precision: float16}", "known: float32, bfloat16"),
        ("compute: {threads: 0}", "compute.threads: is 0"),
        ("seed: -1", "run.yaml:3: seed: is -1, but must be 0 or more"),
        ("seed: 0\nseed: 1", "seed: is given more than once"),
        ("output: ''", "output: is empty, not a path"),
        ("lora: {r: 1", "is not YAML"),
        ("---\nseed: 1", "is not YAML"),
        ("seed: :\n\t- x", "is not YAML"),
    ])
    func names(text: String, expected: String) throws {
        let message = try configurationError(minimalConfiguration + text)
        #expect(message.contains(expected), "\(message)")
        #expect(message.contains("run.yaml:"), "\(message)")
    }

    @Test func namesWhatIsMissing() throws {
        #expect(try configurationError("").contains("run.yaml: model.path: is missing; give the folder"))
        #expect(try configurationError("model: {path: m}").contains("run.yaml: data.train: is missing"))
        #expect(try configurationError("- 1").contains("run.yaml: is not a mapping"))
        #expect(
            try configurationError("model: {path: m, prompt: llava-1.6}\ndata: {train: t}").contains(
                "did you mean llava-1.5?"))
        #expect(
            try configurationError("model: {path: m}\ndata: {train: t, shuffle: yes}").contains(
                "is 'yes', not true or false"))
    }

    @Test func namesAFileThatCannotBeRead() {
        let error = #expect(throws: MISPError.self) {
            try RunConfiguration(contentsOf: URL(filePath: "/nonexistent/run.yaml"))
        }
        #expect(error?.description.hasPrefix("/nonexistent/run.yaml: cannot be read") == true)
    }

    @Test(arguments: [
        ("optimizer.learning_rat=1", "--set optimizer.learning_rat: unknown key; did you mean learning_rate?"),
        ("optimizer.lr=1", "--set optimizer.lr: unknown key; did you mean learning_rate?"),
        ("optimizr.eps=1", "--set optimizr: unknown key; did you mean optimizer?"),
        ("optimizer.learning_rate=fast", "--set optimizer.learning_rate: is 'fast', not a number"),
        ("optimizer.betas=[0.9, 2]", "--set optimizer.betas[1]: is 2, but must be"),
        ("lora={rank: 3}", "--set lora.rank: unknown key"),
        ("lora={r: [", "--set lora: is not YAML"),
        ("seed.x=1", "--set seed.x: is a value, not a section"),
        ("seed", "--set seed: has no value; write --set key=value"),
        ("=1", "is not a key"), ("a..b=1", "is not a key"),
        ("model.path=", "--set model.path: is missing"),
    ])
    func namesTheOverride(assignment: String, expected: String) throws {
        let message = try configurationError(minimalConfiguration + "seed: 1\n", [assignment])
        #expect(message.contains(expected), "\(message)")
    }
}
