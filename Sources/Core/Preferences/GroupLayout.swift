/// The sequences of a group that a step looks at, laid out for the model.
public struct GroupLayout: Sendable {
    /// A batch whose responses are the group's sequences in order, with the images that it needs.
    public struct Batch: Sendable {
        /// The rows, ready for the model.
        public var layout = SequenceLayout()
        /// What the layout's image indices stand for.
        public var images: [ImageSource] = []
        /// Of each image, its shape, and the prompt with its rows.
        public var shapes: [PictureShape] = []
        public var prompts: [PromptTokens] = []
        /// For each response, which sequence of the group it is.
        public var sequences: [GroupSequence] = []
        /// The place of the first image among the group's: the right one first, then the negatives drawn.
        public var firstPicture = 0
    }

    /// One for all sequences, or one for each image: the right picture first, then the negatives.
    public let batches: [Batch]

    /// - Parameters:
    ///   - negatives: indices into the group's pool
    ///   - isJoint: one batch for all, or one for each image, to be computed one after the other
    public init(_ group: EncodedGroup, withRejected: Bool, negatives: [Int], isJoint: Bool) {
        var batches = [Batch()]
        func add(_ image: PlacedImage, _ responses: [WeightedTokens], _ sequences: [GroupSequence]) {
            if !isJoint, !batches[batches.count - 1].images.isEmpty {
                batches.append(Batch(firstPicture: batches.count))
            }
            let last = batches.count - 1
            let prompt = group.prompt.tokens(image.place)
            batches[last].layout.append(prompt, image: batches[last].images.count, responses: responses)
            batches[last].images.append(image.source)
            batches[last].shapes.append(image.shape)
            batches[last].prompts.append(prompt)
            batches[last].sequences += sequences
        }
        if withRejected, let rejected = group.rejected {
            add(group.image, [group.chosen, rejected], [.chosen, .rejected])
        } else {
            add(group.image, [group.chosen], [.chosen])
        }
        for (place, index) in negatives.enumerated() {
            add(group.negatives[index], [group.chosen], [.negative(place)])
        }
        self.batches = batches
    }
}
