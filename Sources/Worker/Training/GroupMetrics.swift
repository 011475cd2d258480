import Core
import Foundation

/// What one piece of a step contributes to its metrics, as numbers that ranks can merge.
struct GroupMetrics {
    private var metrics = MetricValues()
    private let operations: Double
    private let rows: Double

    /// - Parameters:
    ///   - operations: of the piece, as the plan counts them
    ///   - rows: that went through the model
    init(operations: Double, rows: Int, seconds: (forward: Double, backward: Double)) {
        (self.operations, self.rows) = (operations, Double(rows))
        (metrics[.timeForward], metrics[.timeBackward]) = seconds
    }

    /// - Parameter beta: of the rewards β·h; NaN for none
    mutating func tell(_ loss: GroupLoss, _ group: ScoredGroup, beta: Double) {
        metrics[.loss] = loss.loss
        metrics[.lossImage] = loss.image ?? 0
        metrics[.lossText] = loss.text ?? 0
        metrics[.logpChosen] = group.policy.chosen
        let rewards = group.logRatios.scaled(by: beta)
        metrics[.rewardChosen] = rewards.chosen
        if let rejected = group.policy.rejected, let reward = rewards.rejected {
            metrics[.logpRejected] = rejected
            metrics[.rewardRejected] = reward
            metrics[.rewardMargin] = rewards.chosen - reward
            metrics[.rewardAccuracy] = rewards.chosen > reward ? 1 : 0
        }
        guard !rewards.negatives.isEmpty else { return }
        metrics[.rewardNegatives] = rewards.negatives.reduce(0, +) / Double(rewards.negatives.count)
        let diagnostics = group.draw.diagnostics(advantages: rewards.negatives.map { $0 - rewards.chosen })
        (metrics[.effectiveSamples], metrics[.maxWeight]) = diagnostics
    }

    /// Numbers of a piece in `values`.
    static let width = Metric.allCases.count + 2
    /// To be merged over ranks.
    var values: [Double] { metrics.values + [operations, rows] }

    init(_ values: ArraySlice<Double>) {
        metrics = MetricValues(values.dropLast(2))
        operations = values[values.endIndex - 2]
        rows = values[values.endIndex - 1]
    }
}

extension GroupMetrics {
    /// A step's pieces in its order, on every rank alike.
    struct Table {
        private let pieces: [GroupMetrics]

        /// - Parameter values: those of the pieces one after another
        init(_ values: [Double]) {
            pieces = stride(from: 0, to: values.count, by: width).map { GroupMetrics(values[$0..<$0 + width]) }
        }

        var operations: Double { pieces.reduce(0) { $0 + $1.operations } }
        var rows: Double { pieces.reduce(0) { $0 + $1.rows } }

        /// Means are over the pieces that have the quantity; NaN where none has.
        func fill(_ step: inout StepMetrics, ranks: Int) {
            for metric in Metric.allCases {
                switch metric.source {
                case .step: continue
                case .meanOverRanks:
                    step[metric] = pieces.reduce(0) { $0 + $1.metrics[metric] } / Double(ranks)
                case .meanOverGroups:
                    let present = pieces.map { $0.metrics[metric] }.filter { !$0.isNaN }
                    step[metric] = present.isEmpty ? .nan : present.reduce(0, +) / Double(present.count)
                }
            }
        }
    }
}
