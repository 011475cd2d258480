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
    /// Of groups that come from a file.
    private(set) var sense: LearningSense?

    init(_ groups: [EncodedGroup], _ configuration: RunConfiguration) {
        (seed, sampler) = (configuration.seed, configuration.negatives.sampler)
        let objective = configuration.objective.function
        self.groups = groups.map { Self.adapted($0, to: objective.needs, seed: configuration.seed) }
        usesNegatives = objective.needs.negatives != .none
    }

    /// Some objectives compare the picture with a change of itself, whatever the group's negatives are.
    private static func adapted(_ group: EncodedGroup, to needs: ObjectiveNeeds, seed: UInt64) -> EncodedGroup {
        var group = group
        let path = group.image.path
        if needs.tokenWeight != 1 { group.weightSubstitutedTokens(by: needs.tokenWeight) }
        switch needs.negatives {
        case .crop: group.negatives = [ImageSource(path: path, crop: .random(seed: seed, group: group.id))]
        case .noise: group.negatives = [ImageSource(path: path, noise: DiffusionNoise(seed: seed, group: group.id))]
        case .none, .pool, .rankedPool: return group
        }
        group.scores = [nil]
        return group
    }

    /// Reads and encodes a file of groups.
    init(contentsOf file: URL, encoder: GroupEncoder, _ configuration: RunConfiguration) throws {
        let content = try PreferenceFile(contentsOf: file, images: configuration.data.images)
        try content.check(images: configuration.data.images)
        let groups = try content.groups.map {
            Pulse.note()
            try Interruption.check("while groups were read")
            return try encoder.encode($0.group, at: file.relativePath)
        }
        self.init(groups, configuration)
        sense = LearningSense(
            configuration.objective.function, self.groups, at: file.relativePath, unread: content.unread)
    }

    func draw(_ group: Int, epoch: Int) -> NegativeDraw {
        guard usesNegatives else { return NegativeDraw(indices: [], logWeights: []) }
        return sampler.draw(groups[group].scores, seed: seed, epoch: epoch, group: groups[group].id)
    }

    /// Indices into the group's pool that draws of those epochs will ask for.
    private func neededNegatives(_ group: Int, epochs: [Int]) -> [Int] {
        Set(epochs.flatMap { draw(group, epoch: $0).indices }).sorted()
    }

    /// The pictures that will be asked for where each group is taken in those epochs, in the order of the groups.
    func images(epochs: [[Int]]) -> [ImageSource] {
        groups.indices.filter { !epochs[$0].isEmpty }.flatMap { group in
            [groups[group].image] + neededNegatives(group, epochs: epochs[group]).map { groups[group].negatives[$0] }
        }
    }

    /// Collective. Computes the reference's log-probabilities. Draws are pure functions, so what the run will ask for
    /// is known, and only that is computed.
    /// - Parameter epochs: by group, those in which it is taken
    mutating func computeReference(
        epochs: [[Int]], scorer: GroupGradient, store: LogProbabilityStore?, communicator: any Communicator,
        progress: (Int) -> Void
    ) throws {
        let needed = groups.indices.map { group in
            epochs[group].isEmpty ? nil : neededNegatives(group, epochs: epochs[group])
        }
        reference = try LogProbabilityTable(
            groups, needed: needed, withRejected: scorer.objective.needs.rejected, scorer: scorer, store: store,
            communicator: communicator, progress: progress)
    }

    /// The reference's values for a draw; zero for an objective that needs no reference.
    func reference(_ group: Int, _ draw: NegativeDraw) -> GroupValues {
        reference?.values(group, negatives: draw.indices)
            ?? GroupValues(
                chosen: 0, rejected: groups[group].rejected.map { _ in 0 }, negatives: draw.indices.map { _ in 0 })
    }
}
