import Core
import Foundation

/// A training run as `run.yaml` describes it; what a file leaves out has the value that stands here.
package struct RunConfiguration: Sendable, Equatable {
    /// Keys every random choice: initial adapters, the order of groups, draws of negatives.
    package var seed: UInt64 = 0
    /// Where results go; `runs/<config name>` beside the configuration unless given.
    package var output: URL
    package var model: Model
    package var data: Data
    package var objective = Objective()
    package var negatives = Negatives()
    /// The sections `trainable` and `lora`.
    package var trainable = Trainable()
    package var optimizer = Optimizer()
    package var checkpoint = Checkpoint()
    package var evaluation = Evaluation()
    package var compute = Compute()
    package var cache: Cache

    /// Reads `run.yaml`, with `overrides` such as `optimizer.learning_rate=1e-6` put over it.
    ///
    /// - Throws: `MISPError` that names file, line and key of an unknown key, a value of the wrong kind or out of
    ///   range, or a required key that is missing.
    package init(contentsOf url: URL, overrides: [String] = []) throws(MISPError) {
        let document = try ConfigurationDocument(contentsOf: url, overrides: overrides)
        let folder = document.places.folder
        // Required keys have no value before they are read.
        output = ConfigurationField.resolve("runs/\(document.name)", from: folder)
        model = Model(path: folder)
        data = Data(train: folder, images: folder)
        cache = Cache(folder: folder)
        try Self.keys.read(document, into: &self)
        let root = document.field
        if !root["cache"]["folder"].isPresent { cache.folder = Cache.folder(of: output) }
        if trainable.language == .frozen, trainable.projector == .frozen, trainable.vision == .frozen {
            throw root["trainable"].failure("everything is frozen, so that nothing would be trained")
        }
        let isInVain = evaluation.every > 0 && evaluation.benchmarks == nil
        if data.eval == nil, isInVain || evaluation.keepsBest {
            let key = isInVain ? "every" : "keep_best"
            throw root["evaluation"][key].failure(
                "is set, but there are no held-out groups", remedy: "give their file as data.eval")
        }
    }

    package struct Model: Sendable, Equatable {
        /// A Hugging Face directory; required.
        package var path: URL
        /// A PEFT adapter directory to continue from.
        package var adapter: URL?
        package var prompt = PromptTemplate.llava
        /// What is set in place of the folder's own.
        package var pictures = PictureSettings()

        package init(path: URL) { self.path = path }
    }

    /// The model's folder, with pictures read as the run asks for.
    func modelFolder() throws -> ModelFolder {
        var folder = try ModelFolder(model.path, pictures: model.pictures)
        folder.processor.transparency = data.transparency
        return folder
    }

    package struct Data: Sendable, Equatable {
        /// Preference groups as JSON lines; required.
        package var train: URL
        package var eval: URL?
        /// Where relative image paths start; the configuration's own folder unless given.
        package var images: URL
        package var shuffle = true
        package var transparency = Transparency.white

        package init(train: URL, images: URL) {
            self.train = train
            self.images = images
        }
    }

    package struct Objective: Sendable, Equatable {
        package var kind = ObjectiveKind(MISP.self)
        /// The kind's own unless given.
        package var settings = MISP.defaults

        /// As a function of log-probabilities.
        package var function: any Core.Objective { kind.objective(settings) }
    }

    package struct Negatives: Sendable, Equatable {
        /// K, the negatives drawn for a group.
        package var count = 3
        package var sampling = NegativeSampler.Mode.importance
        /// τ of the proposal q = (1 − ε)·softmax(score / τ) + ε / N.
        package var temperature = 1.0
        /// ε of the proposal.
        package var uniformMix = 0.1

        package var sampler: NegativeSampler {
            NegativeSampler(sampling, count: count, temperature: temperature, uniformMix: uniformMix)
        }
    }

    /// AdamW, its learning rate's schedule, and how long it runs.
    package struct Optimizer: Sendable, Equatable {
        package typealias Schedule = LearningRateSchedule.Kind
        package enum Duration: Sendable, Equatable { case epochs(Int), steps(Int) }

        package var learningRate = 1e-5
        package var beta1 = 0.9
        package var beta2 = 0.999
        package var epsilon = 1e-8
        package var weightDecay = 0.0
        /// As in torch.nn.utils.clip_grad_norm_; 0 turns clipping off.
        package var maxGradNorm = 1.0
        package var schedule = Schedule.cosine
        /// The share of all steps in which the learning rate rises from 0; `constant` has no such steps.
        package var warmupRatio = 0.1
        package var groupsPerStep = 32
        package var duration = Duration.epochs(3)
    }

    package struct Checkpoint: Sendable, Equatable {
        /// Steps between checkpoints.
        package var every = 100
        /// How many of the latest stay.
        package var keep = 3
    }

    /// Of the held-out groups, and of benchmarks.
    package struct Evaluation: Sendable, Equatable {
        /// Steps between evaluations; 0: before the first step and after the last alone.
        package var every = 0
        /// Whether the checkpoint with the least held-out loss stays, as `checkpoints/best`.
        package var keepsBest = false
        /// An eval.yaml, whose benchmarks are answered after the same steps.
        package var benchmarks: URL?
        /// Pictures that the model is asked about before the first step and after the last, for report.html.
        package var answers = 4

        func isDue(after steps: Int, of total: Int) -> Bool {
            steps == 0 || steps == total || every > 0 && steps % every == 0
        }
    }

    /// What is computed once and kept on disk for all ranks and for later runs.
    package struct Cache: Sendable, Equatable {
        package var isEnabled = true
        /// `cache` beside the output folder unless given.
        package var folder: URL
        /// GiB that a run's features of pictures may take on disk; more are computed as they are needed.
        package var features = 8.0

        var featureBytes: Double { features * 0x1p30 }

        fileprivate static func folder(of output: URL) -> URL {
            output.deletingLastPathComponent().appending(path: "cache", directoryHint: .notDirectory)
        }
    }

    package struct Compute: Sendable, Equatable {
        /// A group's sequences in one pass; the same, keeping layers' inputs alone, or one at a time (less memory, one
        /// more forward pass each); or what fits.
        package enum Members: String, Sendable, CaseIterable { case auto, joint, recompute, streaming }

        /// Of the products; sums, norms, softmax and the optimizer are float32.
        package var precision = Precision.float32
        package var members = Members.auto
        /// Threads of a rank.
        package var threads = 1
    }
}

extension RunConfiguration {
    /// `trainable`, with rank and targets of the adapter that training continues from.
    func resolvedTrainable() throws -> Trainable {
        guard let adapter = model.adapter else { return trainable }
        var resolved = trainable
        resolved.lora = try LowRankAdapterFolder(adapter).settings
        resolved.lora.dropout = trainable.lora.dropout
        let (language, vision) = (resolved.lora.adaptsLanguage, resolved.lora.adaptsVision)
        try Self.check(
            adapter, language ? "adapts the language model" : "does not adapt the language model", language,
            "language", resolved.language.rawValue)
        try Self.check(
            adapter, vision ? "adapts the vision tower too" : "does not adapt the vision tower", vision,
            "vision", resolved.vision.rawValue)
        return resolved
    }

    /// An adapter's part is trained on, or there is none.
    private static func check(
        _ adapter: URL, _ what: String, _ adapts: Bool, _ key: String, _ value: String
    ) throws(MISPError) {
        guard adapts != (value == "lora") else { return }
        let other = "merge the adapter (\(Typed.program) export, or PEFT) and give the result as model.path"
        throw MISPError(
            "\(what), but trainable.\(key) is \(value)", at: adapter.relativePath,
            remedy: adapts ? "set trainable.\(key) to lora, or \(other)" : "set trainable.\(key) to frozen")
    }
}
