import Coordinator
import Core

/// One rank's pieces of a step: first forward where a group's members are apart, then the gradients.
struct StepShare {
    private let gradient: GroupGradient
    private let work: StepWork
    private let plan: ShardPlan
    private let rank: Int
    private let beta: Double
    /// Members of split groups that have been run forward, and the seconds that took.
    private var passes: [Int: (pass: MemberPass, seconds: Double)] = [:]

    init(_ gradient: GroupGradient, _ work: StepWork, _ plan: ShardPlan, rank: Int, beta: Double) {
        (self.gradient, self.work, self.plan, self.rank, self.beta) = (gradient, work, plan, rank, beta)
    }

    /// Runs this rank's members of split groups forward; others may have the rest of their groups.
    mutating func scoreMembers() throws -> MemberScores {
        var scores = work.makeScores()
        let members = plan.groups(of: rank).filter { work.isSplit(work.pieces[$0].group) }
        for index in members {
            let piece = work.pieces[index]
            var clock = Stopwatch()
            // A single member's activations take no more memory kept than made again.
            let pass = try gradient.forward(
                work.batch(of: piece), of: work.groups[piece.group], keeping: members.count == 1)
            passes[index] = (pass, clock.lap())
            scores.set(pass, of: piece.group)
            Pulse.note()
        }
        return scores
    }

    /// Sums the gradients of this rank's pieces in the order of the plan. Returns what they come to, by piece.
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
        let (group, draw, reference) = (
            work.groups[piece.group], work.draws[piece.group], work.references[piece.group]
        )
        let isSplit = work.isSplit(piece.group)
        var clock = Stopwatch()
        let (pass, before) =
            try passes.removeValue(forKey: index)
            ?? (gradient.forward(work.batch(of: piece), of: group, keeping: true), 0)
        var policy = GroupValues(chosen: 0, negatives: draw.indices.map { _ in 0 })
        var divergence = pass.divergence
        if isSplit {
            policy = scores.policy(
                of: piece.group, like: policy, hasRejected: gradient.objective.needs.rejected && group.rejected != nil)
            if gradient.objective.needs.divergence, group.rejected != nil {
                divergence = scores.divergence(of: piece.group)
            }
        } else {
            for (sequence, value) in zip(pass.batch.sequences, pass.logProbabilities) { policy[sequence] = value }
        }
        let loss = try gradient.loss(group, draw, policy: policy, divergence: divergence, reference: reference)
        var forward = before + clock.lap()
        Pulse.note()
        let again = try gradient.backward(pass, loss, into: buffer)
        forward += again
        var metrics = GroupMetrics(
            operations: piece.cost, rows: pass.batch.layout.rows, seconds: (forward, clock.lap() - again))
        Pulse.note()
        // A split group is told of once.
        if piece.batch == 0 { metrics.tell(loss, draw, policy: policy, reference: reference, beta: beta) }
        return metrics
    }
}
