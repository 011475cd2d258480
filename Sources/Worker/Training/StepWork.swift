import Coordinator
import Core

/// A step's groups cut into the pieces that ranks share: a group whole, or, where its members are computed one at a
/// time, each of its batches.
///
/// A pure function of the step, so that every rank has the same pieces in the same order: they are the leaves of the
/// plan, and with it of the gradient's sum.
struct StepWork {
    struct Piece {
        /// Of the group among the step's.
        let group: Int
        /// Of the batch among the group's.
        let batch: Int
        /// Operations of the piece's share of the step.
        let cost: Double
    }

    let groups: [EncodedGroup]
    let draws: [NegativeDraw]
    let references: [GroupValues]
    let batches: [[GroupLayout.Batch]]
    let pieces: [Piece]

    init(_ indices: [Int], epoch: Int, data: PreparedData, _ gradient: GroupGradient) {
        groups = indices.map { data.groups[$0] }
        let draws = indices.map { data.draw($0, epoch: epoch) }
        references = zip(indices, draws).map { data.reference($0, $1) }
        let batches = zip(groups, draws).map { gradient.layout($0, $1).batches }
        let model = gradient.model
        pieces = batches.enumerated().flatMap { group, batches in
            batches.enumerated().map { index, batch in
                let operations = model.configuration.operations(batch.layout, trainable: model.trainable)
                // Members one at a time are run forward twice.
                let again = batches.count > 1 ? operations.forward : 0
                return Piece(group: group, batch: index, cost: operations.total + again)
            }
        }
        (self.draws, self.batches) = (draws, batches)
    }

    /// Whether the group's batches are pieces of their own.
    func isSplit(_ group: Int) -> Bool { batches[group].count > 1 }

    func batch(of piece: Piece) -> GroupLayout.Batch { batches[piece.group][piece.batch] }

    /// What split groups' members have to tell each other.
    func makeScores() -> MemberScores {
        MemberScores(counts: draws.indices.map { isSplit($0) ? draws[$0].indices.count + 4 : 0 })
    }
}

/// Log-probabilities and divergences of split groups in one flat list, which ranks merge: each number comes from one.
struct MemberScores {
    private(set) var values: [Double]
    private let starts: [Int]

    /// - Parameter counts: by group, its negatives and 4 for the rest; 0 for groups that are not split
    fileprivate init(counts: [Int]) {
        var starts = [0]
        for count in counts { starts.append(starts[starts.count - 1] + count) }
        self.starts = starts
        values = [Double](repeating: 0, count: starts[counts.count])
    }

    private func place(_ sequence: GroupSequence, of group: Int) -> Int {
        switch sequence {
        case .chosen: starts[group]
        case .rejected: starts[group] + 1
        case .negative(let index): starts[group] + 4 + index
        }
    }

    mutating func set(_ pass: MemberPass, of group: Int) {
        for (sequence, value) in zip(pass.batch.sequences, pass.logProbabilities) {
            values[place(sequence, of: group)] = value
        }
        guard let divergence = pass.divergence else { return }
        values[starts[group] + 2] = divergence.chosen
        values[starts[group] + 3] = divergence.rejected
    }

    /// Collective, unless no group is split.
    mutating func merge(_ communicator: any Communicator) throws {
        if !values.isEmpty { values = try communicator.mergeDisjoint(values) }
    }

    /// - Parameter shape: values of the group's kind, such as the reference's
    func policy(of group: Int, like shape: GroupValues, hasRejected: Bool) -> GroupValues {
        let start = starts[group]
        return GroupValues(
            chosen: values[start], rejected: hasRejected ? values[start + 1] : nil,
            negatives: shape.negatives.indices.map { values[start + 4 + $0] })
    }

    func divergence(of group: Int) -> ResponseDivergence {
        ResponseDivergence(chosen: values[starts[group] + 2], rejected: values[starts[group] + 3])
    }
}
