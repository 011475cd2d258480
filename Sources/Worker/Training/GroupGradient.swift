import Core
import Foundation

/// One group's way through a step: forward, objective, backward.
struct GroupGradient<A: VectorArithmetic> {
    let policy: SequenceScorer<A>
    /// For an objective that compares the policy with it.
    let reference: SequenceScorer<A>?
    let passes: GroupPasses

    init(_ model: VisionLanguageModel<A>, _ folder: ModelFolder, _ configuration: RunConfiguration) throws {
        passes = GroupPasses(folder, model.trainable, configuration)
        policy = try SequenceScorer(model, folder)
        reference = passes.objective.needs.reference ? try SequenceScorer(referenceOf: policy, folder) : nil
    }

    /// - Parameter places: what pictures become
    func place(_ places: PicturePlaces) {
        policy.images.places = places
        reference?.images.places = places
    }

    var objective: any Objective { passes.objective }

    /// Runs one batch of a group forward.
    ///
    /// The coefficients need nothing but the log-probabilities. With a batch per image, therefore, all are run forward
    /// first, anywhere, and then again one by one with their backward pass.
    /// - Parameters:
    ///   - keeping: whether something stays for the backward pass, which otherwise begins with a forward pass
    ///   - step: steps taken before this one, which keys dropout; nil: none is wanted
    func forward(
        _ batch: GroupLayout.Batch, of group: EncodedGroup, keeping: Bool, step: Int? = nil
    ) throws -> BatchPass<A> {
        let dropout = step.flatMap { passes.dropout(batch, of: group, step: $0) }
        let (logProbabilities, activations) = try policy.forward(
            batch, of: group.id, keeping: keeping ? passes.keeping(batch) : .nothing, dropout: dropout)
        var pass = BatchPass(
            group: group.id, batch: batch, scores: BatchScores(logProbabilities: logProbabilities),
            kept: keeping ? activations : nil, dropout: dropout)
        if let reference, passes.hasDivergence(batch) {
            let pair = GroupLayout(group, withRejected: true, negatives: [], isJoint: true).batches[0]
            let scores = try reference.forward(pair, of: group.id, keeping: .nothing).1.scores
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
        let activations =
            try pass.kept
            ?? policy.forward(
                pass.batch, of: pass.group, keeping: passes.keeping(pass.batch), dropout: pass.dropout
            ).1
        let seconds = pass.kept == nil ? clock.lap() : 0
        let divergence = pass.referenceScores.map {
            Divergence(from: $0, coefficients: [0, loss.rejectedDivergence])
        }
        policy.model.backward(coefficients, activations, gradient, divergence: divergence)
        return seconds + activations.secondsAgain
    }

    /// - Parameter id: the group's
    func loss(_ group: ScoredGroup, of id: String) throws -> GroupLoss {
        let loss = objective(group)
        guard loss.loss.isFinite else { throw policy.cause.failure("the loss is \(loss.loss)", at: id) }
        return loss
    }

    /// A group's scores without a gradient.
    func score(_ group: StepWork.Group) throws -> ScoredGroup {
        var scored = group.unscored
        for batch in group.batches {
            scored.add(try forward(batch, of: group.group, keeping: false).scores, of: batch)
        }
        return scored
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
    /// What the backward pass leaves out again, if it makes that again.
    let dropout: Dropout?
    var referenceScores: ResponseScores<A>?
}
