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
    package var compute = Compute()
    package var cache: Cache

    package init(output: URL, model: Model, data: Data) {
        self.output = output
        self.model = model
        self.data = data
        cache = Cache(folder: output.deletingLastPathComponent().appending(path: "cache"))
    }

    package struct Model: Sendable, Equatable {
        /// A Hugging Face directory; required.
        package var path: URL
        /// A PEFT adapter directory to continue from.
        package var adapter: URL?
        package var prompt = PromptTemplate.llava

        package init(path: URL) { self.path = path }
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
        package typealias Kind = Core.Objective.Kind

        package var kind = Kind.misp
        /// Scale of the implicit reward; `Kind.beta` unless given.
        package var beta = Kind.misp.beta
        /// λ, the weight of the text loss.
        package var textWeight = 1.0
        /// α, the weight of the anchor.
        package var anchorWeight = 0.0
        /// γ_t, the weight of the token-level divergences (`chip`).
        package var divergenceWeight = 0.1
        /// What substituted tokens count for in their response's log-probability (`chip`).
        package var tokenWeight = 4.0

        /// As a function of log-probabilities.
        package var function: Core.Objective {
            Core.Objective(
                kind, beta: beta, textWeight: textWeight, anchorWeight: anchorWeight,
                divergenceWeight: divergenceWeight)
        }
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

    /// What is computed once and kept on disk for all ranks and for later runs.
    package struct Cache: Sendable, Equatable {
        package var isEnabled = true
        /// `cache` beside the output folder unless given.
        package var folder: URL
        /// GiB that a run's features of pictures may take on disk; more are computed as they are needed.
        package var features = 8.0

        var featureBytes: Double { features * 0x1p30 }
    }

    package struct Compute: Sendable, Equatable {
        /// A group's sequences in one pass, one at a time (less memory, one more forward pass), or what fits.
        package enum Members: String, Sendable, CaseIterable { case auto, joint, streaming }

        package var members = Members.auto
        /// Threads of a rank.
        package var threads = 1
    }
}

extension RunConfiguration.Objective.Kind {
    /// β when a configuration gives none: 0.5 for MISP-DPO and 1 for S-DPO as reported for them, 0.1 (TRL's default)
    /// for the pairwise objectives; supervised training uses none.
    package var beta: Double {
        switch self {
        case .misp: 0.5
        case .sdpo: 1
        case .sft, .dpo, .mdpo, .chip: 0.1
        }
    }
}

extension RunConfiguration {
    /// `trainable`, with rank and targets of the adapter that training continues from.
    func resolvedTrainable() throws -> Trainable {
        var resolved = trainable
        if let adapter = model.adapter, resolved.language == .lora {
            resolved.lora = try LowRankAdapterFolder(adapter).settings
        }
        return resolved
    }
}
