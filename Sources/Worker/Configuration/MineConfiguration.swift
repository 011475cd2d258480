import Core
import Foundation

/// A mining of negatives as `mine.yaml` describes it; what a file leaves out has the value that stands here.
package struct MineConfiguration: Sendable, Equatable {
    /// What makes vectors of pictures and prompts: a CLIP checkpoint, or a LLaVA one's own vision tower.
    package enum Embedder: String, Sendable, CaseIterable { case clip, vision }
    /// How negatives are chosen; `NegativeStrategies` has one of each name.
    package enum Strategy: String, Sendable, CaseIterable { case misp, random, nearest, perturb, logdet }
    /// What happens to prompts that are longer than the embedder reads.
    package enum LongPrompts: String, Sendable, CaseIterable { case error, truncate }

    /// Keys every random choice.
    package var seed: UInt64 = 0
    /// Where results go; `runs/<config name>` beside the configuration unless given.
    package var output: URL
    /// Where embeddings are kept for later runs; `runs/embeddings` beside the configuration unless given.
    package var store: URL
    package var embedder = Embedder.clip
    /// Whether embeddings of pictures are taken less the gallery's mean; nil: those of `vision` are.
    package var centered: Bool?
    var isCentered: Bool { centered ?? (embedder == .vision) }
    /// A Hugging Face directory; required.
    package var model: URL
    package var data: Data
    /// M, the negatives of a group.
    package var pool = 16
    package var strategy = Strategy.misp
    /// η, the weight of the distance to the negatives already picked (`misp`).
    package var diversity = 1.0
    /// Images whose cosine with the positive is above it count as the positive itself.
    package var duplicateCosine = 0.99
    package var longPrompts = LongPrompts.error
    /// The share of pictures that may be unreadable; they are left out and listed.
    package var maxUnreadable = 0.01
    /// Groups on the page of pictures.
    package var pageGroups = 50
    package var autoencoder = AutoencoderSettings()
    /// Threads of a rank.
    package var threads = 1

    package init(output: URL, store: URL, model: URL, data: Data) {
        (self.output, self.store, self.model, self.data) = (output, store, model, data)
    }

    package struct Data: Sendable, Equatable {
        /// Preference groups as JSON lines, whose negatives are not looked at; required.
        package var prompts: URL
        /// A folder of pictures or a list of them; the pictures of the prompts unless given.
        package var gallery: URL?
        /// A list of pictures that are never taken, such as a benchmark's.
        package var exclude: URL?
        /// Where relative image paths start; the configuration's own folder unless given.
        package var images: URL
        package var transparency = Transparency.white

        package init(prompts: URL, images: URL) { (self.prompts, self.images) = (prompts, images) }
    }
}

extension MineConfiguration {
    /// Reads `mine.yaml`, with `overrides` such as `pool=8` put over it.
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
        let data = Data(prompts: nowhere, images: nowhere)
        var keys = MineConfiguration(output: nowhere, store: nowhere, model: nowhere, data: data).json.object ?? .init()
        keys[ResolvedConfiguration.environmentKey] = .null
        return .object(keys)
    }

    private init(_ root: ConfigurationField, folder: URL, name: String) throws(MISPError) {
        for section in Self.allKeys.object?.members ?? [] where section.value.object != nil {
            try root[section.key].checkSection()
        }
        guard let model = try root["model"]["path"].path(from: folder) else {
            throw root["model"]["path"].failure("is missing", remedy: "give the folder of a CLIP or LLaVA checkpoint")
        }
        self.init(
            output: try root["output"].path(from: folder) ?? ConfigurationField.resolve("runs/\(name)", from: folder),
            store: try root["store"].path(from: folder) ?? ConfigurationField.resolve("runs/embeddings", from: folder),
            model: model, data: try Data(root["data"], folder: folder))
        seed = UInt64(try root["seed"].int(default: 0, from: 0))
        embedder = try root["embedder"].choice(default: embedder)
        if root["centered"].isPresent { centered = try root["centered"].bool(default: false) }
        pool = try root["pool"].int(default: pool, from: 1, to: 10_000)
        strategy = try root["strategy"].choice(default: strategy)
        diversity = try root["diversity"].number(default: diversity, "between 0 and 1e6") { 0...1e6 ~= $0 }
        duplicateCosine = try root["duplicate_cosine"].number(default: duplicateCosine, "between 0 and 1") {
            0...1 ~= $0
        }
        longPrompts = try root["long_prompts"].choice(default: longPrompts)
        maxUnreadable = try root["max_unreadable"].number(default: maxUnreadable, "between 0 and 1") { 0...1 ~= $0 }
        pageGroups = try root["page_groups"].int(default: pageGroups, from: 0, to: 10_000)
        autoencoder = try AutoencoderSettings(root["autoencoder"], seed: seed)
        threads = try root["compute"]["threads"].int(default: threads, from: 1, to: 4096)
    }

    /// Every key in the order of the documentation.
    var json: JSON {
        func path(_ url: URL?) -> JSON { url.map { .string($0.path) } ?? .null }
        return [
            "seed": .integer(Int(clamping: seed)), "output": path(output), "store": path(store),
            "embedder": .string(embedder.rawValue), "centered": centered.map { .bool($0) } ?? .null,
            "model": ["path": path(model)],
            "data": [
                "prompts": path(data.prompts), "gallery": path(data.gallery), "images": path(data.images),
                "exclude": path(data.exclude), "transparency": .string(data.transparency.rawValue),
            ],
            "pool": .integer(pool), "strategy": .string(strategy.rawValue), "diversity": .number(diversity),
            "duplicate_cosine": .number(duplicateCosine), "long_prompts": .string(longPrompts.rawValue),
            "max_unreadable": .number(maxUnreadable), "page_groups": .integer(pageGroups),
            "autoencoder": autoencoder.json, "compute": ["threads": .integer(threads)],
        ]
    }

    package func yaml(environment: RunConfiguration.Environment) -> String {
        ResolvedConfiguration.yaml(json, environment: environment)
    }
}

extension MineConfiguration.Data {
    fileprivate init(_ section: ConfigurationField, folder: URL) throws(MISPError) {
        guard let prompts = try section["prompts"].path(from: folder) else {
            throw section["prompts"].failure(
                "is missing", remedy: "give a file of groups (JSON lines): prompt, chosen, image")
        }
        self.init(prompts: prompts, images: try section["images"].path(from: folder) ?? folder)
        gallery = try section["gallery"].path(from: folder)
        exclude = try section["exclude"].path(from: folder)
        transparency = try section["transparency"].choice(default: transparency)
    }
}

extension AutoencoderSettings {
    fileprivate init(_ section: ConfigurationField, seed: UInt64) throws(MISPError) {
        self.init()
        self.seed = seed
        latents = try section["latents"].int(default: latents, from: 1, to: 65_536)
        sparsityWeight = try section["sparsity"].number(default: sparsityWeight, "between 0 and 1e6") { 0...1e6 ~= $0 }
        sparsity = try section["target"].number(default: sparsity, "greater than 0 and less than 1") {
            $0 > 0 && $0 < 1
        }
        atomLength = try section["atom_length"].number(default: atomLength, "between 1e-6 and 1e6") { 1e-6...1e6 ~= $0 }
        learningRate = try section["learning_rate"].number(default: learningRate, "0 or more") { $0 >= 0 }
        weightDecay = try section["weight_decay"].number(default: weightDecay, "0 or more") { $0 >= 0 }
        steps = try section["steps"].int(default: steps, from: 1, to: 10_000_000)
        promptsPerStep = try section["prompts_per_step"].int(default: promptsPerStep, from: 1, to: 100_000)
        candidatesPerPrompt = try section["candidates_per_prompt"].int(
            default: candidatesPerPrompt, from: 1, to: 100_000)
    }

    fileprivate var json: JSON {
        [
            "latents": .integer(latents), "sparsity": .number(sparsityWeight), "target": .number(sparsity),
            "atom_length": .number(atomLength),
            "learning_rate": .number(learningRate), "weight_decay": .number(weightDecay), "steps": .integer(steps),
            "prompts_per_step": .integer(promptsPerStep), "candidates_per_prompt": .integer(candidatesPerPrompt),
        ]
    }
}
