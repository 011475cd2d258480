import Core
import Foundation

/// One group's way through a step: forward, objective, backward.
struct GroupGradient {
    let model: VisionLanguageModel<Float>
    let objective: any Objective
    let images: FeatureCache
    let members: RunConfiguration.Compute.Members
    /// What an error names where a number comes out that is not finite.
    let cause: NonFiniteCause
    /// Only where the objective compares token distributions.
    private let reference: ReferenceModel?

    init(_ model: VisionLanguageModel<Float>, _ folder: ModelFolder, _ configuration: RunConfiguration) throws {
        self.model = model
        objective = configuration.objective.function
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        var processor = folder.imageProcessor
        processor.transparency = configuration.data.transparency
        images = FeatureCache(model, processor: processor, cause: cause)
        members = configuration.compute.members
        reference = objective.needs.divergence ? try ReferenceModel(folder, sharing: images) : nil
    }

    /// Above this many bytes of activations `auto` computes a group's members one at a time. The same on every
    /// machine and for any number of ranks, since the choice can move last bits.
    static let jointLimitBytes = 2.0 * 0x1p30

    func layout(_ group: EncodedGroup, _ draw: NegativeDraw) -> GroupLayout {
        func make(_ isJoint: Bool) -> GroupLayout {
            GroupLayout(
                group, withRejected: objective.needs.rejected, negatives: draw.indices, isJoint: isJoint)
        }
        // Drawn after the forward pass, some members will need no backward pass: not so in one joint pass.
        if case .twoPass = draw.estimator { return make(false) }
        let joint = make(true)
        let fits = joint.batches.allSatisfy {
            model.configuration.activationBytes($0.layout) <= Self.jointLimitBytes
        }
        return members == .joint || (members == .auto && fits) ? joint : make(false)
    }

    /// Runs one batch of a group forward.
    ///
    /// The coefficients need nothing but the log-probabilities. With a batch per image, therefore, all are run forward
    /// first, anywhere, and then again one by one with their backward pass.
    /// - Parameter keeping: whether the activations stay for the backward pass; otherwise it makes them again.
    func forward(_ batch: GroupLayout.Batch, of group: EncodedGroup, keeping: Bool) throws -> MemberPass {
        let (logProbabilities, activations) = try forward(batch, of: group.id)
        var pass = MemberPass(
            group: group.id, batch: batch, logProbabilities: logProbabilities, kept: keeping ? activations : nil)
        // The responses to the positive image, where both are there, stand first in their batch.
        if let reference, batch.sequences.starts(with: [.chosen, .rejected]) {
            let scores = try reference.scores(of: group)
            let divergences = activations.scores.divergences(from: scores)
            pass.divergence = ResponseDivergence(chosen: divergences[0], rejected: divergences[1])
            pass.referenceScores = scores
        }
        return pass
    }

    /// Adds the gradient of a batch that has been run forward. Returns the seconds that a second forward pass took.
    func backward(_ pass: MemberPass, _ loss: GroupLoss, into gradient: Gradient<Float>) throws -> Double {
        let coefficients = pass.batch.sequences.map { loss.coefficients[$0] }
        if coefficients.allSatisfy({ $0 == 0 }) { return 0 }
        var clock = Stopwatch()
        let activations = try pass.kept ?? forward(pass.batch, of: pass.group).1
        let seconds = clock.lap()
        let divergence = pass.referenceScores.map {
            Divergence(from: $0, coefficients: [0, loss.rejectedDivergence])
        }
        model.backward(coefficients, activations, gradient, divergence: divergence)
        return pass.kept == nil ? seconds : 0
    }

    /// The group's loss, given all its log-probabilities.
    func loss(
        _ group: EncodedGroup, _ draw: NegativeDraw, policy: GroupValues, divergence: ResponseDivergence?,
        reference: GroupValues
    ) throws -> GroupLoss {
        let loss = objective(
            ScoredGroup(
                policy: policy, reference: reference, draw: draw, chosenTokens: group.chosen.count,
                divergence: divergence))
        guard loss.loss.isFinite else { throw cause.failure("the loss is \(loss.loss)", at: group.id) }
        return loss
    }

    /// The group's loss without a gradient.
    func loss(
        _ group: EncodedGroup, _ draw: NegativeDraw, reference: GroupValues, isJoint: Bool = false
    ) throws -> GroupLoss {
        let layout = GroupLayout(
            group, withRejected: objective.needs.rejected, negatives: draw.indices, isJoint: isJoint)
        var policy = GroupValues(chosen: 0, negatives: draw.indices.map { _ in 0 })
        var divergence: ResponseDivergence?
        for batch in layout.batches {
            let pass = try forward(batch, of: group, keeping: false)
            for (sequence, value) in zip(batch.sequences, pass.logProbabilities) { policy[sequence] = value }
            divergence = divergence ?? pass.divergence
        }
        return try loss(group, draw, policy: policy, divergence: divergence, reference: reference)
    }

    /// The log-probabilities of the chosen response, the rejected one where it is asked for, and the listed negatives.
    func score(
        _ group: EncodedGroup, negatives: [Int], withRejected: Bool, store: LogProbabilityStore? = nil
    ) throws -> GroupValues {
        let layout = GroupLayout(group, withRejected: withRejected, negatives: negatives, isJoint: false)
        var values = GroupValues(chosen: 0, negatives: [Double](repeating: 0, count: negatives.count))
        for batch in layout.batches {
            let found =
                try store?.values(of: batch, group) { try forward(batch, of: group.id).0 }
                ?? forward(batch, of: group.id).0
            for (sequence, value) in zip(batch.sequences, found) { values[sequence] = value }
        }
        return values
    }
}

extension GroupGradient {
    /// - Throws: `MISPError` for a log-probability that is not finite: none is ever kept or averaged.
    private func forward(
        _ batch: GroupLayout.Batch, of group: String
    ) throws -> ([Double], VisionLanguageModel<Float>.Activations) {
        let result = model.forward(batch.layout, images: try batch.images.map(images.features))
        for (sequence, value) in zip(batch.sequences, result.0) where !value.isFinite {
            throw cause.failure("the log-probability of \(sequence.words) is \(value)", at: group)
        }
        return result
    }
}

/// What a batch of a group gives in a pass forward.
struct MemberPass {
    /// The group's id.
    let group: String
    let batch: GroupLayout.Batch
    let logProbabilities: [Double]
    var kept: VisionLanguageModel<Float>.Activations?
    var divergence: ResponseDivergence?
    var referenceScores: ResponseScores<Float>?
}

/// Seconds between laps, from a clock that never jumps.
struct Stopwatch {
    private var last = ContinuousClock.now

    mutating func lap() -> Double {
        let now = ContinuousClock.now
        defer { last = now }
        return (now - last) / .seconds(1)
    }
}
