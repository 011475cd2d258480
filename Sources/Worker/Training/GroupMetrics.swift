import Core
import Foundation

/// What one piece of a step contributes to its metrics, as numbers that ranks can merge.
struct GroupMetrics {
    /// One slot per quantity; NaN where the piece has no such quantity.
    private(set) var values: [Double]

    enum Quantity: Int, CaseIterable {
        case loss, image, text, rewardChosen, rewardRejected, margin, accuracy, rewardNegatives, logChosen, logRejected,
            ess
        case largestWeight, rows, operations, forward, backward
    }

    init(operations: Double, rows: Int, seconds: (forward: Double, backward: Double)) {
        values = [Double](repeating: .nan, count: Quantity.allCases.count)
        self[.rows] = Double(rows)
        self[.operations] = operations
        (self[.forward], self[.backward]) = seconds
    }

    mutating func tell(
        _ loss: GroupLoss, _ draw: NegativeDraw, policy: GroupValues, reference: GroupValues, beta: Double
    ) {
        self[.loss] = loss.loss
        self[.image] = loss.image ?? 0
        self[.text] = loss.text ?? 0
        self[.logChosen] = policy.chosen
        let rewards = (policy - reference).scaled(by: beta)
        self[.rewardChosen] = rewards.chosen
        if let rejected = policy.rejected, let reward = rewards.rejected {
            self[.logRejected] = rejected
            self[.rewardRejected] = reward
            self[.margin] = rewards.chosen - reward
            self[.accuracy] = rewards.chosen > reward ? 1 : 0
        }
        guard !rewards.negatives.isEmpty else { return }
        self[.rewardNegatives] = rewards.negatives.reduce(0, +) / Double(rewards.negatives.count)
        let diagnostics = draw.diagnostics(advantages: rewards.negatives.map { $0 - rewards.chosen })
        (self[.ess], self[.largestWeight]) = diagnostics
    }

    private subscript(quantity: Quantity) -> Double {
        get { values[quantity.rawValue] }
        set { values[quantity.rawValue] = newValue }
    }
}

/// The quantities of a step's pieces, in the order of the step, on every rank alike.
struct GroupTable {
    /// Pieces × quantities.
    private let table: [[Double]]

    init(table: [[Double]]) { self.table = table }

    func sum(_ quantity: GroupMetrics.Quantity) -> Double {
        table.reduce(0) { $0 + $1[quantity.rawValue] }
    }

    /// The mean over the pieces that have the quantity; NaN when none has.
    func mean(_ quantity: GroupMetrics.Quantity) -> Double {
        let present = table.map { $0[quantity.rawValue] }.filter { !$0.isNaN }
        return present.isEmpty ? .nan : present.reduce(0, +) / Double(present.count)
    }

    /// The means that metrics.jsonl reports.
    func fill(_ metrics: inout StepMetrics, ranks: Int) {
        metrics.loss = mean(.loss)
        metrics.lossImage = mean(.image)
        metrics.lossText = mean(.text)
        metrics.rewardChosen = mean(.rewardChosen)
        metrics.rewardRejected = mean(.rewardRejected)
        metrics.rewardMargin = mean(.margin)
        metrics.rewardAccuracy = mean(.accuracy)
        metrics.rewardNegatives = mean(.rewardNegatives)
        metrics.logpChosen = mean(.logChosen)
        metrics.logpRejected = mean(.logRejected)
        metrics.effectiveSamples = mean(.ess)
        metrics.maxWeight = mean(.largestWeight)
        metrics.timeForward = sum(.forward) / Double(ranks)
        metrics.timeBackward = sum(.backward) / Double(ranks)
    }
}
