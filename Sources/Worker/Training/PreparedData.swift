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
        self.groups = groups
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
