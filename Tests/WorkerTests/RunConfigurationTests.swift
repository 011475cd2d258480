import Core
import Foundation
import TestSupport
import Testing
import Worker

@Test func theDefaultRunHasTransformersSchedule() throws {
    let golden = try JSONField(contentsOf: golden("optimization.json"))["schedules"].array()
    let optimizer = try ConfigurationFile(minimalConfiguration).read().optimizer
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
        let read = try ConfigurationFile(minimalConfiguration).read(["optimizer.schedule=\(name)"])
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
        let file = try ConfigurationFile(minimalConfiguration)
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
        let file = try ConfigurationFile(minimalConfiguration + "objective: {kind: \(kind)}\n")
        #expect(try file.read().objective.settings.beta == beta)
        #expect(try file.read(["objective.beta=0.3"]).objective.settings.beta == 0.3)
    }

    /// A ranking has no place for the weights of a draw.
    @Test func aRankingTakesUnweightedDraws() throws {
        let file = try ConfigurationFile(minimalConfiguration + "objective: {kind: lpoi}\n")
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
        for text in [
            documented, minimalConfiguration,
            minimalConfiguration + "objective: {kind: dpo}\noptimizer: {learning_rate: 5.0e-7}\n",
        ] {
            let run = try ConfigurationFile(text).read()
            let written = run.yaml(environment: environment)
            let again = try ConfigurationFile(written).read()
            #expect(again == run)
            #expect(again.yaml(environment: environment) == written)
            #expect(written.contains(/environment:\n  version: "0.1.0"\n/))
        }
        let written = try ConfigurationFile(minimalConfiguration).read().yaml(environment: environment)
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
