import Core
import Foundation

/// A mining of negatives as `mine.yaml` describes it; what a file leaves out has the value that stands here.
package struct MineConfiguration: Sendable, Equatable {
    /// What makes vectors of pictures and prompts: a CLIP checkpoint, or a model's own vision tower.
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
    /// What is set in place of the folder's own (`vision`).
    package var pictures = PictureSettings()
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
    /// Of the products that make embeddings.
    package var precision = Precision.float32
    /// Threads of a rank.
    package var threads = 1

    /// Reads `mine.yaml`, with `overrides` such as `pool=8` put over it.
    ///
    /// - Throws: `MISPError` that names file, line and key of an unknown key, a value of the wrong kind or out of
    ///   range, or a required key that is missing.
    package init(contentsOf url: URL, overrides: [String] = []) throws(MISPError) {
        let document = try ConfigurationDocument(contentsOf: url, overrides: overrides)
        let folder = document.places.folder
        output = ConfigurationField.resolve("runs/\(document.name)", from: folder)
        store = ConfigurationField.resolve("runs/embeddings", from: folder)
        // Required keys have no value before they are read.
        model = folder
        data = Data(prompts: folder, images: folder)
        try Self.keys.read(document, into: &self)
        autoencoder.seed = seed
    }

    /// Every key in the order of the documentation.
    var json: JSON { Self.keys.json(of: self) }

    package func yaml(environment: RunConfiguration.Environment) -> String {
        ResolvedConfiguration.yaml(json, environment: environment)
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
    /// Every key of `mine.yaml`.
    package static let keys = ConfigurationKeys<MineConfiguration>(
        [
            .seed(\.seed, "keys every random choice"),
            .path("output", \.output, standard: "`runs/<config name>`", "where results go"),
            .path("store", \.store, standard: "`runs/embeddings`", "where embeddings are kept for later runs"),
            .choice("embedder", \.embedder, "a CLIP checkpoint, or a model's own vision tower"),
            ConfigurationKey(
                "centered", "true, false", "whether embeddings are taken less the gallery's mean",
                standard: "true for `vision`",
                read: { section, root throws(MISPError) in
                    let centered = section["centered"]
                    if centered.isPresent { root.centered = try centered.bool(default: false) }
                },
                write: { root in root.centered.map { .bool($0) } ?? .null }),
            ConfigurationKey<Self>.required(
                "path", \.model, remedy: "give the folder of a CLIP or vision-language checkpoint",
                "folder of a Hugging Face checkpoint"
            ).within("model", \.self),
        ]
            + PictureSettings.keys.map { $0.within("model", \.pictures) }
            + Data.keys.map { $0.within("data", \.data) }
            + [
                .int("pool", \.pool, from: 1, to: 10_000, "M, the negatives of a group"),
                .choice("strategy", \.strategy, "how negatives are chosen (mining.md)"),
                .number("diversity", \.diversity, "between 0 and 1e6", "η, what distance to earlier picks counts") {
                    0...1e6 ~= $0
                },
                .number(
                    "duplicate_cosine", \.duplicateCosine, "between 0 and 1",
                    "above this cosine a picture counts as the positive itself"
                ) { 0...1 ~= $0 },
                .choice("long_prompts", \.longPrompts, "what becomes of prompts longer than the embedder reads"),
                .number(
                    "max_unreadable", \.maxUnreadable, "between 0 and 1",
                    "the share of pictures that may be unreadable"
                ) { 0...1 ~= $0 },
                .int("page_groups", \.pageGroups, from: 0, to: 10_000, "groups on the page of pictures"),
            ]
            + AutoencoderSettings.keys.map { $0.within("autoencoder", \.autoencoder) }
            + [
                ConfigurationKey<Self>.choice(
                    "precision", \.precision, "what the embedder's products round their inputs to"
                ).within("compute", \.self),
                ConfigurationKey<Self>.int("threads", \.threads, from: 1, to: 4096, "threads of a rank")
                    .within("compute", \.self),
            ])
}

extension MineConfiguration.Data {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .required(
            "prompts", \.prompts, remedy: "give a file of groups (JSON lines): prompt, chosen, image",
            "groups as JSON lines; their negatives are not looked at"),
        .optional("gallery", \.gallery, "a folder or list of pictures; the prompts' own unless given"),
        .path("images", \.images, standard: "the configuration's folder", "where relative paths of pictures start"),
        .optional("exclude", \.exclude, "a list of pictures that are never taken, such as a benchmark's"),
        .choice("transparency", \.transparency, "what becomes of an alpha channel: laid on white, or dropped"),
    ]
}

extension AutoencoderSettings {
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .int("latents", \.latents, from: 1, to: 65_536, "how many latents it has"),
        .number("sparsity", \.sparsityWeight, "between 0 and 1e6", "the weight of the sparsity loss") {
            0...1e6 ~= $0
        },
        .number("target", \.sparsity, "greater than 0 and less than 1", "ρ, the mean activation that is aimed at") {
            $0 > 0 && $0 < 1
        },
        .number("atom_length", \.atomLength, "between 1e-6 and 1e6", "the length of the dictionary's atoms") {
            1e-6...1e6 ~= $0
        },
        .number("learning_rate", \.learningRate, "0 or more", "0: chosen by the number of dimensions") { $0 >= 0 },
        .number("weight_decay", \.weightDecay, "0 or more", "AdamW's decoupled weight decay") { $0 >= 0 },
        .int("steps", \.steps, from: 1, to: 10_000_000, "steps of its training"),
        .int("prompts_per_step", \.promptsPerStep, from: 1, to: 100_000, "prompts of a step"),
        .int(
            "candidates_per_prompt", \.candidatesPerPrompt, from: 1, to: 100_000,
            "pictures of each prompt, beside its positive, in a step"),
    ]
}
