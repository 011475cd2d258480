import Core
import Foundation

extension RunConfiguration {
    /// Reads `run.yaml`, with `overrides` such as `optimizer.learning_rate=1e-6` put over it.
    ///
    /// - Throws: `MISPError` that names file, line and key of an unknown key, a value of the wrong kind or out of
    ///   range, or a required key that is missing.
    package init(contentsOf url: URL, overrides: [String] = []) throws(MISPError) {
        var document = try ConfigurationDocument(contentsOf: url)
        for assignment in overrides { try document.override(assignment) }
        try document.checkKeys(against: Self.allKeys)
        let folder = URL(filePath: url.absoluteURL.deletingLastPathComponent().path, directoryHint: .notDirectory)
        try self.init(document.field, folder: folder, name: url.deletingPathExtension().lastPathComponent)
    }

    /// A configuration written out: every key there is, the ignored environment included.
    private static var allKeys: JSON {
        let nowhere = URL(filePath: "/", directoryHint: .notDirectory)
        let run = RunConfiguration(
            output: nowhere, model: Model(path: nowhere), data: Data(train: nowhere, images: nowhere))
        var keys = run.json.object ?? JSON.Object()
        keys[ResolvedConfiguration.environmentKey] = .null
        return .object(keys)
    }

    private init(_ root: ConfigurationField, folder: URL, name: String) throws(MISPError) {
        for section in Self.allKeys.object?.members ?? [] where section.value.object != nil {
            try root[section.key].checkSection()
        }
        output = try root["output"].path(from: folder) ?? ConfigurationField.resolve("runs/\(name)", from: folder)
        model = try Model(root["model"], folder: folder)
        data = try Data(root["data"], folder: folder)
        seed = UInt64(try root["seed"].int(default: 0, from: 0))
        objective = try Objective(root["objective"])
        negatives = try Negatives(root["negatives"])
        trainable = try Self.trainable(root["trainable"], root["lora"])
        optimizer = try Optimizer(root["optimizer"])
        checkpoint = try Checkpoint(root["checkpoint"])
        compute = try Compute(root["compute"])
        cache = try Cache(root["cache"], folder: folder, output: output)
    }

    private static func trainable(
        _ parts: ConfigurationField, _ adapter: ConfigurationField
    ) throws(MISPError) -> Trainable {
        let standard = Trainable()
        let trainable = Trainable(
            language: try parts["language"].choice(default: standard.language),
            projector: try parts["projector"].choice(default: standard.projector),
            vision: try parts["vision"].choice(default: standard.vision),
            lora: try LowRankSettings(adapter))
        if trainable.language == .frozen, trainable.projector == .frozen, trainable.vision == .frozen {
            throw parts.failure("everything is frozen, so that nothing would be trained")
        }
        return trainable
    }
}

extension LowRankSettings {
    fileprivate init(_ section: ConfigurationField) throws(MISPError) {
        self.init()
        r = try section["r"].int(default: r, from: 1, to: 65_536)
        alpha = try section["alpha"].number(default: alpha, "greater than 0 and at most 1e6") { $0 > 0 && $0 <= 1e6 }
        isRankStabilized = try section["rslora"].bool(default: isRankStabilized)
        guard let list = try section["targets"].list() else { return }
        targets = []
        for item in list {
            guard let target = try item.string() else { throw item.failure("is null, not a module") }
            guard Self.modules.contains(target) else {
                throw item.failure(
                    "unknown module '\(target)'", remedy: NearestName.remedy(target, among: Self.modules))
            }
            guard !targets.contains(target) else { throw item.failure("'\(target)' is given more than once") }
            targets.append(target)
        }
        guard !targets.isEmpty else { throw section["targets"].failure("names no module") }
    }
}

extension RunConfiguration.Model {
    init(_ section: ConfigurationField, folder: URL) throws(MISPError) {
        guard let path = try section["path"].path(from: folder) else {
            throw section["path"].failure("is missing", remedy: "give the folder of a Hugging Face model")
        }
        self.init(path: path)
        adapter = try section["adapter"].path(from: folder)
        guard let template = try section["prompt"].string() else { return }
        do {
            prompt = try PromptTemplate(template)
        } catch {
            throw section["prompt"].failure(error.what, remedy: error.remedy)
        }
    }
}

extension RunConfiguration.Data {
    fileprivate init(_ section: ConfigurationField, folder: URL) throws(MISPError) {
        guard let train = try section["train"].path(from: folder) else {
            throw section["train"].failure("is missing", remedy: "give a file of preference groups (JSON lines)")
        }
        self.init(train: train, images: try section["images"].path(from: folder) ?? folder)
        eval = try section["eval"].path(from: folder)
        shuffle = try section["shuffle"].bool(default: shuffle)
        transparency = try section["transparency"].choice(default: transparency)
    }
}

extension RunConfiguration.Objective {
    fileprivate init(_ section: ConfigurationField) throws(MISPError) {
        kind = try section["kind"].choice(default: kind)
        beta = try section["beta"].number(default: kind.beta, "greater than 0 and at most 1e6") { $0 > 0 && $0 <= 1e6 }
        let weight = "between 0 and 1e6"
        textWeight = try section["text_weight"].number(default: textWeight, weight) { 0...1e6 ~= $0 }
        anchorWeight = try section["anchor_weight"].number(default: anchorWeight, weight) { 0...1e6 ~= $0 }
        divergenceWeight = try section["kl_weight"].number(default: divergenceWeight, weight) { 0...1e6 ~= $0 }
        tokenWeight = try section["token_weight"].number(default: tokenWeight, "greater than 0 and at most 1e6") {
            $0 > 0 && $0 <= 1e6
        }
    }
}

extension RunConfiguration.Negatives {
    fileprivate init(_ section: ConfigurationField) throws(MISPError) {
        count = try section["count"].int(default: count, from: 1, to: 10_000)
        sampling = try section["sampling"].choice(default: sampling)
        temperature = try section["temperature"].number(default: temperature, "between 1e-6 and 1e6") {
            1e-6...1e6 ~= $0
        }
        uniformMix = try section["uniform_mix"].number(default: uniformMix, "between 1e-9 and 1") {
            1e-9...1 ~= $0
        }
    }
}

extension RunConfiguration.Optimizer {
    /// Of steps, epochs and groups of a step.
    private static let most = 100_000_000
    /// Above it 1 − β is 0 in single precision.
    private static let largestBeta = 1 - 0x1p-23

    fileprivate init(_ section: ConfigurationField) throws(MISPError) {
        learningRate = try section["learning_rate"].number(default: learningRate, "0 or more") { $0 >= 0 }
        if let betas = try section["betas"].list() {
            guard betas.count == 2 else { throw section["betas"].failure("holds \(betas.count) numbers, not 2") }
            beta1 = try betas[0].number(default: beta1, "at least 0 and less than 1") { 0...Self.largestBeta ~= $0 }
            beta2 = try betas[1].number(default: beta2, "at least 0 and less than 1") { 0...Self.largestBeta ~= $0 }
        }
        epsilon = try section["eps"].number(default: epsilon, "between 1e-30 and 1") { 1e-30...1 ~= $0 }
        weightDecay = try section["weight_decay"].number(default: weightDecay, "0 or more") { $0 >= 0 }
        maxGradNorm = try section["max_grad_norm"].number(default: maxGradNorm, "0 (no clipping) or more") { $0 >= 0 }
        schedule = try section["schedule"].choice(default: schedule)
        warmupRatio = try section["warmup_ratio"].number(default: warmupRatio, "between 0 and 1") { 0...1 ~= $0 }
        groupsPerStep = try section["groups_per_step"].int(default: groupsPerStep, from: 1, to: Self.most)
        let (epochs, steps) = (section["epochs"], section["steps"])
        if epochs.isPresent, steps.isPresent {
            throw steps.failure("is given beside optimizer.epochs", remedy: "keep one of the two, or set one to null")
        }
        if epochs.isPresent { duration = .epochs(try epochs.int(default: 0, from: 1, to: Self.most)) }
        if steps.isPresent { duration = .steps(try steps.int(default: 0, from: 1, to: Self.most)) }
    }
}

extension RunConfiguration.Checkpoint {
    fileprivate init(_ section: ConfigurationField) throws(MISPError) {
        every = try section["every"].int(default: every, from: 1, to: 1_000_000_000)
        keep = try section["keep"].int(default: keep, from: 1, to: 1_000_000)
    }
}

extension RunConfiguration.Cache {
    fileprivate init(_ section: ConfigurationField, folder: URL, output: URL) throws(MISPError) {
        self.init(
            folder: try section["folder"].path(from: folder)
                ?? output.deletingLastPathComponent().appending(path: "cache", directoryHint: .notDirectory))
        isEnabled = try section["enabled"].bool(default: isEnabled)
        features = try section["features_gib"].number(default: features, "between 0 and 1e9") { 0...1e9 ~= $0 }
    }
}

extension RunConfiguration.Compute {
    fileprivate init(_ section: ConfigurationField) throws(MISPError) {
        members = try section["members"].choice(default: members)
        threads = try section["threads"].int(default: threads, from: 1, to: 4096)
    }
}
