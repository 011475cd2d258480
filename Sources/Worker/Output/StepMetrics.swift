import Core

/// A number of metrics.jsonl, under TRL's name where it has one, in the order of the file. One line is one metric:
/// what is told of it in a group or a step is merged over ranks, written, and drawn under this name.
package enum Metric: String, CaseIterable, Sendable {
    /// Passes over the data done after this step.
    case epoch
    case loss
    case lossImage = "loss/image"
    case lossText = "loss/text"
    /// L2, before clipping.
    case gradNorm = "grad_norm"
    case learningRate = "learning_rate"
    case rewardChosen = "rewards/chosen"
    case rewardRejected = "rewards/rejected"
    case rewardMargin = "rewards/margins"
    case rewardAccuracy = "rewards/accuracies"
    /// Over drawn negatives.
    case rewardNegatives = "rewards/negatives"
    case logpChosen = "logps/chosen"
    case logpRejected = "logps/rejected"
    /// Effective sample size of the importance weights.
    case effectiveSamples = "is/ess"
    case maxWeight = "is/max_weight"
    case balanceEfficiency = "balance/efficiency"
    /// Seconds.
    case timeStep = "time/step"
    case timeForward = "time/forward"
    case timeBackward = "time/backward"
    case timeReduce = "time/reduce"
    case timeOptimizer = "time/optimizer"
    /// Of log-probabilities of the reference that the step had to wait for; not in `timeStep`.
    case timeReference = "time/reference"
    case tokensPerSecond = "tokens_per_second"
    /// Share of the machine's measured GEMM rate.
    case mfu

    /// How a step's number comes about.
    enum Source { case meanOverGroups, meanOverRanks, step }

    var source: Source {
        switch self {
        case .loss, .lossImage, .lossText, .rewardChosen, .rewardRejected, .rewardMargin, .rewardAccuracy,
            .rewardNegatives, .logpChosen, .logpRejected, .effectiveSamples, .maxWeight:
            .meanOverGroups
        case .timeForward, .timeBackward: .meanOverRanks
        default: .step
        }
    }

    fileprivate var place: Int { Self.places[self] ?? 0 }
    private static let places = Dictionary(uniqueKeysWithValues: zip(allCases, 0...))
}

/// A number for each metric; NaN where there is none.
struct MetricValues: Sendable {
    private(set) var values = [Double](repeating: .nan, count: Metric.allCases.count)

    init() {}

    /// - Parameter values: as another's `values`
    init(_ values: some Sequence<Double>) { self.values = Array(values) }

    subscript(metric: Metric) -> Double {
        get { values[metric.place] }
        set { values[metric.place] = newValue }
    }
}

/// What is known of one optimiser step. Means are over the step's groups; rewards are β·h. What a run does not
/// compute stays NaN.
package struct StepMetrics: Sendable {
    /// Counted from 1.
    package var step: Int
    private var values = MetricValues()

    package init(step: Int, epoch: Double) {
        self.step = step
        self[.epoch] = epoch
    }

    package subscript(metric: Metric) -> Double {
        get { values[metric] }
        set { values[metric] = newValue }
    }

    /// Everything but the step, in the order of the file.
    package var scalars: [(name: String, value: Double)] { Metric.allCases.map { ($0.rawValue, self[$0]) } }

    /// A line of metrics.jsonl; numbers that are not finite become null.
    package var json: JSON {
        var object = JSON.Object([("step", .integer(step))])
        for (name, value) in scalars { object[name] = .number(value) }
        return .object(object)
    }
}
