import Core

/// A model and its pictures: what runs batches of sequences forward.
struct SequenceScorer<A: VectorArithmetic> {
    let model: VisionLanguageModel<A>
    let images: FeatureCache<A>
    /// What an error names where a number comes out that is not finite.
    let cause: NonFiniteCause

    init(_ model: VisionLanguageModel<A>, _ folder: ModelFolder) throws {
        self.model = model
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        images = FeatureCache(model, try PicturePlaces(folder), cause: cause)
    }

    /// The model that training starts from, which stays as it is. Its weights are mapped from the files that the
    /// policy's frozen ones come from.
    ///
    /// - Parameter policy: whose features it shares, up to where the policy is trained; it has its own where the tower
    ///   is
    init(referenceOf policy: SequenceScorer, _ folder: ModelFolder) throws {
        let hasOwnFeatures = policy.model.encoder.isTowerTrained
        // A connector that the policy trains belongs to what is not kept of a picture.
        let connector = hasOwnFeatures ? .frozen : policy.model.trainable.projector
        model = try folder.model(
            trainable: Trainable(language: .frozen, projector: connector, vision: .frozen), seed: 0, as: A.self)
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        images = hasOwnFeatures ? FeatureCache(model, policy.images.places, cause: cause) : policy.images
    }

    /// - Parameters:
    ///   - group: the id of the batch's group
    ///   - dropout: before the adapters; nil: none
    /// - Returns: a log-probability for each of the batch's sequences, and what its backward pass needs
    /// - Throws: `MISPError` for a log-probability that is not finite: none is ever kept or averaged.
    func forward(
        _ batch: GroupLayout.Batch, of group: String, keeping: Keeping, dropout: Dropout? = nil
    ) throws -> ([Double], VisionLanguageModel<A>.Activations) {
        let result = model.forward(
            batch.layout, images: try batch.images.map(images.input), keeping: keeping, dropout: dropout)
        for (sequence, value) in zip(batch.sequences, result.0) where !value.isFinite {
            throw cause.failure("the log-probability of \(sequence.words) is \(value)", at: group)
        }
        return result
    }
}
