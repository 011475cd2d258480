import Coordinator
import Core
import Foundation

/// Preference groups ready for use: encoded, with their draws and the reference's log-probabilities.
struct PreparedData {
    let groups: [EncodedGroup]
    private let sampler: NegativeSampler
    private let seed: UInt64
    private let usesNegatives: Bool
    private var reference: LogProbabilityTable?

    init(_ groups: [EncodedGroup], sampler: NegativeSampler, seed: UInt64, objective: Objective) {
        // mDPO compares the picture with a crop of itself, whatever the group's negatives are.
        self.groups =
            objective.kind == .mdpo
            ? groups.map { group in
                var group = group
                let crop = CropRegion.random(seed: seed, group: group.id)
                group.negatives = [ImageSource(path: group.image.path, crop: crop)]
                group.scores = [nil]
                return group
            } : groups
        self.sampler = sampler
        self.seed = seed
        usesNegatives = objective.usesNegatives
    }

    /// Reads and encodes a file of groups.
    static func read(_ file: URL, images: URL, encoder: GroupEncoder) throws -> [EncodedGroup] {
        try PreferenceGroup.read(contentsOf: file, images: images).map {
            try encoder.encode($0, at: file.relativePath)
        }
    }

    func draw(_ group: Int, epoch: Int) -> NegativeDraw {
        guard usesNegatives else { return NegativeDraw(indices: [], logWeights: []) }
        return sampler.draw(groups[group].scores, seed: seed, epoch: epoch, group: groups[group].id)
    }

    /// Collective. Computes the reference's log-probabilities. Draws are pure functions, so what the run will ask for is
    /// known, and only that is computed.
    mutating func computeReference(
        epochs: Int, scorer: GroupGradient, communicator: any Communicator, progress: (Int) -> Void
    ) throws {
        let needed = groups.indices.map { group in
            Set((0..<epochs).flatMap { draw(group, epoch: $0).indices }).sorted()
        }
        reference = try LogProbabilityTable(
            groups, needed: needed, withRejected: scorer.objective.usesRejected, scorer: scorer,
            communicator: communicator, progress: progress)
    }

    /// The reference's values for a draw; zero for an objective that needs no reference.
    func reference(_ group: Int, _ draw: NegativeDraw) -> GroupValues {
        reference?.values(group, negatives: draw.indices)
            ?? GroupValues(
                chosen: 0, rejected: groups[group].rejected.map { _ in 0 }, negatives: draw.indices.map { _ in 0 })
    }
}
