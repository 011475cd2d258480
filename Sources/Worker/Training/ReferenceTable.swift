import Coordinator
import Core

/// Log-probabilities of the reference model, computed once, before anything is trained, by all ranks together.
///
/// Draws of negatives are pure functions, so what the whole run will ask for is known: only that is computed.
struct ReferenceTable {
    private let chosen: [Double]
    private let rejected: [Double?]
    /// By group, by index into its pool; what no draw needs is 0.
    private let negatives: [[Double]]

    /// Collective.
    /// - Parameter needed: for each group the pool's indices that any draw of the run contains
    init(
        _ groups: [EncodedGroup], needed: [[Int]], scorer: GroupGradient, communicator: any Communicator,
        progress: (Int) -> Void
    ) throws {
        var offsets = [0]
        for group in groups { offsets.append(offsets[offsets.count - 1] + 2 + group.negatives.count) }
        let mine = try communicator.agree {
            var table = [Double](repeating: 0, count: offsets[groups.count])
            for index in stride(from: communicator.rank, to: groups.count, by: communicator.size) {
                let values = try scorer.score(groups[index], negatives: needed[index])
                table[offsets[index]] = values.chosen
                table[offsets[index] + 1] = values.rejected ?? 0
                for (pool, value) in zip(needed[index], values.negatives) { table[offsets[index] + 2 + pool] = value }
                progress(index)
            }
            return table
        }
        let table = try communicator.mergeDisjoint(mine)
        chosen = groups.indices.map { table[offsets[$0]] }
        rejected = groups.indices.map { groups[$0].rejected == nil ? nil : table[offsets[$0] + 1] }
        negatives = groups.indices.map { Array(table[(offsets[$0] + 2)..<offsets[$0 + 1]]) }
    }

    /// The reference's values for a group's draw.
    func values(_ group: Int, _ draw: NegativeDraw) -> GroupValues {
        GroupValues(
            chosen: chosen[group], rejected: rejected[group], negatives: draw.indices.map { negatives[group][$0] })
    }
}
