import Core
import Foundation
import TestSupport
import Testing
import Worker

private let minimal = "model: {path: model}\ndata: {train: groups.jsonl}\n"

/// A configuration file in a folder of its own, removed at the end.
private final class ConfigurationFile {
    let folder = FileManager.default.temporaryDirectory.appending(path: "misp-config-\(UUID().uuidString)")
    var url: URL { folder.appending(path: "run.yaml") }

    init(_ text: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func read(_ overrides: [String] = []) throws -> RunConfiguration {
        try RunConfiguration(contentsOf: url, overrides: overrides)
    }

    func path(_ name: String) -> String { "\(folder.path)/\(name)" }
}

private func message(_ text: String, _ overrides: [String] = []) throws -> String {
    let file = try ConfigurationFile(text)
    let error = #expect(throws: MISPError.self) { try file.read(overrides) }
    return error?.description.replacing(file.folder.path + "/", with: "") ?? ""
}

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
    "seed=99999999999999999999",
])
func numbersOutOfRangeAreRefusedByName(setting: String) throws {
    let key = setting.prefix { $0 != "=" && $0 != "[" }
    let text = try message(minimal, [setting])
    #expect(text.contains("--set \(key)"), "\(text)")
}

@Test(arguments: [
    "optimizer.steps=100000000", "lora.r=4096", "negatives.count=10000", "negatives.temperature=1e-6",
    "optimizer.betas=[0, 0.9999]", "optimizer.eps=1e-12", "seed=9223372036854775807", "optimizer.learning_rate=0",
])
func largeAndSmallNumbersAreRead(setting: String) throws {
    _ = try ConfigurationFile(minimal).read([setting])
}

/// What would take all memory or the stack, and what is merely not read.
@Test func hostileYAMLIsRefused() throws {
    let laughs = (1...30).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }.joined(separator: "\n")
    for (text, part) in [
        ("a0: &a0 x\n\(laughs)\n", "&a0 is an anchor"),
        (minimal + "lora: &l {r: 4}\noptimizer: *l\n", "run.yaml:3: &l is an anchor"),
        // Behind a tag, in a key, and behind what only looks like an open quote.
        (keyLaughs { "? k\($0)\n: !t &a\($0) \($1)\n" } + "? *a30\n: 3\n", "&a0 is an anchor"),
        (keyLaughs { "? !!seq &a\($0) \($1)\n: 3\n" }, "&a0 is an anchor"),
        (keyLaughs { "k-\"\($0): &a\($0) \($1)\n" }, "&a0 is an anchor"),
        (String(repeating: "[", count: 100_000), "nests lists or sections too deep"),
        (String(repeating: "{a: ", count: 100_000), "nests lists or sections too deep"),
        (String(repeating: "- ", count: 100_000) + "x", "nests lists or sections too deep"),
        (
            (0..<1000).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
            "nests lists or sections"
        ),
        ("# " + String(repeating: "x", count: 1 << 20), "a configuration at most"),
    ] {
        let message = try message(text)
        #expect(message.contains(part) && message.count < 600, "\(message)")
    }
}

/// Thirty values of which each holds the one before twice.
private func keyLaughs(_ entry: (Int, String) -> String) -> String {
    entry(0, "[x, x]") + (1...30).map { entry($0, "[*a\($0 - 1), *a\($0 - 1)]") }.joined()
}

@Test func ampersandsOfTextsAreNoAnchors() throws {
    for prompt in ["|\n    &nbsp <image>\n    {prompt}", "\"<image>&nbsp;{prompt} *and*\"", "'R&D: <image>{prompt}'"] {
        let text = minimal.replacing("model: {path: model}", with: "model:\n  path: model\n  prompt: \(prompt)")
        #expect(text != minimal)
        #expect(try ConfigurationFile(text).read().model.prompt.source.contains("&"), "\(prompt)")
    }
    #expect(try ConfigurationFile(minimal + "seed: &s 3\n").read().seed == 3)
}

@Test func theDefaultRunHasTransformersSchedule() throws {
    let golden = try JSONField(contentsOf: golden("optimization.json"))["schedules"].array()
    let optimizer = try ConfigurationFile(minimal).read().optimizer
    let same = try golden.filter {
        try $0["schedule"].string() == optimizer.schedule.rawValue
            && $0["warmup_ratio"].double() == optimizer.warmupRatio
            && $0["steps"].int() == 10
    }
    #expect(same.count == 1)
    let schedule = LearningRateSchedule(optimizer.schedule, peak: 1, warmupRatio: optimizer.warmupRatio, totalSteps: 10)
    for (step, rate) in try same[0]["rates"].array().enumerated() {
        #expect(abs(schedule.rate(at: step) - (try rate.double())) < 5e-9)
    }
    for name in ["constant", "constant_with_warmup", "linear", "cosine"] {
        let read = try ConfigurationFile(minimal).read(["optimizer.schedule=\(name)"])
        #expect(read.optimizer.schedule.rawValue == name)
    }
}

private let documented = """
    seed: 7
    output: runs/first
    model:
      path: models/llava
      adapter: null
      prompt: "Q: <image>\\n{prompt}"
    data:
      train: groups.jsonl
      eval: held-out.jsonl
      images: pictures
      shuffle: false
    objective:
      kind: mdpo
      beta: 0.25
      text_weight: 2
      anchor_weight: 0.5
    negatives:
      count: 5
      sampling: two_pass
      temperature: 0.5
      uniform_mix: 1
    trainable:
      language: full
      projector: full
      vision: frozen
    lora: {r: 8, alpha: 16, targets: [q_proj, v_proj]}
    optimizer:
      learning_rate: 1e-6
      betas: [0.8, 0.99]
      eps: 1e-6
      weight_decay: 0.1
      max_grad_norm: 0
      schedule: linear
      warmup_ratio: 0
      groups_per_step: 4
      steps: 100
    checkpoint: {every: 10, keep: 1}
    compute: {precision: bfloat16, members: streaming, threads: 2}
    """

@Suite struct RunConfigurationTests {
    @Test func readsEveryKey() throws {
        let file = try ConfigurationFile(documented)
        let run = try file.read()
        #expect(run.seed == 7)
        #expect(run.output.path == file.path("runs/first"))
        #expect(run.model.path.path == file.path("models/llava"))
        #expect(run.model.adapter == nil)
        #expect(try run.model.prompt == PromptTemplate("Q: <image>\n{prompt}"))
        #expect(run.data.train.path == file.path("groups.jsonl"))
        #expect(run.data.eval?.path == file.path("held-out.jsonl"))
        #expect(run.data.images.path == file.path("pictures"))
        #expect(!run.data.shuffle)
        let objective = run.objective
        #expect(objective.kind.rawValue == "mdpo" && objective.settings.beta == 0.25)
        #expect(objective.settings.textWeight == 2 && objective.settings.anchorWeight == 0.5)
        let negatives = run.negatives
        #expect(negatives.count == 5 && negatives.sampling == .twoPass)
        #expect(negatives.temperature == 0.5 && negatives.uniformMix == 1)
        #expect(
            run.trainable
                == Trainable(
                    language: .full, projector: .full, vision: .frozen,
                    lora: LowRankSettings(r: 8, alpha: 16, targets: ["q_proj", "v_proj"])))
        let optimizer = run.optimizer
        #expect(optimizer.learningRate == 1e-6 && optimizer.beta1 == 0.8 && optimizer.beta2 == 0.99)
        #expect(optimizer.epsilon == 1e-6 && optimizer.weightDecay == 0.1 && optimizer.maxGradNorm == 0)
        #expect(optimizer.schedule == .linear && optimizer.warmupRatio == 0)
        #expect(optimizer.groupsPerStep == 4 && optimizer.duration == .steps(100))
        #expect(run.checkpoint.every == 10 && run.checkpoint.keep == 1)
        #expect(run.compute.precision == .bfloat16)
        #expect(run.compute.members == .streaming && run.compute.threads == 2)
    }

    @Test func defaultsAreTheDocumentedOnes() throws {
        let file = try ConfigurationFile(minimal)
        let run = try file.read()
        let explicit = try ConfigurationFile(
            """
            seed: 0
            output: \(file.path("runs/run"))
            model: {path: \(file.path("model")), adapter: null, prompt: llava-1.5}
            data: {train: \(file.path("groups.jsonl")), eval: ~, images: \(file.folder.path), shuffle: true}
            objective: {kind: misp, beta: 0.5, text_weight: 1.0, anchor_weight: 0.0}
            negatives: {count: 3, sampling: importance, temperature: 1.0, uniform_mix: 0.1}
            trainable: {language: lora, projector: frozen, vision: frozen}
            lora: {r: 64, alpha: 128, rslora: false,
              targets: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]}
            optimizer: {learning_rate: 1.0e-5, betas: [0.9, 0.999], eps: 1.0e-8, weight_decay: 0.0, max_grad_norm: 1.0,
              schedule: cosine, warmup_ratio: 0.1, groups_per_step: 32, epochs: 3}
            checkpoint: {every: 100, keep: 3}
            compute: {precision: float32, members: auto, threads: 1}
            """)
        #expect(try run == explicit.read())
    }

    @Test(arguments: [("misp", 0.5), ("sdpo", 1), ("dpo", 0.1), ("mdpo", 0.1), ("chip", 0.1), ("lpoi", 0.1)])
    func betaFollowsTheObjective(kind: String, beta: Double) throws {
        let file = try ConfigurationFile(minimal + "objective: {kind: \(kind)}\n")
        #expect(try file.read().objective.settings.beta == beta)
        #expect(try file.read(["objective.beta=0.3"]).objective.settings.beta == 0.3)
    }

    /// A ranking has no place for the weights of a draw.
    @Test func aRankingTakesUnweightedDraws() throws {
        let file = try ConfigurationFile(minimal + "objective: {kind: lpoi}\n")
        let run = try file.read()
        #expect(run.negatives.sampling == .subset && run.objective.settings.anchorWeight == 1)
        #expect(try file.read(["negatives.sampling=uniform"]).negatives.sampling == .uniform)
        for mode in NegativeSampler.Mode.allCases where mode != .subset && mode != .uniform {
            let error = #expect(throws: MISPError.self) {
                try file.read(["negatives.sampling=\(mode.rawValue)"])
            }
            #expect(error?.place?.contains("negatives.sampling") == true)
            #expect(error?.what.contains("lpoi ranks them") == true && error?.remedy?.contains("subset") == true)
        }
    }

    /// The number `1e-5` is a string to YAML 1.1, `no` a boolean, and `012` an octal number.
    @Test func avoidsTheTrapsOfYAML() throws {
        let file = try ConfigurationFile(
            """
            seed: 012
            model: {path: no, adapter: "null"}
            data: {train: 0x10}
            optimizer: {learning_rate: 1e-5, eps: 1E-6, epochs: 1e1}
            """)
        let run = try file.read()
        #expect(run.seed == 12)
        #expect(run.model.path.lastPathComponent == "no")
        #expect(run.model.adapter?.lastPathComponent == "null")
        #expect(run.data.train.lastPathComponent == "0x10")
        #expect(run.optimizer.learningRate == 1e-5)
        #expect(run.optimizer.epsilon == 1e-6)
        #expect(run.optimizer.duration == .epochs(10))
    }

    @Test func resolvesPaths() throws {
        let file = try ConfigurationFile(
            "model: {path: /models/a}\ndata: {train: ~/groups.jsonl, images: ../pictures/./x}\n")
        let run = try file.read()
        #expect(run.model.path.path == "/models/a")
        #expect(run.data.train.path == "\(NSHomeDirectory())/groups.jsonl")
        #expect(
            run.data.images.path == file.folder.deletingLastPathComponent().appending(path: "pictures/x").path)
    }

    @Test func theResolvedConfigurationReadsBack() throws {
        let environment = RunConfiguration.Environment(
            version: "0.1.0", processor: "A \"CPU\" @ 2 GHz: #1", cores: 2, blas: "Haswell", ranks: 4)
        for text in [documented, minimal, minimal + "objective: {kind: dpo}\noptimizer: {learning_rate: 5.0e-7}\n"] {
            let run = try ConfigurationFile(text).read()
            let written = run.yaml(environment: environment)
            let again = try ConfigurationFile(written).read()
            #expect(again == run)
            #expect(again.yaml(environment: environment) == written)
            #expect(written.contains(/environment:\n  version: "0.1.0"\n/))
        }
        let written = try ConfigurationFile(minimal).read().yaml(environment: environment)
        #expect(written.contains("\n  learning_rate: 1.0e-05\n"))
        #expect(written.contains("\n  epochs: 3\n  steps: null\n"))
    }

    @Test func overridesAreAppliedInOrder() throws {
        let file = try ConfigurationFile(documented)
        let run = try file.read([
            "optimizer.learning_rate=1e-7", "optimizer.learning_rate = 2e-7",
            "lora={r: 4, targets: [o_proj], rslora: true}",
            "model.prompt=USER: <image>\n{prompt} # A:", "data.eval=", "optimizer.steps=null", "optimizer.epochs=2",
            "model.path=other",
        ])
        #expect(run.optimizer.learningRate == 2e-7)
        #expect(run.trainable.lora == LowRankSettings(r: 4, alpha: 128, targets: ["o_proj"], isRankStabilized: true))
        #expect(run.model.prompt.source == "USER: <image>\n{prompt} # A:")
        #expect(run.data.eval == nil)
        #expect(run.optimizer.duration == .epochs(2))
        #expect(run.model.path.path == file.path("other"))
        #expect(try ConfigurationFile("").read(["model.path=m", "data.train=t"]).model.path.lastPathComponent == "m")
    }
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
        let message = try message(minimal + text)
        #expect(message.contains(expected), "\(message)")
        #expect(message.contains("run.yaml:"), "\(message)")
    }

    @Test func namesWhatIsMissing() throws {
        #expect(try message("").contains("run.yaml: model.path: is missing; give the folder"))
        #expect(try message("model: {path: m}").contains("run.yaml: data.train: is missing"))
        #expect(try message("- 1").contains("run.yaml: is not a mapping"))
        #expect(
            try message("model: {path: m, prompt: llava-1.6}\ndata: {train: t}").contains("did you mean llava-1.5?"))
        #expect(try message("model: {path: m}\ndata: {train: t, shuffle: yes}").contains("is 'yes', not true or false"))
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
        let message = try message(minimal + "seed: 1\n", [assignment])
        #expect(message.contains(expected), "\(message)")
    }
}
