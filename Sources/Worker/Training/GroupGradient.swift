import Core
import Foundation

/// One group's way through a step: forward, objective, backward.
struct GroupGradient {
    let model: VisionLanguageModel<Vector>
    let objective: any Objective
    let images: FeatureCache
    let members: RunConfiguration.Compute.Members
    /// What an error names where a number comes out that is not finite.
    let cause: NonFiniteCause
    /// Only where the objective compares token distributions.
    private let reference: ReferenceModel?

    init(_ model: VisionLanguageModel<Vector>, _ folder: ModelFolder, _ configuration: RunConfiguration) throws {
        self.model = model
        objective = configuration.objective.function
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        images = FeatureCache(model, try PicturePlaces(folder), cause: cause)
        members = configuration.compute.members
        reference = objective.needs.divergence ? try ReferenceModel(folder, sharing: images) : nil
    }

    /// Above this many bytes of activations a batch keeps its layers' inputs alone, unless `compute.members` says
    /// otherwise. The same on every machine and for any number of ranks, as the next one, which can move last bits.
    static var jointLimitBytes: Double { 2 * 0x1p30 }
    /// Above this many bytes with layer inputs alone `auto` computes a group's members one at a time.
    static var recomputationLimitBytes: Double { 4 * 0x1p30 }

    /// - Parameter isJoint: one batch or one for each picture; nil: what fits
    func layout(_ group: EncodedGroup, _ draw: NegativeDraw, isJoint: Bool? = nil) -> GroupLayout {
        func make(_ isJoint: Bool) -> GroupLayout {
            GroupLayout(
                group, withRejected: objective.needs.rejected, negatives: draw.indices, isJoint: isJoint)
        }
        if let isJoint { return make(isJoint) }
        // Drawn after the forward pass, some members will need no backward pass: not so in one joint pass.
        if case .twoPass = draw.estimator { return make(false) }
        if members == .streaming { return make(false) }
        let joint = make(true)
        let fits = joint.batches.allSatisfy {
            activationBytes($0) <= Self.jointLimitBytes || recomputationBytes($0) <= Self.recomputationLimitBytes
        }
        return members != .auto || fits ? joint : make(false)
    }

    /// Whether a batch's forward pass keeps the inputs of layers alone, and its backward pass runs these again.
    func recomputes(_ batch: GroupLayout.Batch) -> Bool {
        switch members {
        case .joint: false
        case .recompute: true
        case .auto, .streaming: activationBytes(batch) > Self.jointLimitBytes
        }
    }

    private func keeping(_ batch: GroupLayout.Batch) -> Keeping {
        recomputes(batch) ? .layerInputs(Recomputation()) : .everything
    }

    /// Of a batch's passes, with those of pictures whose way is trained.
    func operations(_ batch: GroupLayout.Batch, withPictures: Bool = true) -> OperationCount {
        let (shape, trainable) = (model.configuration, model.trainable)
        let language = shape.operations(batch.layout, trainable: trainable)
        return withPictures ? language + shape.operations(batch.shapes, trainable: trainable) : language
    }

    /// Of a batch's share of a step.
    ///
    /// - Parameters:
    ///   - isSplit: its members are run forward twice, as others' coefficients depend on them
    ///   - withPictures: whether those count whose way is trained
    /// - Returns: what ranks share the work by, and all. Layers that are run again do not count for the sharing: so
    ///   gradients are added in the same order, and to the same bits, whether they are or not.
    func stepOperations(
        _ batch: GroupLayout.Batch, isSplit: Bool, withPictures: Bool = true
    ) -> (shared: Double, all: Double) {
        let operations = operations(batch, withPictures: withPictures)
        let shared = operations.total + (isSplit ? operations.forward : 0)
        return (shared, shared + (recomputes(batch) ? operations.again : 0))
    }

    /// That a batch's forward pass keeps where it keeps everything, roughly.
    func activationBytes(_ batch: GroupLayout.Batch) -> Double {
        model.configuration.activationBytes(batch.layout)
            + model.configuration.activationBytes(batch.shapes, trainable: model.trainable)
    }

    /// That its passes take where layer inputs alone are kept, roughly.
    func recomputationBytes(_ batch: GroupLayout.Batch) -> Double {
        model.configuration.recomputationBytes(batch.layout)
            + model.configuration.recomputationBytes(batch.shapes, trainable: model.trainable)
    }

    /// β of the rewards β·h; where there is no reference there are none.
    var rewardScale: Double { objective.needs.reference ? objective.beta : .nan }

    /// Whether a batch's pass compares the two responses' distributions with the reference's. The responses to the
    /// positive image, where both are there, stand first in their batch.
    func hasDivergence(_ batch: GroupLayout.Batch) -> Bool {
        objective.needs.divergence && batch.sequences.starts(with: [.chosen, .rejected])
    }

    /// Runs one batch of a group forward.
    ///
    /// The coefficients need nothing but the log-probabilities. With a batch per image, therefore, all are run forward
    /// first, anywhere, and then again one by one with their backward pass.
    /// - Parameter keeping: whether something stays for the backward pass, which otherwise begins with a forward pass.
    func forward(_ batch: GroupLayout.Batch, of group: EncodedGroup, keeping: Bool) throws -> BatchPass {
        let (logProbabilities, activations) = try forward(
            batch, of: group.id, keeping: keeping ? self.keeping(batch) : .nothing)
        var pass = BatchPass(
            group: group.id, batch: batch, scores: BatchScores(logProbabilities: logProbabilities),
            kept: keeping ? activations : nil)
        if let reference, hasDivergence(batch) {
            let scores = try reference.scores(of: group)
            let divergences = activations.scores.divergences(from: scores)
            pass.scores.divergence = ResponseDivergence(chosen: divergences[0], rejected: divergences[1])
            pass.referenceScores = scores
        }
        return pass
    }

    /// Adds the gradient of a batch that has been run forward. Returns the seconds in which it was run forward again,
    /// whole or layer by layer.
    func backward(_ pass: BatchPass, _ loss: GroupLoss, into gradient: Gradient<Float>) throws -> Double {
        let coefficients = pass.batch.sequences.map { loss.coefficients[$0] }
        if coefficients.allSatisfy({ $0 == 0 }) { return 0 }
        var clock = Stopwatch()
        let activations = try pass.kept ?? forward(pass.batch, of: pass.group, keeping: keeping(pass.batch)).1
        let seconds = pass.kept == nil ? clock.lap() : 0
        let divergence = pass.referenceScores.map {
            Divergence(from: $0, coefficients: [0, loss.rejectedDivergence])
        }
        model.backward(coefficients, activations, gradient, divergence: divergence)
        return seconds + activations.secondsAgain
    }

    /// - Parameter id: the group's
    func loss(_ group: ScoredGroup, of id: String) throws -> GroupLoss {
        let loss = objective(group)
        guard loss.loss.isFinite else { throw cause.failure("the loss is \(loss.loss)", at: id) }
        return loss
    }

    /// The loss of a group without a gradient.
    func loss(of group: StepWork.Group) throws -> Double {
        var scored = group.unscored
        for batch in group.batches {
            scored.add(try forward(batch, of: group.group, keeping: false).scores, of: batch)
        }
        return try loss(scored, of: group.group.id).loss
    }

    /// The log-probabilities of the chosen response, the rejected one where it is asked for, and the listed negatives.
    func score(
        _ group: EncodedGroup, negatives: [Int], withRejected: Bool, store: LogProbabilityStore? = nil
    ) throws -> GroupValues {
        let layout = GroupLayout(group, withRejected: withRejected, negatives: negatives, isJoint: false)
        var values = GroupValues(chosen: 0, negatives: [Double](repeating: 0, count: negatives.count))
        for batch in layout.batches {
            let found =
                try store?.values(of: batch, group) { try forward(batch, of: group.id, keeping: .nothing).0 }
                ?? forward(batch, of: group.id, keeping: .nothing).0
            for (sequence, value) in zip(batch.sequences, found) { values[sequence] = value }
        }
        return values
    }
}

extension GroupGradient {
    /// - Throws: `MISPError` for a log-probability that is not finite: none is ever kept or averaged.
    private func forward(
        _ batch: GroupLayout.Batch, of group: String, keeping: Keeping
    ) throws -> ([Double], VisionLanguageModel<Vector>.Activations) {
        let result = model.forward(batch.layout, images: try batch.images.map(images.input), keeping: keeping)
        for (sequence, value) in zip(batch.sequences, result.0) where !value.isFinite {
            throw cause.failure("the log-probability of \(sequence.words) is \(value)", at: group)
        }
        return result
    }
}

/// A batch of a group that has been run forward.
struct BatchPass {
    /// The group's id.
    let group: String
    let batch: GroupLayout.Batch
    var scores: BatchScores
    /// What the backward pass needs, unless it is to be made again.
    let kept: VisionLanguageModel<Vector>.Activations?
    var referenceScores: ResponseScores<Vector>?
}
