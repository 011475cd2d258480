import Coordinator
import Core
import Foundation

/// Preference groups ready for use: encoded, with their draws and the reference's log-probabilities.
struct PreparedData {
    let groups: [EncodedGroup]
    private let sampler: NegativeSampler
    private let seed: UInt64
    private let usesNegatives: Bool
    /// Nil for an objective that needs none.
    private var reference: LogProbabilityTable?
    /// Of groups that come from a file.
    private(set) var sense: LearningSense?

    /// - Parameter encoder: places pictures that the objective makes of others
    init(_ groups: [EncodedGroup], _ configuration: RunConfiguration, encoder: GroupEncoder) throws {
        (seed, sampler) = (configuration.seed, configuration.negatives.sampler)
        let objective = configuration.objective.function
        self.groups = try groups.map {
            try Self.adapted($0, to: objective.needs, seed: configuration.seed, encoder)
        }
        usesNegatives = objective.needs.negatives != .none
        if objective.needs.reference {
            reference = LogProbabilityTable(self.groups, withRejected: objective.needs.rejected)
        }
    }

    /// Some objectives compare the picture with a change of itself, whatever the group's negatives are.
    private static func adapted(
        _ group: EncodedGroup, to needs: ObjectiveNeeds, seed: UInt64, _ encoder: GroupEncoder
    ) throws(MISPError) -> EncodedGroup {
        var group = group
        let (path, id) = (group.image.source.path, group.id)
        let changed: ImageSource
        if needs.tokenWeight != 1 { group.weightSubstitutedTokens(by: needs.tokenWeight) }
        switch needs.negatives {
        case .crop: changed = ImageSource(path: path, crop: .random(seed: seed, group: id))
        case .noise: changed = ImageSource(path: path, noise: DiffusionNoise(seed: seed, group: id))
        case .none, .pool, .rankedPool: return group
        }
        group.negatives = [try encoder.placed(changed)]
        group.scores = [nil]
        return group
    }

    /// Encodes the groups of a file.
    init(_ content: PreferenceFile, encoder: GroupEncoder, _ configuration: RunConfiguration) throws {
        let file = content.url
        let groups = try content.groups.map {
            Pulse.note()
            try Interruption.check("while groups were read")
            return try encoder.encode($0.group, at: file.relativePath)
        }
        try self.init(groups, configuration, encoder: encoder)
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
            [groups[group].image.source]
                + neededNegatives(group, epochs: epochs[group]).map { groups[group].negatives[$0].source }
        }
    }

    /// Collective. Computes what is not known yet of the reference's log-probabilities. Draws are pure functions, so
    /// what a step will ask for is known, and only that is computed.
    ///
    /// - Parameters:
    ///   - epoch: whose draws are asked for
    ///   - scorer: of the reference
    mutating func addReference(
        of groups: [Int], epoch: Int, scorer: SequenceScorer<some VectorArithmetic>, store: LogProbabilityStore?,
        communicator: any Communicator, progress: (Int) -> Void = { _ in }
    ) throws {
        let wanted = groups.map { (group: $0, pool: draw($0, epoch: epoch).indices) }
        try reference?.add(wanted, scorer: scorer, store: store, communicator: communicator, progress: progress)
    }

    /// The same with a reference whose log-probabilities are 0: for measurements, whose time no value changes.
    var withoutReference: PreparedData {
        var data = self
        data.reference = nil
        return data
    }

    /// The reference's values for a draw; zero for an objective that needs no reference.
    func reference(_ group: Int, _ draw: NegativeDraw) -> GroupValues {
        reference?.values(group, negatives: draw.indices)
            ?? GroupValues(
                chosen: 0, rejected: groups[group].rejected.map { _ in 0 }, negatives: draw.indices.map { _ in 0 })
    }
}
