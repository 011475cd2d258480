import Core
import Foundation

/// One group's way through a step: forward, objective, backward.
struct GroupGradient<A: VectorArithmetic> {
    let model: VisionLanguageModel<A>
    let images: FeatureCache<A>
    let passes: GroupPasses
    /// What an error names where a number comes out that is not finite.
    let cause: NonFiniteCause
    /// Only where the objective compares token distributions.
    private let reference: ReferenceModel<A>?

    init(_ model: VisionLanguageModel<A>, _ folder: ModelFolder, _ configuration: RunConfiguration) throws {
        self.model = model
        passes = GroupPasses(folder, model.trainable, configuration)
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        images = FeatureCache(model, try PicturePlaces(folder), cause: cause)
        reference = passes.objective.needs.divergence ? try ReferenceModel(folder, sharing: images) : nil
    }

    var objective: any Objective { passes.objective }

    /// Runs one batch of a group forward.
    ///
    /// The coefficients need nothing but the log-probabilities. With a batch per image, therefore, all are run forward
    /// first, anywhere, and then again one by one with their backward pass.
    /// - Parameter keeping: whether something stays for the backward pass, which otherwise begins with a forward pass.
    func forward(_ batch: GroupLayout.Batch, of group: EncodedGroup, keeping: Bool) throws -> BatchPass<A> {
        let (logProbabilities, activations) = try forward(
            batch, of: group.id, keeping: keeping ? passes.keeping(batch) : .nothing)
        var pass = BatchPass(
            group: group.id, batch: batch, scores: BatchScores(logProbabilities: logProbabilities),
            kept: keeping ? activations : nil)
        if let reference, passes.hasDivergence(batch) {
            let scores = try reference.scores(of: group)
            let divergences = activations.scores.divergences(from: scores)
            pass.scores.divergence = ResponseDivergence(chosen: divergences[0], rejected: divergences[1])
            pass.referenceScores = scores
        }
        return pass
    }

    /// Adds the gradient of a batch that has been run forward. Returns the seconds in which it was run forward again,
    /// whole or layer by layer.
    func backward(_ pass: BatchPass<A>, _ loss: GroupLoss, into gradient: Gradient<Float>) throws -> Double {
        let coefficients = pass.batch.sequences.map { loss.coefficients[$0] }
        if coefficients.allSatisfy({ $0 == 0 }) { return 0 }
        var clock = Stopwatch()
        let activations = try pass.kept ?? forward(pass.batch, of: pass.group, keeping: passes.keeping(pass.batch)).1
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
    ) throws -> ([Double], VisionLanguageModel<A>.Activations) {
        let result = model.forward(batch.layout, images: try batch.images.map(images.input), keeping: keeping)
        for (sequence, value) in zip(batch.sequences, result.0) where !value.isFinite {
            throw cause.failure("the log-probability of \(sequence.words) is \(value)", at: group)
        }
        return result
    }
}

/// A batch of a group that has been run forward.
struct BatchPass<A: VectorArithmetic> {
    /// The group's id.
    let group: String
    let batch: GroupLayout.Batch
    var scores: BatchScores
    /// What the backward pass needs, unless it is to be made again.
    let kept: VisionLanguageModel<A>.Activations?
    var referenceScores: ResponseScores<A>?
}
