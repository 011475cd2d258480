import Core
import Foundation

extension RunConfiguration {
    /// Every key of `run.yaml`.
    package static let keys = ConfigurationKeys<RunConfiguration>(
        [
            .seed(\.seed, "keys every random choice: initial adapters, the order of groups, draws of negatives"),
            .path("output", \.output, standard: "`runs/<config name>`", "where results go"),
        ]
            + Model.keys.map { $0.within("model", \.model) }
            + Data.keys.map { $0.within("data", \.data) }
            + Objective.keys.map { $0.within("objective", \.objective) }
            + [negativesCount, sampling]
            + Negatives.keys.map { $0.within("negatives", \.negatives) }
            + Trainable.keys.map { $0.within("trainable", \.trainable) }
            + LowRankSettings.keys.map { $0.within("lora", \.trainable.lora) } + [dropout]
            + Optimizer.keys.map { $0.within("optimizer", \.optimizer) }
            + Checkpoint.keys.map { $0.within("checkpoint", \.checkpoint) }
            + Evaluation.keys.map { $0.within("evaluation", \.evaluation) }
            + Compute.keys.map { $0.within("compute", \.compute) }
            + Cache.keys.map { $0.within("cache", \.cache) })

    private static let negativesCount = ConfigurationKey<Negatives>.int(
        "count", \.count, from: 1, to: 10_000, "K, the negatives drawn for a group"
    ).within("negatives", \RunConfiguration.negatives)

    /// An objective that ranks its negatives has no place for a draw's weights.
    private static var sampling: ConfigurationKey<RunConfiguration> {
        let modes = NegativeSampler.Mode.allCases.map(\.rawValue).joined(separator: ", ")
        var key = ConfigurationKey<RunConfiguration>(
            "sampling", modes, "how negatives are drawn from a group's pool (method.md)",
            standard: "importance; subset for `lpoi`",
            read: { section, root throws(MISPError) in
                let objective = root.objective
                let isRanked = objective.function.needs.negatives == .rankedPool
                let sampling = try section["sampling"].choice(
                    default: isRanked ? NegativeSampler.Mode.subset : root.negatives.sampling)
                guard !isRanked || sampling == .subset || sampling == .uniform else {
                    throw section["sampling"].failure(
                        "is \(sampling.rawValue), which weighs its draws, but \(objective.kind.rawValue) ranks them",
                        remedy: "use subset or uniform")
                }
                root.negatives.sampling = sampling
            },
            write: { .string($0.negatives.sampling.rawValue) })
        key.section = "negatives"
        return key
    }

    /// Only the language model's adapters have it.
    private static var dropout: ConfigurationKey<RunConfiguration> {
        let range = "0 or more and below 1"
        var key = ConfigurationKey<RunConfiguration>(
            "dropout", range,
            "by what chance training leaves out an element before an adapter (PEFT's `lora_dropout`)",
            read: { section, root throws(MISPError) in
                let rate = try section["dropout"].number(default: 0, range) { 0..<1 ~= $0 }
                guard rate == 0 || root.trainable.vision != .lora else {
                    throw section["dropout"].failure(
                        "is \(rate), but misp has no dropout before adapters of the vision tower",
                        remedy: "set it to 0, or trainable.vision to frozen")
                }
                root.trainable.lora.dropout = rate
            },
            write: { .number($0.trainable.lora.dropout) })
        key.section = "lora"
        return key
    }
}

extension RunConfiguration.Model {
    /// Reads the section by itself.
    init(_ section: ConfigurationField) throws(MISPError) {
        self.init(path: section.places.folder)
        for key in Self.keys { try key.read(section, &self) }
    }

    static let keys: [ConfigurationKey<Self>] =
        [
            .required(
                "path", \.path, remedy: "give the folder of a Hugging Face model", "folder of a Hugging Face checkpoint"
            ),
            .optional("adapter", \.adapter, "folder of a PEFT adapter to continue from"),
            ConfigurationKey(
                "prompt", "a template's name, or a text with `<image>` and `{prompt}`",
                "what stands around prompt and picture", standard: "llava-1.5",
                read: { section, root throws(MISPError) in
                    guard let template = try section["prompt"].string() else { return }
                    do throws(MISPError) {
                        root.prompt = try PromptTemplate(template)
                    } catch {
                        throw section["prompt"].failure(error.what, remedy: error.remedy)
                    }
                },
                write: { .string($0.prompt.source) }),
        ] + PictureSettings.keys.map { $0.within("model", \.pictures) }
}

extension PictureSettings {
    /// Of the section `model`, in run.yaml and in mine.yaml.
    static let keys: [ConfigurationKey<Self>] = [
        .optional(
            "min_pixels", \.least, from: 1, to: mostPixels,
            "smaller pictures are enlarged to so many pixels (Qwen2-VL, Qwen2.5-VL)",
            standard: "as the model's folder says"),
        .optional(
            "max_pixels", \.most, from: 1, to: mostPixels,
            "larger pictures are made smaller to so many pixels (Qwen2-VL, Qwen2.5-VL)",
            standard: "as the model's folder says"),
        .optional(
            "image_splitting", \.splits, "cuts pictures into tiles (SmolVLM, Idefics3)",
            standard: "as the model's folder says"),
    ]
}

extension RunConfiguration.Data {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .required(
            "train", \.train, remedy: "give a file of preference groups (JSON lines)",
            "preference groups as JSON lines"),
        .optional(
            "eval", \.eval,
            "held-out groups: their loss is reported before the first step, after the last, and between (`evaluation`)"
        ),
        .path("images", \.images, standard: "the configuration's folder", "where relative paths of pictures start"),
        .bool("shuffle", \.shuffle, "whether each epoch has its own order"),
        .choice("transparency", \.transparency, "what becomes of an alpha channel: laid on white, or dropped"),
    ]
}

extension RunConfiguration.Objective {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        ConfigurationKey(
            "kind", ObjectiveKind.allCases.map(\.rawValue).joined(separator: ", "), "the loss (method.md)",
            read: { section, root throws(MISPError) in
                root.kind = try section["kind"].choice(default: root.kind)
                root.settings = root.kind.defaults
            },
            write: { .string($0.kind.rawValue) }),
        positive("beta", \.settings.beta, "β, the scale of the implicit reward", standard: "0.5; by kind (method.md)"),
        weight("text_weight", \.settings.textWeight, "λ, the weight of the text loss (`misp`, `lpoi`)"),
        weight(
            "anchor_weight", \.settings.anchorWeight, "α, the weight of the anchor (`misp`, `lpoi`)",
            standard: "0; 1 for `lpoi`"),
        weight("kl_weight", \.settings.divergenceWeight, "γ, the weight of the responses' divergences (`chip`)"),
        positive("token_weight", \.settings.tokenWeight, "what substituted tokens count for (`chip`)"),
    ]

    private static func positive(
        _ name: String, _ place: ConfigurationKey<Self>.Place<Double>, _ help: String, standard: String? = nil
    ) -> ConfigurationKey<Self> {
        .number(name, place, "greater than 0 and at most 1e6", help, standard: standard) { $0 > 0 && $0 <= 1e6 }
    }

    private static func weight(
        _ name: String, _ place: ConfigurationKey<Self>.Place<Double>, _ help: String, standard: String? = nil
    ) -> ConfigurationKey<Self> {
        .number(name, place, "between 0 and 1e6", help, standard: standard) { 0...1e6 ~= $0 }
    }
}

extension RunConfiguration.Negatives {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .number("temperature", \.temperature, "between 1e-6 and 1e6", "τ of the proposal: how much scores count") {
            1e-6...1e6 ~= $0
        },
        .number("uniform_mix", \.uniformMix, "between 1e-9 and 1", "ε of the proposal: its uniform share") {
            1e-9...1 ~= $0
        },
    ]
}

extension Trainable {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .choice("language", \.language, "the language model"),
        .choice("projector", \.projector, "the projector between tower and language model"),
        .choice("vision", \.vision, "the vision tower"),
    ]
}

extension LowRankSettings {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .int("r", \.r, from: 1, to: 65_536, "the adapters' rank"),
        .number("alpha", \.alpha, "greater than 0 and at most 1e6", "α: adapters are scaled by α/r") {
            $0 > 0 && $0 <= 1e6
        },
        ConfigurationKey(
            "targets", "a list of \(Self.modules.joined(separator: ", "))", "the linear layers that get adapters",
            read: { section, root throws(MISPError) in root.targets = try read(section["targets"]) ?? root.targets },
            write: { .array($0.targets.map(JSON.string)) }),
        .bool("rslora", \.isRankStabilized, "whether adapters are scaled by α/√r instead (rsLoRA)"),
    ]

    private static func read(_ field: ConfigurationField) throws(MISPError) -> [String]? {
        guard let list = try field.list() else { return nil }
        var targets: [String] = []
        for item in list {
            guard let target = try item.string() else { throw item.failure("is null, not a module") }
            guard Self.modules.contains(target) else {
                throw item.failure(
                    "unknown module '\(target)'", remedy: NearestName.remedy(target, among: Self.modules))
            }
            guard !targets.contains(target) else { throw item.failure("'\(target)' is given more than once") }
            targets.append(target)
        }
        guard !targets.isEmpty else { throw field.failure("names no module") }
        return targets
    }
}

extension RunConfiguration.Optimizer {
    /// Of steps, epochs and groups of a step.
    private static let most = 100_000_000
    /// Above it 1 − β is 0 in single precision.
    private static let largestBeta = 1 - 0x1p-23

    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .number("learning_rate", \.learningRate, "0 or more", "AdamW's greatest learning rate") { $0 >= 0 },
        ConfigurationKey(
            "betas", "two numbers, at least 0 and less than 1", "AdamW's decay rates",
            read: { section, root throws(MISPError) in
                guard let betas = try section["betas"].list() else { return }
                guard betas.count == 2 else {
                    throw section["betas"].failure("holds \(betas.count) numbers, not 2")
                }
                let range = "at least 0 and less than 1"
                root.beta1 = try betas[0].number(default: root.beta1, range) { 0...largestBeta ~= $0 }
                root.beta2 = try betas[1].number(default: root.beta2, range) { 0...largestBeta ~= $0 }
            },
            write: { [.number($0.beta1), .number($0.beta2)] }),
        .number("eps", \.epsilon, "between 1e-30 and 1", "AdamW's ε") { 1e-30...1 ~= $0 },
        .number("weight_decay", \.weightDecay, "0 or more", "AdamW's decoupled weight decay") { $0 >= 0 },
        .number(
            "max_grad_norm", \.maxGradNorm, "0 (no clipping) or more", "the norm to which a gradient is clipped"
        ) { $0 >= 0 },
        .choice("schedule", \.schedule, "of the learning rate, as transformers names them"),
        .number("warmup_ratio", \.warmupRatio, "between 0 and 1", "the share of steps in which it rises from 0") {
            0...1 ~= $0
        },
        .int("groups_per_step", \.groupsPerStep, from: 1, to: most, "groups of a step, over all ranks"),
        ConfigurationKey(
            "epochs", "1 to \(most)", "how often all groups are taken", standard: "3",
            read: { section, root throws(MISPError) in
                let epochs = section["epochs"]
                if epochs.isPresent { root.duration = .epochs(try epochs.int(default: 0, from: 1, to: most)) }
            },
            write: { if case .epochs(let count) = $0.duration { .integer(count) } else { .null } }),
        ConfigurationKey(
            "steps", "1 to \(most)", "how many steps are made, in place of `epochs`",
            read: { section, root throws(MISPError) in
                let steps = section["steps"]
                guard steps.isPresent else { return }
                guard !section["epochs"].isPresent else {
                    throw steps.failure(
                        "is given beside optimizer.epochs", remedy: "keep one of the two, or set one to null")
                }
                root.duration = .steps(try steps.int(default: 0, from: 1, to: most))
            },
            write: { if case .steps(let count) = $0.duration { .integer(count) } else { .null } }),
    ]
}

extension RunConfiguration.Checkpoint {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .int("every", \.every, from: 1, to: 1_000_000_000, "steps between checkpoints"),
        .int("keep", \.keep, from: 1, to: 1_000_000, "how many of the latest stay"),
    ]
}

extension RunConfiguration.Evaluation {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .int(
            "every", \.every, from: 0, to: 1_000_000_000,
            "steps between evaluations (held-out groups, benchmarks); 0: before the first step and after the last alone"
        ),
        .bool(
            "keep_best", \.keepsBest, "whether the checkpoint with the least held-out loss stays, as `checkpoints/best`"
        ),
        .optional(
            "benchmarks", \.benchmarks,
            "an eval.yaml: its benchmarks are answered by the model in training, after the same steps"),
        .int(
            "answers", \.answers, from: 0, to: 64,
            "pictures of held-out groups (else of training groups) whose answers before and after training stand in "
                + "`report.html`"),
    ]
}

extension RunConfiguration.Compute {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .choice("precision", \.precision, "what products round their inputs to; all else is float32"),
        .choice(
            "members", \.members,
            "a group's sequences in one pass, the same with layers run again, one picture at a time, or what fits"),
        .int("threads", \.threads, from: 1, to: 4096, "threads of a rank"),
    ]
}

extension RunConfiguration.Cache {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .bool("enabled", \.isEnabled, "whether features of pictures and the reference are kept on disk"),
        .path("folder", \.folder, standard: "`cache` beside the output folder", "where they are kept"),
        .number("features_gib", \.features, "between 0 and 1e9", "GiB that a run's features may take") {
            0...1e9 ~= $0
        },
    ]
}
