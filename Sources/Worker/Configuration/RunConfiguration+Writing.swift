import Core
import Foundation

extension RunConfiguration {
    /// Where a run took place: written below a resolved configuration, ignored when that is read.
    package struct Environment: Sendable {
        package var version: String
        package var processor: String
        package var cores: Int
        /// OpenBLAS's kernel.
        package var blas: String
        package var ranks: Int

        package init(version: String, processor: String, cores: Int, blas: String, ranks: Int) {
            self.version = version
            self.processor = processor
            self.cores = cores
            self.blas = blas
            self.ranks = ranks
        }

        var json: JSON {
            [
                "version": .string(version), "processor": .string(processor), "cores": .integer(cores),
                "blas": .string(blas), "ranks": .integer(ranks),
            ]
        }
    }

    /// The configuration with every default and absolute paths, as YAML that `init(contentsOf:)` reads back to an
    /// equal value. The same run on the same machine gives the same bytes.
    package func yaml(environment: Environment) -> String {
        ResolvedConfiguration.yaml(json, environment: environment)
    }

    /// Every key in the order of the documentation.
    var json: JSON {
        [
            "seed": .integer(Int(clamping: seed)),
            "output": .string(output.path),
            "model": [
                "path": .string(model.path.path), "adapter": Self.path(model.adapter),
                "prompt": .string(model.prompt.source),
            ],
            "data": [
                "train": .string(data.train.path), "eval": Self.path(data.eval), "images": .string(data.images.path),
                "shuffle": .bool(data.shuffle), "transparency": .string(data.transparency.rawValue),
            ],
            "objective": [
                "kind": .string(objective.kind.rawValue), "beta": .number(objective.beta),
                "text_weight": .number(objective.textWeight), "anchor_weight": .number(objective.anchorWeight),
                "kl_weight": .number(objective.divergenceWeight), "token_weight": .number(objective.tokenWeight),
            ],
            "negatives": [
                "count": .integer(negatives.count), "sampling": .string(negatives.sampling.rawValue),
                "temperature": .number(negatives.temperature), "uniform_mix": .number(negatives.uniformMix),
            ],
            "trainable": [
                "language": .string(trainable.language.rawValue), "projector": .string(trainable.projector.rawValue),
                "vision": .string(trainable.vision.rawValue),
            ],
            "lora": [
                "r": .integer(trainable.lora.r), "alpha": .number(trainable.lora.alpha),
                "targets": .array(trainable.lora.targets.map(JSON.string)),
                "rslora": .bool(trainable.lora.isRankStabilized),
            ],
            "optimizer": optimizer.json,
            "checkpoint": ["every": .integer(checkpoint.every), "keep": .integer(checkpoint.keep)],
            "compute": ["members": .string(compute.members.rawValue), "threads": .integer(compute.threads)],
            "cache": [
                "enabled": .bool(cache.isEnabled), "folder": .string(cache.folder.path),
                "features_gib": .number(cache.features),
            ],
        ]
    }

    private static func path(_ url: URL?) -> JSON { url.map { .string($0.path) } ?? .null }
}

extension RunConfiguration.Optimizer {
    fileprivate var json: JSON {
        var epochs = JSON.null
        var steps = JSON.null
        switch duration {
        case .epochs(let count): epochs = .integer(count)
        case .steps(let count): steps = .integer(count)
        }
        return [
            "learning_rate": .number(learningRate), "betas": [.number(beta1), .number(beta2)],
            "eps": .number(epsilon), "weight_decay": .number(weightDecay), "max_grad_norm": .number(maxGradNorm),
            "schedule": .string(schedule.rawValue), "warmup_ratio": .number(warmupRatio),
            "groups_per_step": .integer(groupsPerStep), "epochs": epochs, "steps": steps,
        ]
    }
}
