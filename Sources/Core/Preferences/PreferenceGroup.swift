/// What one preference is about: a prompt with its image, a better and a worse response, and other images for which
/// the better response would be wrong.
public struct PreferenceGroup: Sendable, Equatable {
    /// An image for which the chosen response does not hold.
    public struct Negative: Sendable, Equatable {
        /// Path of the image file.
        public let image: String
        /// How hard the image is, as mining found it; drawing is uniform without scores.
        public let score: Double?

        /// Without scores a group's draws are uniform.
        public init(image: String, score: Double? = nil) {
            self.image = image
            self.score = score
        }
    }

    /// A prompt that the prompt template has to put together.
    public struct Message: Sendable, Equatable {
        /// What a system message says.
        public let system: String?
        /// The text parts of the question.
        public let parts: [String]
        /// How many of them stand before the picture.
        public let picture: Int
        /// File, line and field.
        public let place: String
    }

    /// Unique among the groups of a file.
    public let id: String
    /// x, without the template around it.
    public let prompt: String
    /// The prompt as it was given, where that is more than one text.
    public let message: Message?
    /// y_p, the response to be preferred.
    public let chosen: String
    /// y_n; without it a group has no text term.
    public let rejected: String?
    /// Path of m_p, the image that the prompt is about.
    public let image: String
    /// The pool m_1…m_N; all of them have scores, or none has. An empty pool means no image term.
    public let negatives: [Negative]

    /// Unless told otherwise, without negatives and with a prompt of one text.
    public init(
        id: String, prompt: String, chosen: String, rejected: String?, image: String, negatives: [Negative] = [],
        message: Message? = nil
    ) {
        self.id = id
        self.message = message
        self.prompt = prompt
        self.chosen = chosen
        self.rejected = rejected
        self.image = image
        self.negatives = negatives
    }
}
