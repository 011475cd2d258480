/// A request's next token cannot be chosen, as its logits are not all finite.
public struct NonFiniteLogits: Error {
    /// The request's.
    public let key: String
    /// Of the answer, from 1.
    public let token: Int
}

/// Answers of a vision-language model, token by token.
public struct Generator<A: Arithmetic> {
    /// A prompt with its picture's features.
    public struct Request {
        /// Names the sequence to the sampler.
        public let key: String
        /// Its tokens, with the rows that the features take.
        public let prompt: PromptTokens
        /// A row of the language model for each of the prompt's image rows; nil for a prompt without a picture.
        public let features: Matrix<A.Element>?
        /// Tokens of its answer at the most; nil: as many as the generator allows.
        public var limit: Int?

        /// As many features as the prompt has image rows. The same key gives the same draws.
        public init(key: String, prompt: PromptTokens, features: Matrix<A.Element>?, limit: Int? = nil) {
            self.key = key
            self.limit = limit
            self.prompt = prompt
            self.features = features
        }
    }

    private struct Sequence {
        let index: Int
        let key: String
        let cache: KeyValueCache<A.Element>
        let limit: Int
        var history: TokenHistory
    }

    /// Rows that a sequence's cache has room for at once, beyond its prompt; it grows with the answer.
    private static var cachedRows: Int { 256 }

    private let model: VisionLanguageModel<A>
    private let sampler: TokenSampler
    private let constraints: TokenConstraints
    private let stops: Set<Int32>
    private let limit: Int
    private let threads: Int

    /// - Parameters:
    ///   - stops: tokens that end an answer and are not part of it
    ///   - limit: tokens of an answer at the most
    ///   - threads: of this process; no answer depends on their number
    public init(
        _ model: VisionLanguageModel<A>, sampler: TokenSampler, constraints: TokenConstraints = TokenConstraints(),
        stops: Set<Int32>, limit: Int, threads: Int = 1
    ) {
        self.model = model
        self.threads = threads
        self.sampler = sampler
        self.constraints = constraints
        self.stops = stops
        self.limit = limit
    }

    /// Answers the requests together, each as if it were alone.
    ///
    /// - Parameter tell: called with a request's index and its next token as soon as that is known
    /// - Throws: `NonFiniteLogits`, and what `tell` throws
    public func answers(
        _ requests: [Request], tell: (Int, Int32) throws -> Void = { _, _ in }
    ) throws -> [[Int32]] {
        var answers = [[Int32]](repeating: [], count: requests.count)
        guard requests.allSatisfy({ ($0.limit ?? limit) > 0 }), !requests.isEmpty else { return answers }
        let (inputs, first) = prompts(requests)
        var running = first.map(\.sequence)
        var logits = model.language.decode(inputs, first.map(\.place), threads: threads)
        while true {
            for row in running.indices {
                guard A.sum(logits.row(row), count: logits.columns).isFinite else {
                    throw NonFiniteLogits(key: running[row].key, token: running[row].history.answer.count + 1)
                }
                let next = choose(logits.row(row), logits.columns, running[row])
                running[row].history.append(next)
            }
            for sequence in running {
                guard let token = sequence.history.answer.last, !stops.contains(token) else { continue }
                answers[sequence.index].append(token)
                try tell(sequence.index, token)
            }
            running.removeAll { one in
                let answer = one.history.answer
                return answer.count == one.limit || answer.last.map(stops.contains) ?? false
            }
            if running.isEmpty { return answers }
            logits = model.language.decode(
                model.language.embed(running.compactMap(\.history.answer.last)),
                running.enumerated().map { .init(rows: $0..<$0 + 1, cache: $1.cache) }, threads: threads)
        }
    }

    private func choose(_ logits: A.Pointer, _ count: Int, _ sequence: Sequence) -> Int32 {
        if sampler.temperature == 0, constraints.changesNothing {
            return Int32(A.firstLargest(logits, count: count))
        }
        var floats = UnsafeBufferPointer(start: logits, count: count).map { Float($0) }
        constraints.apply(to: &floats, sequence.history)
        return sampler.next(floats, key: sequence.key, step: sequence.history.answer.count)
    }

    /// All prompts row under row.
    private func prompts(
        _ requests: [Request]
    ) -> (Matrix<A.Element>, [(sequence: Sequence, place: LanguageModel<A>.Continuation)]) {
        let tokens = requests.flatMap(\.prompt.tokens)
        let inputs = model.language.embed(tokens)
        var start = 0
        let places = requests.enumerated().map { index, request in
            let rows = start..<start + request.prompt.tokens.count
            start = rows.upperBound
            if let features = request.features {
                var filled = 0
                for place in request.prompt.imageRows {
                    inputs.rows(rows.lowerBound + place.lowerBound..<rows.lowerBound + place.upperBound)
                        .copyElements(of: features.rows(filled..<filled + place.count))
                    filled += place.count
                }
            }
            let limit = request.limit ?? limit
            let cache = model.language.makeCache(capacity: rows.count + min(limit, Self.cachedRows))
            let sequence = Sequence(
                index: index, key: request.key, cache: cache, limit: limit,
                history: TokenHistory(prompt: request.prompt.tokens))
            return (sequence, LanguageModel<A>.Continuation(rows: rows, of: request.prompt, cache: cache))
        }
        return (inputs, places)
    }
}
