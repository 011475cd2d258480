import Coordinator
import Core

/// How a run does on its held-out groups, and after which of its steps it did best.
///
/// The draws are those of epoch 0, so that a value is a function of the parameters alone: the same on any number of
/// ranks, and again after an interruption.
struct HeldOutEvaluation {
    /// What a line of eval.jsonl has.
    static let metrics: [Metric] = [
        .loss, .lossImage, .lossText, .rewardChosen, .rewardRejected, .rewardMargin, .rewardAccuracy, .rewardNegatives,
        .logpChosen, .logpRejected,
    ]

    let data: PreparedData
    private let settings: RunConfiguration.Evaluation
    private let lastStep: Int
    /// The least loss so far whose checkpoint is kept, and after how many steps that was.
    private(set) var best: (loss: Double, step: Int)?

    /// - Parameter best: of the evaluations that an earlier part of the run has left
    init(_ data: PreparedData, _ settings: RunConfiguration.Evaluation, lastStep: Int, best: (Double, Int)?) {
        (self.data, self.settings, self.lastStep) = (data, settings, lastStep)
        self.best = settings.keepsBest ? best.map { (loss: $0.0, step: $0.1) } : nil
    }

    func isDue(after steps: Int) -> Bool { settings.isDue(after: steps, of: lastStep) }

    /// Collective. Means over the groups; nil where a signal stopped it.
    ///
    /// - Parameter isUntrained: whether policy and reference are the same model, so that the one's log-probabilities
    ///   are the other's and none has to be computed
    func callAsFunction(
        _ gradient: GroupGradient<some VectorArithmetic>, after step: Int, isUntrained: Bool,
        _ communicator: any Communicator
    ) throws -> StepMetrics? {
        let needs = gradient.objective.needs
        let isKnown = isUntrained && needs.reference && !needs.divergence
        let width = GroupMetrics.width
        var mine = [Double](repeating: 0, count: data.groups.count * width)
        try communicator.agree {
            for index in communicator.share(of: data.groups.count) where !Interruption.isAsked {
                let group = StepWork.Group(index, epoch: 0, data: data, gradient.passes, isJoint: false)
                let scored = isKnown ? group.ofReference : try gradient.score(group)
                let loss = try gradient.loss(scored, of: group.group.id)
                var metrics = GroupMetrics(operations: 0, rows: 0, seconds: (0, 0))
                metrics.tell(loss, scored, beta: gradient.passes.rewardScale)
                mine.replaceSubrange(index * width..<(index + 1) * width, with: metrics.values)
                Pulse.note()
            }
        }
        if try communicator.max([Interruption.isAsked ? 1 : 0])[0] > 0 { return nil }
        var means = StepMetrics(step: step, epoch: 0)
        GroupMetrics.Table(try communicator.mergeDisjoint(mine)).fill(&means, ranks: communicator.size)
        return means
    }

    /// Notes an evaluation. Returns whether it is the best so far, and its checkpoint is to stay; of equal ones the
    /// first is.
    mutating func isBest(_ loss: Double, after step: Int) -> Bool {
        guard settings.keepsBest, best.map({ loss < $0.loss }) ?? true else { return false }
        best = (loss, step)
        return true
    }
}
