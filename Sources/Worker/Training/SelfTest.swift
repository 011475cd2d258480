import Core
import Foundation

/// What must hold before a run's first step, whatever the data: a defect that would otherwise train on in silence.
///
/// Cheap enough for every run: at most one sequence on each rank.
package enum SelfTest {
    /// Tests a group as a step of that epoch will compute it, and one of its sequences against the reference.
    ///
    /// Policy and reference must still be the same model, so this comes before adapters and checkpoints are loaded.
    ///
    /// - Parameters:
    ///   - index: of the group in the data
    ///   - member: which sequence, counted round: the chosen response to the right picture, then to the drawn ones
    static func run(
        _ gradient: GroupGradient<some VectorArithmetic>, _ data: PreparedData, group index: Int, epoch: Int,
        member: Int, _ precision: Precision
    ) throws {
        let step = StepWork.Group(index, epoch: epoch, data: data, gradient.passes)
        let group = step.group
        for batch in step.batches {
            for response in batch.layout.responses {
                try checkScored(targets: response.targets.count, at: group.id)
            }
            try checkFeatures(gradient.policy, batch, at: group.id)
        }
        let objective = gradient.objective
        guard objective.needs.reference else { return }
        var scored = step.ofReference
        let layout = GroupLayout(group, withRejected: false, negatives: step.draw.indices, isJoint: false)
        let place = member % layout.batches.count
        let sequence = place == 0 ? GroupSequence.chosen : .negative(place - 1)
        scored.policy[sequence] = try gradient.policy.forward(
            layout.batches[place], of: group.id, keeping: .nothing
        ).0[0]
        let tokens = group.chosen.count
        // Rounding adds up over a response's tokens, and β scales it.
        try checkLoss(
            objective(scored).loss,
            expected: lossOfReference(objective, step.draw, hasRejected: group.rejected != nil, tokens: tokens),
            tolerance: tolerance(precision) * max(1, objective.beta * Double(tokens) / 100), at: group.id)
    }

    /// Of the loss: the two models' log-probabilities come from batches of different rows. Where products round their
    /// inputs to 8 bits, a difference in the last of 24 becomes one in the last of 8.
    private static func tolerance(_ precision: Precision) -> Double {
        switch precision {
        case .float32: 1e-4
        case .bfloat16: 5e-2
        }
    }

    /// Every row of a picture's placeholders is filled, and no feature is left over.
    private static func checkFeatures(
        _ scorer: SequenceScorer<some VectorArithmetic>, _ batch: GroupLayout.Batch, at group: String
    ) throws {
        let encoder = scorer.model.encoder
        for place in batch.layout.images {
            let input = try scorer.images.input(of: batch.images[place.image])
            try checkFeatures(
                input.fixedPart.rows, expected: encoder.fixedShape(input.shape).rows, at: group)
            try checkFeatures(
                encoder.rows(input.shape).language, expected: place.rows.reduce(0) { $0 + $1.count }, at: group)
        }
    }

    /// The objective's value where the policy is the reference: every h is 0, whatever the model, so every advantage
    /// is 0 and every margin's loss log 2.
    package static func lossOfReference(
        _ objective: any Objective, _ draw: NegativeDraw, hasRejected: Bool, tokens: Int
    ) -> Double {
        let needs = objective.needs
        let zero = GroupValues(
            chosen: 0, rejected: needs.rejected && hasRejected ? 0 : nil,
            negatives: needs.negatives == .none ? [] : draw.indices.map { _ in 0 })
        return objective(ScoredGroup(policy: zero, reference: zero, draw: draw, chosenTokens: tokens)).loss
    }

    package static func checkLoss(
        _ loss: Double, expected: Double, tolerance: Double, at group: String
    ) throws(MISPError) {
        guard abs(loss - expected) <= tolerance else {
            throw failure(
                "the untrained model's loss is \(loss), but with the policy equal to the reference it is \(expected)",
                at: group)
        }
    }

    package static func checkFeatures(_ rows: Int, expected: Int, at group: String) throws(MISPError) {
        guard rows == expected else {
            throw failure("the picture gives \(rows) features for \(expected) placeholders", at: group)
        }
    }

    package static func checkScored(targets: Int, at group: String) throws(MISPError) {
        guard targets > 0 else { throw failure("a response has no token to score", at: group) }
    }

    private static func failure(_ what: String, at group: String) -> MISPError {
        MISPError("self-test: \(what)", at: group, remedy: "report this as a defect", kind: .defect)
    }
}
