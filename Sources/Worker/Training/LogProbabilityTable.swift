import Coordinator
import Core

/// Log-probabilities of groups' sequences under a model that stays as it is, computed by all ranks together when they
/// are asked for, and once.
struct LogProbabilityTable {
    private let groups: [EncodedGroup]
    /// Whether the rejected responses are scored too.
    private let withRejected: Bool
    /// By group; the negatives by index into its pool. NaN, which no loss lets through, is what was not asked for yet.
    private var known: [GroupValues]

    init(_ groups: [EncodedGroup], withRejected: Bool) {
        (self.groups, self.withRejected) = (groups, withRejected)
        known = groups.map { group in
            GroupValues(
                chosen: .nan, rejected: withRejected && group.rejected != nil ? .nan : nil,
                negatives: [Double](repeating: .nan, count: group.negatives.count))
        }
    }

    /// A picture's sequences of a group that are not known yet.
    private struct Piece {
        let group: Int
        let batch: GroupLayout.Batch
        /// Indices into the pool, by which the batch's negatives are counted.
        let pool: [Int]
    }

    /// Collective. Adds what is not known yet of the wanted. Returns early when a signal asks the run to end: the rest
    /// stays unknown.
    ///
    /// - Parameters:
    ///   - wanted: groups, each with indices into its pool
    ///   - store: where values of earlier runs are looked for, and new ones kept
    ///   - progress: is told how many of the wanted groups are done, roughly
    mutating func add(
        _ wanted: [(group: Int, pool: [Int])], scorer: SequenceScorer<some VectorArithmetic>,
        store: LogProbabilityStore? = nil, communicator: any Communicator, progress: (Int) -> Void = { _ in }
    ) throws {
        let pieces = wanted.flatMap(unknown)
        guard !pieces.isEmpty else { return }
        let offsets = pieces.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.batch.sequences.count) }
        let plan = ShardPlan(costs: pieces.map { Double($0.batch.layout.rows) }, ranks: communicator.size)
        let mine = try communicator.agree {
            var values = [Double](repeating: 0, count: offsets[pieces.count])
            for (done, index) in plan.groups(of: communicator.rank).sorted().enumerated() {
                let (batch, group) = (pieces[index].batch, groups[pieces[index].group])
                let compute = { try scorer.forward(batch, of: group.id, keeping: .nothing).0 }
                let found =
                    Interruption.isAsked
                    ? batch.sequences.map { _ in .nan }
                    : try store?.values(of: batch, group, compute: compute) ?? compute()
                values.replaceSubrange(offsets[index]..<offsets[index + 1], with: found)
                Pulse.note()
                progress(done * communicator.size * wanted.count / pieces.count)
            }
            return values
        }
        let values = try communicator.mergeDisjoint(mine)
        for (index, piece) in pieces.enumerated() {
            for (place, sequence) in piece.batch.sequences.enumerated() {
                set(sequence, of: piece, to: values[offsets[index] + place])
            }
        }
    }

    private func unknown(_ group: Int, _ pool: [Int]) -> [Piece] {
        let values = known[group]
        // A draw may have one more than once.
        let pool = Set(pool).filter { values.negatives[$0].isNaN }.sorted()
        let layout = GroupLayout(groups[group], withRejected: withRejected, negatives: pool, isJoint: false)
        // The right picture's batch is the first.
        return layout.batches.dropFirst(values.chosen.isNaN ? 0 : 1).map { Piece(group: group, batch: $0, pool: pool) }
    }

    private mutating func set(_ sequence: GroupSequence, of piece: Piece, to value: Double) {
        if case .negative(let place) = sequence {
            known[piece.group].negatives[piece.pool[place]] = value
        } else {
            known[piece.group][sequence] = value
        }
    }

    /// The values of a group with those negatives of its pool.
    func values(_ group: Int, negatives indices: [Int]) -> GroupValues {
        let values = known[group]
        return GroupValues(
            chosen: values.chosen, rejected: values.rejected, negatives: indices.map { values.negatives[$0] })
    }
}
