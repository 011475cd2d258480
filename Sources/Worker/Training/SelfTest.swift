import Core
import Foundation

/// What must hold before a run's first step, whatever the data: a defect that would otherwise train on in silence.
///
/// Cheap enough for every run: at most one forward pass on each rank.
package struct SelfTest {
    let scorer: GroupGradient

    /// Tests group `index` of the data as a step of that epoch will compute it.
    ///
    /// Policy and reference must still be the same model, so this comes before adapters and checkpoints are loaded.
    func run(_ data: PreparedData, group index: Int, epoch: Int) throws {
        let step = StepWork.Group(index, epoch: epoch, data: data, scorer)
        let group = step.group
        for batch in step.batches {
            for response in batch.layout.responses {
                try Self.checkScored(targets: response.targets.count, at: group.id)
            }
            try checkFeatures(batch, at: group.id)
        }
        let objective = scorer.objective
        guard objective.needs.reference else { return }
        let tokens = group.chosen.count
        // Rounding adds up over a response's tokens, and β scales it.
        try Self.checkLoss(
            try scorer.loss(of: step),
            expected: Self.lossOfReference(
                objective, step.draw, hasRejected: group.rejected != nil, tokens: tokens),
            tolerance: 1e-4 * max(1, objective.beta * Double(tokens) / 100), at: group.id)
    }

    /// Every row of a picture's placeholders is filled, and no feature is left over.
    private func checkFeatures(_ batch: GroupLayout.Batch, at group: String) throws {
        let encoder = scorer.model.encoder
        for place in batch.layout.images {
            let input = try scorer.images.input(of: batch.images[place.image])
            try Self.checkFeatures(
                input.fixedPart.rows, expected: encoder.fixedShape(input.shape).rows, at: group)
            try Self.checkFeatures(
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
