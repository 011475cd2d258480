import Core

/// The model that training started from, for an objective that asks for more of it than a table of log-probabilities
/// can hold. Its weights are mapped from the same files as the policy's frozen ones.
struct ReferenceModel<A: VectorArithmetic> {
    private let model: VisionLanguageModel<A>
    private let images: FeatureCache<A>

    /// - Parameter policy: whose features are the reference's too unless projector or tower are trained
    init(_ folder: ModelFolder, sharing policy: FeatureCache<A>) throws {
        model = try folder.model(
            trainable: Trainable(language: .frozen, projector: .frozen, vision: .frozen), seed: 0, as: A.self)
        images =
            policy.isOfFrozenModel
            ? policy
            : FeatureCache(model, policy.places, cause: NonFiniteCause(folder: folder.url))
    }

    /// The chosen and the rejected response, given the positive image.
    func scores(of group: EncodedGroup) throws -> ResponseScores<A> {
        let batch = GroupLayout(group, withRejected: true, negatives: [], isJoint: true).batches[0]
        return model.forward(batch.layout, images: try batch.images.map(images.input), keeping: .nothing).1.scores
    }
}
