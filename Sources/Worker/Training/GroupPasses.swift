import Core

/// Which passes a run's groups make through the model, and what these cost: known without a value of the model.
struct GroupPasses {
    let objective: any Objective
    /// Whether pictures cost more or less by their size; those of one size cost all groups the same.
    let dependOnSize: Bool
    private let shape: ModelConfiguration
    private let trainable: Trainable
    private let members: RunConfiguration.Compute.Members
    private let precision: Precision
    private let seed: UInt64

    init(_ folder: ModelFolder, _ trainable: Trainable, _ configuration: RunConfiguration) {
        (shape, self.trainable, seed) = (folder.configuration, trainable, configuration.seed)
        dependOnSize = folder.processor.commonShape == nil
        objective = configuration.objective.function
        (members, precision) = (configuration.compute.members, configuration.compute.precision)
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

    func keeping(_ batch: GroupLayout.Batch) -> Keeping {
        recomputes(batch) ? .layerInputs(Recomputation(inBFloat16: precision == .bfloat16)) : .everything
    }

    /// Of a training pass.
    ///
    /// - Parameter step: steps taken before this one
    func dropout(_ batch: GroupLayout.Batch, of group: EncodedGroup, step: Int) -> Dropout? {
        Dropout(
            rate: trainable.lora.dropout, seed: seed, step: step, group: group.id, firstPicture: batch.firstPicture)
    }

    /// Of a batch's passes, with those of pictures whose way is trained.
    func operations(_ batch: GroupLayout.Batch, withPictures: Bool = true) -> OperationCount {
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
        shape.activationBytes(batch.layout)
            + shape.activationBytes(batch.shapes, trainable: trainable)
    }

    /// That its passes take where layer inputs alone are kept, roughly.
    func recomputationBytes(_ batch: GroupLayout.Batch) -> Double {
        shape.recomputationBytes(batch.layout, inBFloat16: precision == .bfloat16)
            + shape.recomputationBytes(batch.shapes, trainable: trainable)
    }

    /// β of the rewards β·h; where there is no reference there are none.
    var rewardScale: Double { objective.needs.reference ? objective.beta : .nan }

    /// Whether a batch's pass compares the two responses' distributions with the reference's. The responses to the
    /// positive image, where both are there, stand first in their batch.
    func hasDivergence(_ batch: GroupLayout.Batch) -> Bool {
        objective.needs.divergence && batch.sequences.starts(with: [.chosen, .rejected])
    }
}
