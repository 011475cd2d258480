/// One training of the comparison. All start from the same warmed-up model and see the same groups in the same order,
/// for as many steps and at the same learning rate.
package struct ReproductionArm: Sendable, Equatable {
    /// A table or figure that an arm stands in, and where in it.
    package enum Place: Sendable, Equatable {
        case objectives, negatives, draws
        /// K of the figure over the number of negatives.
        case count(Int)
        /// β of the figure over β.
        case beta(Double)

        /// The name of a table in results.json; nil for a figure.
        var table: String? {
            switch self {
            case .objectives: "objectives"
            case .negatives: "negatives"
            case .draws: "draws"
            case .count, .beta: nil
            }
        }
    }

    /// Where the groups' negatives come from.
    package enum Negatives: String, Sendable, CaseIterable {
        case none, random, nearest, logdet, misp, crop, noise
        case mixture = "misp-noise"

        /// As tables have it.
        var words: String {
            switch self {
            case .none: "none"
            case .misp: "mined (misp)"
            case .mixture: "two mined, one noised"
            case .crop: "crops of the own picture"
            case .noise: "the own picture, noised"
            case .random, .nearest, .logdet: rawValue
            }
        }

        /// Its groups, from the seed's folder.
        var file: String { self == .none ? "groups.jsonl" : "groups-\(rawValue).jsonl" }
    }

    package let key: String
    package let name: String
    package var objective = "misp"
    package var beta = 0.5
    package var anchor = 0.0
    package var negatives = Negatives.misp
    package var count = 3
    package var sampling = "importance"
    package let places: [Place]

    package static let pool = 16
    package static let groupsPerStep = 8

    package var hasAnchor: Bool { anchor > 0 || objective == "mdpo" }

    package static let all: [ReproductionArm] = objectives + sources + counts + betas + draws

    private static let objectives = [
        ReproductionArm(
            key: "sft", name: "further supervised training", objective: "sft", negatives: .none, places: [.objectives]),
        ReproductionArm(key: "dpo", name: "DPO", objective: "dpo", negatives: .none, places: [.objectives]),
        // Without negatives the image term is 0: what is left is DPO and the anchor.
        ReproductionArm(key: "dpo-anchor", name: "DPO, anchor", anchor: 1, negatives: .none, places: [.objectives]),
        ReproductionArm(
            key: "mdpo", name: "mDPO, anchor", objective: "mdpo", negatives: .none, places: [.objectives]),
        ReproductionArm(key: "chip", name: "CHiP", objective: "chip", negatives: .none, places: [.objectives]),
        ReproductionArm(
            key: "random", name: "random negatives", negatives: .random, sampling: "uniform", places: [.objectives]),
        ReproductionArm(
            key: "random-anchor", name: "random negatives, anchor", anchor: 1, negatives: .random, sampling: "uniform",
            places: [.objectives]),
        ReproductionArm(
            key: "paper", name: "MISP-DPO, greedy K = 3", sampling: "subset", places: [.objectives, .negatives]),
        ReproductionArm(
            key: "paper-anchor", name: "MISP-DPO, greedy K = 3, anchor", anchor: 1, sampling: "subset",
            places: [.objectives]),
        ReproductionArm(
            key: "misp", name: "MISP-DPO, importance",
            places: [.objectives, .draws, .count(3), .beta(0.5)]),
        ReproductionArm(
            key: "misp-anchor", name: "MISP-DPO, importance, anchor", anchor: 1, places: [.objectives]),
    ]

    private static let sources = [Negatives.random, .nearest, .logdet, .crop, .noise, .mixture].map {
        ReproductionArm(
            key: "from-\($0.rawValue)", name: $0.words, negatives: $0, sampling: "subset", places: [.negatives])
    }

    private static let counts = [1, 2, 5, 8].map {
        ReproductionArm(key: "k-\($0)", name: "K = \($0)", count: $0, places: [.count($0)])
    }

    private static let betas = [0.1, 0.25, 0.75, 1].map {
        ReproductionArm(key: "beta-\($0)", name: "β = \($0)", beta: $0, places: [.beta($0)])
    }

    private static let draws =
        ["uniform", "replacement", "two_pass", "published"].map {
            ReproductionArm(key: "draw-\($0)", name: $0, sampling: $0, places: [.draws])
        } + [
            ReproductionArm(
                key: "draw-exact", name: "all \(pool): exact", count: pool, sampling: "subset", places: [.draws])
        ]

    /// The configuration of its training.
    package func yaml(seed: UInt64, epochs: Int) -> String {
        """
        # \(name)
        seed: \(seed)
        output: \(key)
        model: {path: warmup/model, prompt: "\(DemoRuns.template)"}
        data: {train: \(negatives.file)}
        objective: {kind: \(objective), beta: \(beta)\(anchor > 0 ? ", anchor_weight: \(anchor)" : "")}
        negatives: {count: \(count), sampling: \(sampling)}
        trainable: {language: lora}
        lora: {r: 8, alpha: 16}
        optimizer:
          learning_rate: 2.0e-3
          groups_per_step: \(Self.groupsPerStep)
          epochs: \(epochs)
        checkpoint: {every: 1000000}  # so short a run needs none

        """
    }
}
