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
        let group = data.groups[index]
        let draw = data.draw(index, epoch: epoch)
        let batches = scorer.layout(group, draw).batches
        for batch in batches {
            for response in batch.layout.responses {
                try Self.checkScored(targets: response.targets.count, at: group.id)
            }
            try checkFeatures(batch, at: group.id)
        }
        let objective = scorer.objective
        guard objective.usesReference else { return }
        let reference = data.reference(index, draw)
        let tokens = group.chosen.count
        let loss = try scorer.loss(group, draw, reference: reference, isJoint: batches.count == 1).loss
        // Rounding adds up over a response's tokens, and β scales it.
        try Self.checkLoss(
            loss, expected: Self.lossOfReference(objective, draw, hasRejected: group.rejected != nil),
            tolerance: 1e-4 * max(1, objective.beta * Double(tokens) / 100), at: group.id)
    }

    /// Every row of a picture's placeholders is filled, and no feature is left over.
    private func checkFeatures(_ batch: GroupLayout.Batch, at group: String) throws {
        let model = scorer.model
        for place in batch.layout.images {
            let rows = try scorer.images.features(of: batch.images[place.image]).rows
            // A trained tower starts from patches; class tokens come and go inside it.
            let shift =
                model.tower.isTrained
                ? (model.tower.classToken == nil ? 0 : 1) - (model.tower.dropsFirstRow ? 1 : 0) : 0
            try Self.checkFeatures(rows + shift, placeholders: place.rows.count, at: group)
        }
    }

    /// The loss where the policy is the reference: every h is 0, so every advantage is 0 and every margin's loss log 2.
    package static func lossOfReference(_ objective: Objective, _ draw: NegativeDraw, hasRejected: Bool) -> Double {
        let pair = log(2.0)
        let image =
            objective.usesNegatives && !draw.logWeights.isEmpty
            ? log(1 + draw.logWeights.reduce(0) { $0 + exp($1) }) : 0
        let text = objective.usesRejected && hasRejected ? pair : 0
        return switch objective.kind {
        case .sft: .nan
        case .chip: hasRejected || image > 0 ? pair : 0
        case .dpo: text
        case .mdpo: text + image + pair
        case .sdpo: image
        case .misp: image + objective.textWeight * text + objective.anchorWeight * pair
        }
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

    package static func checkFeatures(_ rows: Int, placeholders: Int, at group: String) throws(MISPError) {
        guard rows == placeholders else {
            throw failure("the picture gives \(rows) features for \(placeholders) placeholders", at: group)
        }
    }

    package static func checkScored(targets: Int, at group: String) throws(MISPError) {
        guard targets > 0 else { throw failure("a response has no token to score", at: group) }
    }

    private static func failure(_ what: String, at group: String) -> MISPError {
        MISPError("self-test: \(what)", at: group, remedy: "report this as a defect", kind: .defect)
    }
}
