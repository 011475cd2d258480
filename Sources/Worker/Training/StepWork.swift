import Coordinator
import Core

/// A step's groups cut into the pieces that ranks share: a group whole, or, where its members are computed one at a
/// time, each of its batches.
///
/// A pure function of the step, so that every rank has the same pieces in the same order: they are the leaves of the
/// plan, and with it of the gradient's sum.
struct StepWork {
    /// A group with what this step needs of it.
    struct Group {
        let group: EncodedGroup
        let draw: NegativeDraw
        let reference: GroupValues
        let batches: [GroupLayout.Batch]

        /// Whether the group's batches are pieces of their own.
        var isSplit: Bool { batches.count > 1 }

        /// - Parameters:
        ///   - index: of the group in `data`
        ///   - isJoint: one batch or one for each picture; nil: what fits
        init(_ index: Int, epoch: Int, data: PreparedData, _ passes: GroupPasses, isJoint: Bool? = nil) {
            group = data.groups[index]
            draw = data.draw(index, epoch: epoch)
            reference = data.reference(index, draw)
            batches = passes.layout(group, draw, isJoint: isJoint).batches
        }
    }

    struct Piece {
        /// Of the group among the step's.
        let group: Int
        /// Of the batch among the group's.
        let batch: Int
        /// Operations by which pieces are shared out.
        let cost: Double
        /// Operations of the piece's share of the step.
        let operations: Double
    }

    let groups: [Group]
    let pieces: [Piece]

    init(_ indices: [Int], epoch: Int, data: PreparedData, _ passes: GroupPasses) {
        groups = indices.map { Group($0, epoch: epoch, data: data, passes) }
        pieces = groups.enumerated().flatMap { index, group in
            group.batches.enumerated().map { batch, content in
                // Pictures of one size cost all groups the same, and decide nothing.
                let (cost, operations) = passes.stepOperations(
                    content, isSplit: group.isSplit, withPictures: passes.dependOnSize)
                return Piece(group: index, batch: batch, cost: cost, operations: operations)
            }
        }
    }

    func batch(of piece: Piece) -> GroupLayout.Batch { groups[piece.group].batches[piece.batch] }
}

extension StepWork.Group {
    /// As the objective sees it, before its sequences are scored.
    var unscored: ScoredGroup {
        ScoredGroup(
            policy: GroupValues(chosen: 0, negatives: draw.indices.map { _ in 0 }), reference: reference, draw: draw,
            chosenTokens: group.chosen.count)
    }

    /// As the objective sees it where the policy is the reference.
    var ofReference: ScoredGroup {
        var scored = unscored
        scored.policy = reference
        return scored
    }
}

extension ScoredGroup {
    mutating func add(_ scores: BatchScores, of batch: GroupLayout.Batch) {
        for (sequence, value) in zip(batch.sequences, scores.logProbabilities) { policy[sequence] = value }
        divergence = scores.divergence ?? divergence
    }
}

/// What one batch's forward pass says: a log-probability for each of its sequences, and the responses' divergences
/// where it has both and the objective looks at them.
struct BatchScores {
    var logProbabilities: [Double]
    var divergence: ResponseDivergence?
}

/// The scores of split groups' batches in one flat list, which ranks merge: each number comes from one.
struct MemberScores {
    private var values: [Double]
    /// By piece: where its log-probabilities stand, and whether two divergences follow. Empty for a group that is
    /// computed whole.
    private let places: [(logProbabilities: Range<Int>, hasDivergence: Bool)]

    init(_ work: StepWork, _ passes: GroupPasses) {
        var (places, count) = ([(Range<Int>, Bool)](), 0)
        for piece in work.pieces {
            let batch = work.batch(of: piece)
            let isSplit = work.groups[piece.group].isSplit
            let hasDivergence = isSplit && passes.hasDivergence(batch)
            let end = count + (isSplit ? batch.sequences.count : 0)
            places.append((count..<end, hasDivergence))
            count = end + (hasDivergence ? 2 : 0)
        }
        self.places = places
        values = [Double](repeating: 0, count: count)
    }

    subscript(piece: Int) -> BatchScores {
        get {
            let (own, hasDivergence) = places[piece]
            return BatchScores(
                logProbabilities: Array(values[own]),
                divergence: hasDivergence
                    ? ResponseDivergence(chosen: values[own.upperBound], rejected: values[own.upperBound + 1]) : nil)
        }
        set {
            let own = places[piece].logProbabilities
            values.replaceSubrange(own, with: newValue.logProbabilities)
            guard let divergence = newValue.divergence else { return }
            (values[own.upperBound], values[own.upperBound + 1]) = (divergence.chosen, divergence.rejected)
        }
    }

    /// Collective, unless no group is split.
    mutating func merge(_ communicator: any Communicator) throws {
        if !values.isEmpty { values = try communicator.mergeDisjoint(values) }
    }
}
