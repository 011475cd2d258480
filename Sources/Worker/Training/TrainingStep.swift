import Coordinator
import Core
import Foundation

/// One optimiser step over all ranks: own groups' gradients, ordered reduction, AdamW on the owned slice, gather.
final class TrainingStep {
    let communicator: any Communicator
    let parameters: ParameterStore<Float>
    let cause: NonFiniteCause
    let reduction: OrderedReduction
    private let pool: ScratchPool
    private let settings: RunConfiguration.Optimizer
    private let schedule: LearningRateSchedule
    private let firstMoment: Storage<Float>
    private let secondMoment: Storage<Float>
    /// Operations per second of all ranks together, as their matrix products run.
    private let machineRate: Double

    /// Of this rank's slice, as the last update found.
    private(set) var parametersAreFinite = true

    /// Collective.
    ///
    /// - Parameters:
    ///   - parameters: what is trained
    ///   - cause: what an error names where a number is not finite
    init(
        _ parameters: ParameterStore<Float>, cause: NonFiniteCause, communicator: any Communicator,
        settings: RunConfiguration.Optimizer, totalSteps: Int, machineRate: Double
    ) throws {
        self.communicator = communicator
        (self.parameters, self.cause) = (parameters, cause)
        self.settings = settings
        self.machineRate = machineRate
        schedule = LearningRateSchedule(
            settings.schedule, peak: settings.learningRate, warmupRatio: settings.warmupRatio, totalSteps: totalSteps)
        reduction = try OrderedReduction(
            elements: parameters.count, communicator: communicator, sharingParameters: true)
        // One copy of the trained parameters a host, like that of the frozen ones.
        if let shared = reduction.sharedParameters?.baseAddress {
            parameters.adopt(shared, owner: reduction, copying: communicator.localRank == 0)
        }
        try communicator.barrier()
        pool = ScratchPool(elements: parameters.count)
        firstMoment = Storage(count: reduction.slice.count)
        secondMoment = Storage(count: reduction.slice.count)
        firstMoment.base.update(repeating: 0, count: firstMoment.count)
        secondMoment.base.update(repeating: 0, count: secondMoment.count)
    }

    /// Collective: gives shared memory back.
    func close() throws {
        if reduction.sharedParameters != nil { parameters.settle() }
        try communicator.barrier()
        try reduction.close()
    }

    var elements: Int { parameters.count }

    /// Of what a checkpoint keeps: the parameters first.
    static let bufferNames = ["parameters", "first_moment", "second_moment"]

    /// What a checkpoint keeps: this rank's slices.
    var buffers: [CheckpointStore.Buffer] {
        let slices = [parameters.values + reduction.slice.lowerBound, firstMoment.base, secondMoment.base]
        return zip(Self.bufferNames, slices).map { .init($0, slice: $1) }
    }

    /// Collective. Makes the parameters, of which each rank has its slice, whole on every rank.
    func gatherParameters() throws {
        try reduction.gather(UnsafeMutableBufferPointer(start: parameters.values, count: parameters.count))
    }

    /// What a step has to tell.
    struct Report {
        var metrics: StepMetrics
        let groups: Int
        /// Rows that went through the model.
        let rows: Int
    }

    /// - Parameters:
    ///   - step: steps taken before this one
    ///   - indices: of the step's groups in `data`
    ///   - gradient: of the model that has the parameters
    func callAsFunction(
        _ step: Int, _ indices: [Int], epoch: Int, data: PreparedData, _ gradient: GroupGradient<some VectorArithmetic>
    ) throws -> Report {
        var clock = Stopwatch()
        let started = clock
        let work = StepWork(indices, epoch: epoch, data: data, gradient.passes)
        let plan = ShardPlan(costs: work.pieces.map(\.cost), ranks: communicator.size)
        var share = StepShare(gradient, work, plan, rank: communicator.rank, step: step)

        var scores = try communicator.agree { try share.scoreMembers() }
        try scores.merge(communicator)
        let metrics = try communicator.agree {
            try share.addGradients(scores, into: reduction.gradient, pool: pool)
        }
        let merged = try merge(metrics, pieces: work.pieces.count)
        _ = clock.lap()
        let slice = try reduction.reduceScatter(plan)
        let norm = try reduction.squaredNorm(UnsafeBufferPointer(slice)).squareRoot() / Double(indices.count)
        if !norm.isFinite { try refuseGradient(slice, step: step, groups: work.groups.map(\.group.id)) }
        var reduceSeconds = clock.lap()
        let rate = schedule.rate(at: step)
        update(slice, step: step, rate: rate, norm: norm, groups: indices.count)
        let optimizerSeconds = clock.lap()
        try gatherParameters()
        reduceSeconds += clock.lap()
        var result = StepMetrics(step: step + 1, epoch: Double(epoch))
        merged.fill(&result, ranks: communicator.size)
        result[.gradNorm] = norm
        result[.learningRate] = rate
        result[.balanceEfficiency] = plan.efficiency
        var whole = started
        let seconds = whole.lap()
        result[.timeStep] = seconds
        result[.timeReduce] = reduceSeconds
        result[.timeOptimizer] = optimizerSeconds
        result[.tokensPerSecond] = merged.rows / seconds
        result[.mfu] = merged.operations / seconds / machineRate
        return Report(metrics: result, groups: indices.count, rows: Int(merged.rows))
    }

    private func merge(_ mine: [Int: GroupMetrics], pieces: Int) throws -> GroupMetrics.Table {
        let width = GroupMetrics.width
        var flat = [Double](repeating: 0, count: pieces * width)
        for (piece, metrics) in mine {
            flat.replaceSubrange(piece * width..<(piece + 1) * width, with: metrics.values)
        }
        return GroupMetrics.Table(try communicator.mergeDisjoint(flat))
    }

    /// AdamW on the owned slice; the mean over groups and the clipping are one factor on the gradient.
    private func update(
        _ slice: UnsafeMutableBufferPointer<Float>, step: Int, rate: Double, norm: Double, groups: Int
    ) {
        guard let gradient = slice.baseAddress else { return }
        let clipping = settings.maxGradNorm > 0 ? clippingFactor(norm: norm, maximum: settings.maxGradNorm) : 1
        parametersAreFinite = Vector.adamW(
            parameters.values + reduction.slice.lowerBound, gradient: gradient, firstMoment: firstMoment.base,
            secondMoment: secondMoment.base, count: slice.count,
            step: AdamWStep(
                learningRate: rate, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
                weightDecay: settings.weightDecay, gradientScale: clipping / Double(groups), count: step + 1))
        parameters.isUpdated = true
    }
}
