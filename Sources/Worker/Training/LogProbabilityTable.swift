import Coordinator
import Core

/// Log-probabilities of groups' sequences under the model as it is now, computed by all ranks together.
///
/// The reference of a training run is the table of its first moment, before anything is trained.
struct LogProbabilityTable {
    private let chosen: [Double]
    private let rejected: [Double?]
    /// By group, by index into its pool; 0 where it was not asked for.
    private let negatives: [[Double]]

    /// Collective.
    /// - Parameters:
    ///   - needed: for each group, indices into its pool; nil for a group that is not asked for
    ///   - withRejected: whether the rejected responses are scored too
    ///   - store: where values of earlier runs are looked for, and new ones kept
    init(
        _ groups: [EncodedGroup], needed: [[Int]?], withRejected: Bool, scorer: GroupGradient<some VectorArithmetic>,
        store: LogProbabilityStore? = nil, communicator: any Communicator, progress: (Int) -> Void = { _ in }
    ) throws {
        var offsets = [0]
        for group in groups { offsets.append(offsets[offsets.count - 1] + 2 + group.negatives.count) }
        let wanted = groups.indices.compactMap { group in needed[group].map { (group, pool: $0) } }
        let mine = try communicator.agree {
            var table = [Double](repeating: 0, count: offsets[groups.count])
            func compute() throws {
                for place in communicator.share(of: wanted.count) {
                    try Interruption.check("while log-probabilities were computed")
                    let (index, pool) = wanted[place]
                    let values = try scorer.score(
                        groups[index], negatives: pool, withRejected: withRejected, store: store)
                    table[offsets[index]] = values.chosen
                    table[offsets[index] + 1] = values.rejected ?? 0
                    for (negative, value) in zip(pool, values.negatives) {
                        table[offsets[index] + 2 + negative] = value
                    }
                    Pulse.note()
                    progress(place)
                }
            }
            if let store { try store.flushing(compute) } else { try compute() }
            return table
        }
        let table = try communicator.mergeDisjoint(mine)
        chosen = groups.indices.map { table[offsets[$0]] }
        rejected = groups.indices.map { groups[$0].rejected == nil ? nil : table[offsets[$0] + 1] }
        negatives = groups.indices.map { Array(table[(offsets[$0] + 2)..<offsets[$0 + 1]]) }
    }

    /// The values of a group with those negatives of its pool.
    func values(_ group: Int, negatives indices: [Int]) -> GroupValues {
        GroupValues(
            chosen: chosen[group], rejected: rejected[group], negatives: indices.map { negatives[group][$0] })
    }
}
