import Coordinator
import Core

/// One rank's pieces of a step: first forward where a group's members are apart, then the gradients.
struct StepShare<A: VectorArithmetic> {
    private let gradient: GroupGradient<A>
    private let work: StepWork
    private let plan: ShardPlan
    private let rank: Int
    /// Steps taken before this one.
    private let step: Int
    /// Passes of split groups' batches, and the seconds that each took.
    private var passes: [Int: (pass: BatchPass<A>, seconds: Double)] = [:]

    init(_ gradient: GroupGradient<A>, _ work: StepWork, _ plan: ShardPlan, rank: Int, step: Int) {
        (self.gradient, self.work, self.plan, self.rank, self.step) = (gradient, work, plan, rank, step)
    }

    /// Runs this rank's batches of split groups forward; others may have the rest of their groups.
    mutating func scoreMembers() throws -> MemberScores {
        var scores = MemberScores(work, gradient.passes)
        let members = plan.groups(of: rank).filter { work.groups[work.pieces[$0].group].isSplit }
        for index in members {
            // A single member's activations take no more memory kept than made again.
            let (pass, seconds) = try forward(index, keeping: members.count == 1)
            passes[index] = (pass, seconds)
            scores[index] = pass.scores
            Pulse.note()
        }
        return scores
    }

    /// Sums the gradients of this rank's pieces in the order of the plan. Returns what they come to, by piece.
    ///
    /// - Parameter scores: of all ranks' members
    mutating func addGradients(
        _ scores: MemberScores, into total: UnsafeMutableBufferPointer<Float>, pool: ScratchPool
    ) throws -> [Int: GroupMetrics] {
        var metrics: [Int: GroupMetrics] = [:]
        try plan.sumLocally(rank: rank, into: total, pool: pool) { index, buffer in
            guard let base = buffer.baseAddress else { return }
            metrics[index] = try add(index, scores, into: Gradient(base, owner: pool))
        }
        return metrics
    }

    private mutating func add(
        _ index: Int, _ scores: MemberScores, into buffer: Gradient<Float>
    ) throws -> GroupMetrics {
        let piece = work.pieces[index]
        let group = work.groups[piece.group]
        let (pass, forwardSeconds) = try passes.removeValue(forKey: index) ?? forward(index, keeping: true)
        var clock = Stopwatch()
        let scored = scoredGroup(index, scores, own: pass)
        let loss = try gradient.loss(scored, of: group.group.id)
        let lossSeconds = clock.lap()
        Pulse.note()
        let again = try gradient.backward(pass, loss, into: buffer)
        var metrics = GroupMetrics(
            operations: piece.operations, rows: pass.batch.layout.rows,
            seconds: (forwardSeconds + lossSeconds + again, clock.lap() - again))
        Pulse.note()
        // A split group is told of once.
        if piece.batch == 0 { metrics.tell(loss, scored, beta: gradient.passes.rewardScale) }
        return metrics
    }

    private func forward(_ index: Int, keeping: Bool) throws -> (BatchPass<A>, Double) {
        let piece = work.pieces[index]
        var clock = Stopwatch()
        let pass = try gradient.forward(
            work.batch(of: piece), of: work.groups[piece.group].group, keeping: keeping, step: step)
        return (pass, clock.lap())
    }

    /// The group of a piece: a whole one by its own pass, a split one by those of its batches, wherever they were made.
    private func scoredGroup(_ index: Int, _ scores: MemberScores, own: BatchPass<A>) -> ScoredGroup {
        let piece = work.pieces[index]
        let group = work.groups[piece.group]
        var scored = group.unscored
        guard group.isSplit else {
            scored.add(own.scores, of: own.batch)
            return scored
        }
        // A group's pieces stand together, in the order of its batches.
        let first = index - piece.batch
        for (place, batch) in group.batches.enumerated() { scored.add(scores[first + place], of: batch) }
        return scored
    }
}
