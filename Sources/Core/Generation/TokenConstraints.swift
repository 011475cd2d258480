/// The tokens of a prompt and of its answer so far.
public struct TokenHistory: Sendable {
    /// Every row of the prompt, a picture's placeholders included.
    public let prompt: [Int32]
    /// The tokens chosen so far.
    public private(set) var answer: [Int32] = []
    private(set) var seen: Set<Int32>

    /// Nothing is answered yet.
    public init(prompt: [Int32]) {
        self.prompt = prompt
        seen = Set(prompt)
    }

    /// Adds a token to the answer.
    public mutating func append(_ token: Int32) {
        answer.append(token)
        seen.insert(token)
    }

    var count: Int { prompt.count + answer.count }
}

/// What changes the logits before a token is chosen: transformers' logits processors, in their order.
public struct TokenConstraints: Sendable, Equatable {
    /// Logits of tokens that occurred, in the prompt too, are divided by it where positive, multiplied where negative.
    public var repetitionPenalty: Double
    /// no_repeat_ngram_size: so many tokens in a row occur once, the prompt included; 0 for any.
    public var noRepeatSize = 0
    /// min_length: tokens that prompt and answer have together before the answer may end.
    public var leastLength = 0
    /// min_new_tokens: tokens that the answer has before it may end.
    public var leastNew = 0
    /// Tokens that end an answer.
    public var ends: Set<Int32> = []
    /// suppress_tokens: never chosen.
    public var suppressed: [Int32] = []
    /// begin_suppress_tokens: not an answer's first token.
    public var suppressedFirst: [Int32] = []

    /// Unless told otherwise, nothing changes.
    public init(repetitionPenalty: Double = 1) { self.repetitionPenalty = repetitionPenalty }

    var changesNothing: Bool {
        var neutral = TokenConstraints()
        neutral.ends = ends
        return self == neutral
    }

    /// - Parameter logits: V values
    public func apply(to logits: inout [Float], _ history: TokenHistory) {
        if repetitionPenalty != 1 {
            let penalty = Float(repetitionPenalty)
            for token in history.seen where logits.indices.contains(Int(token)) {
                let value = logits[Int(token)]
                logits[Int(token)] = value < 0 ? value * penalty : value / penalty
            }
        }
        func suppress(_ tokens: some Sequence<Int32>) {
            for token in tokens where logits.indices.contains(Int(token)) { logits[Int(token)] = -.infinity }
        }
        if noRepeatSize > 0 { suppress(repeated(history.prompt + history.answer)) }
        if history.count < leastLength || history.answer.count < leastNew { suppress(ends) }
        suppress(suppressed)
        if history.answer.isEmpty { suppress(suppressedFirst) }
    }

    /// What followed earlier occurrences of the last tokens.
    private func repeated(_ tokens: [Int32]) -> [Int32] {
        guard tokens.count + 1 >= noRepeatSize else { return [] }
        let tail = tokens.suffix(noRepeatSize - 1)
        return (0..<max(0, tokens.count + 1 - noRepeatSize)).compactMap { start in
            let end = start + noRepeatSize - 1
            return tokens[start..<end].elementsEqual(tail) ? tokens[end] : nil
        }
    }
}
