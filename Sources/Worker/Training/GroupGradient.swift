import Core
import Foundation

/// One group's way through a step: forward, objective, backward.
struct GroupGradient {
    let model: VisionLanguageModel<Float>
    let objective: Objective
    let images: FeatureCache
    let members: RunConfiguration.Compute.Members

    /// Above this many bytes of activations `auto` computes a group's members one at a time. The same on every
    /// machine and for any number of ranks, since the choice can move last bits.
    static let jointLimitBytes = 2.0 * 0x1p30

    /// What a step reports of a group.
    struct Outcome {
        var loss: GroupLoss
        var policy: GroupValues
        var reference: GroupValues
        var seconds: (forward: Double, backward: Double)
        var rows: Int
    }

    func layout(_ group: EncodedGroup, _ draw: NegativeDraw) -> GroupLayout {
        func make(_ isJoint: Bool) -> GroupLayout {
            GroupLayout(
                group, withRejected: objective.usesRejected, negatives: draw.indices, isJoint: isJoint)
        }
        // Drawn after the forward pass, some members will need no backward pass: not so in one joint pass.
        if case .twoPass = draw.estimator { return make(false) }
        let joint = make(true)
        let fits = joint.batches.allSatisfy {
            model.configuration.activationBytes($0.layout) <= Self.jointLimitBytes
        }
        return members == .joint || (members == .auto && fits) ? joint : make(false)
    }

    /// Adds the group's gradient to `gradient`.
    ///
    /// The coefficients need nothing but the log-probabilities. With a batch per image, therefore, all are run forward
    /// first without keeping activations, and then again one by one with their backward pass.
    func compute(
        _ group: EncodedGroup, _ draw: NegativeDraw, reference: GroupValues, into gradient: Gradient<Float>
    ) throws -> Outcome {
        let batches = layout(group, draw).batches
        var clock = Stopwatch()
        var values = GroupValues(
            chosen: 0, rejected: nil, negatives: [Double](repeating: 0, count: draw.indices.count))
        var kept: VisionLanguageModel<Float>.Activations?
        for batch in batches {
            let (logProbabilities, activations) = try forward(batch)
            for (sequence, value) in zip(batch.sequences, logProbabilities) { values[sequence] = value }
            if batches.count == 1 { kept = activations }
        }
        let loss = objective(
            policy: values, reference: reference, draw: draw, chosenTokens: group.chosen.count)
        guard loss.loss.isFinite else {
            throw MISPError(
                "the loss is \(loss.loss)", at: group.id, remedy: "lower the learning rate or inspect this group",
                kind: .defect)
        }
        var seconds = (forward: clock.lap(), backward: 0.0)
        for batch in batches {
            let coefficients = batch.sequences.map { loss.coefficients[$0] }
            if coefficients.allSatisfy({ $0 == 0 }) { continue }
            let activations = try kept ?? forward(batch).1
            seconds.forward += clock.lap()
            model.backward(coefficients, activations, gradient)
            seconds.backward += clock.lap()
        }
        let rows = batches.reduce(0) { $0 + $1.layout.rows }
        return Outcome(loss: loss, policy: values, reference: reference, seconds: seconds, rows: rows)
    }

    /// The group's loss without a gradient.
    func loss(_ group: EncodedGroup, _ draw: NegativeDraw, reference: GroupValues) throws -> GroupLoss {
        objective(
            policy: try score(group, negatives: draw.indices, withRejected: objective.usesRejected),
            reference: reference, draw: draw,
            chosenTokens: group.chosen.count)
    }

    /// The log-probabilities of the chosen response, the rejected one where it is asked for, and the listed negatives.
    func score(_ group: EncodedGroup, negatives: [Int], withRejected: Bool) throws -> GroupValues {
        let layout = GroupLayout(group, withRejected: withRejected, negatives: negatives, isJoint: false)
        var values = GroupValues(chosen: 0, negatives: [Double](repeating: 0, count: negatives.count))
        for batch in layout.batches {
            for (sequence, value) in zip(batch.sequences, try forward(batch).0) { values[sequence] = value }
        }
        return values
    }

    private func forward(
        _ batch: GroupLayout.Batch
    ) throws -> ([Double], VisionLanguageModel<Float>.Activations) {
        model.forward(batch.layout, images: try batch.images.map(images.features))
    }
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
