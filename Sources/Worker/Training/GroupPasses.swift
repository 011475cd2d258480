import Core

/// Which passes a run's groups make through the model, and what these cost: known without a value of the model, and the
/// same in every precision.
struct GroupPasses {
    let objective: any Objective
    /// Whether pictures cost more or less by their size; those of one size cost all groups the same.
    let dependOnSize: Bool
    private let shape: ModelConfiguration
    private let trainable: Trainable
    private let members: RunConfiguration.Compute.Members

    init(_ folder: ModelFolder, _ trainable: Trainable, _ configuration: RunConfiguration) {
        (shape, self.trainable) = (folder.configuration, trainable)
        dependOnSize = folder.processor.commonShape == nil
        objective = configuration.objective.function
        members = configuration.compute.members
    }

    /// Above this many bytes of activations `auto` computes a group's members one at a time. The same on every
    /// machine and for any number of ranks, since the choice can move last bits.
    private static let jointLimitBytes = 2.0 * 0x1p30

    /// - Parameter isJoint: one batch or one for each picture; nil: what fits
    func layout(_ group: EncodedGroup, _ draw: NegativeDraw, isJoint: Bool? = nil) -> GroupLayout {
        func make(_ isJoint: Bool) -> GroupLayout {
            GroupLayout(
                group, withRejected: objective.needs.rejected, negatives: draw.indices, isJoint: isJoint)
        }
        if let isJoint { return make(isJoint) }
        // Drawn after the forward pass, some members will need no backward pass: not so in one joint pass.
        if case .twoPass = draw.estimator { return make(false) }
        let joint = make(true)
        let fits = joint.batches.allSatisfy {
            activationBytes($0) <= Self.jointLimitBytes
        }
        return members == .joint || (members == .auto && fits) ? joint : make(false)
    }

    /// Of a batch's passes, with those of pictures whose way is trained.
    func operations(_ batch: GroupLayout.Batch, withPictures: Bool = true) -> OperationCount {
        let language = shape.operations(batch.layout, trainable: trainable)
        return withPictures ? language + shape.operations(batch.shapes, trainable: trainable) : language
    }

    /// That a batch's forward pass keeps, roughly.
    func activationBytes(_ batch: GroupLayout.Batch) -> Double {
        shape.activationBytes(batch.layout) + shape.activationBytes(batch.shapes, trainable: trainable)
    }

    /// β of the rewards β·h; where there is no reference there are none.
    var rewardScale: Double { objective.needs.reference ? objective.beta : .nan }

    /// Whether a batch's pass compares the two responses' distributions with the reference's. The responses to the
    /// positive image, where both are there, stand first in their batch.
    func hasDivergence(_ batch: GroupLayout.Batch) -> Bool {
        objective.needs.divergence && batch.sequences.starts(with: [.chosen, .rejected])
    }
}
