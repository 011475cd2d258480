/// A response's token ids, and what the log-probability of each counts for in the response's.
public struct WeightedTokens: Sendable, Equatable {
    /// Ids, the end-of-sequence token included where it is scored.
    public let tokens: [Int32]
    /// A factor for each token's log-probability.
    public let weights: [Double]

    /// - Parameter weights: as many as there are tokens; 1 each unless given.
    public init(_ tokens: [Int32], weights: [Double]? = nil) {
        self.tokens = tokens
        self.weights = weights ?? [Double](repeating: 1, count: tokens.count)
    }

    /// Tokens.
    public var count: Int { tokens.count }
}

/// Sequences stacked row under row without padding; what sequences share stands once.
///
/// Responses to the same image and prompt branch off one prefix: each response's rows attend to the prefix and to
/// themselves. The last token of a response is only predicted, never fed, so it has no row.
public struct SequenceLayout: Sendable {
    /// A response: `targets[i]` is predicted at row `predictors[i]` and counts for `weights[i]` in the response's
    /// log-probability.
    public struct Response: Sendable, Equatable {
        /// Rows of the layout.
        public let predictors: [Int]
        /// Token ids.
        public let targets: [Int32]
        /// Factors of the targets' log-probabilities.
        public let weights: [Double]
    }

    /// Rows filled with features of an image, which is named by its index in the batch.
    public struct ImagePlace: Sendable, Equatable {
        /// Its place among the batch's images.
        public let image: Int
        /// Rows of the layout, one for each of the image's features, in their order.
        public let rows: [Range<Int>]
    }

    /// T ids; meaningless at image rows.
    public private(set) var tokens: [Int32] = []
    /// T positions for the rotary angles.
    public private(set) var positions: [RotaryPosition] = []
    /// Which rows attend together: a shared prefix, or what follows one.
    public private(set) var segments: [AttentionSegment] = []
    /// In the order of addition.
    public private(set) var images: [ImagePlace] = []
    /// In the order of addition.
    public private(set) var responses: [Response] = []
    /// The rows of each prompt with its responses, in the order of addition.
    private(set) var pictures: [Range<Int>] = []

    /// Without rows yet.
    public init() {}

    /// T
    public var rows: Int { tokens.count }

    /// The rows that predict a token of a response, ascending: of each segment none, or some at its end.
    public var scoredRows: [Int] { Set(responses.flatMap(\.predictors)).sorted() }

    /// Adds a prompt with its image and the responses to them; responses are numbered in the order of addition.
    public mutating func append(_ prompt: PromptTokens, image: Int, responses: [[Int32]]) {
        append(prompt, image: image, responses: responses.map { WeightedTokens($0) })
    }

    /// Adds a prompt with its image and the weighted responses to them. A single response is no branch: it has one
    /// segment with its prompt.
    ///
    /// - Parameter image: its place among the batch's images, which counts only where the prompt has image rows
    public mutating func append(_ prompt: PromptTokens, image: Int, responses branches: [WeightedTokens]) {
        let start = rows
        tokens += prompt.tokens
        positions += prompt.positions
        if !prompt.imageRows.isEmpty {
            let places = prompt.imageRows.map { start + $0.lowerBound..<start + $0.upperBound }
            images.append(ImagePlace(image: image, rows: places))
        }
        let prefix = start..<rows
        if branches.count > 1 { segments.append(AttentionSegment(rows: prefix)) }
        for branch in branches {
            let first = rows
            let fed = branch.tokens.dropLast()
            tokens += fed
            positions += (prompt.end..<prompt.end + fed.count).map { RotaryPosition($0) }
            responses.append(
                Response(
                    predictors: [prefix.upperBound - 1] + Array(first..<rows), targets: branch.tokens,
                    weights: branch.weights))
            if branches.count > 1 {
                if first < rows { segments.append(AttentionSegment(rows: first..<rows, prefix: [prefix])) }
            } else {
                segments.append(AttentionSegment(rows: start..<rows))
            }
        }
        pictures.append(start..<rows)
    }
}
