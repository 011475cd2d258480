extension LanguageModel {
    /// The next rows of one sequence, as they stand among the rows of a batch.
    public struct Continuation: Sendable {
        /// Rows of the batch.
        public let rows: Range<Int>
        /// The sequence's earlier rows, to which these are added.
        public let cache: KeyValueCache<A.Element>
        /// Of each row, for the rotary angles.
        let positions: [RotaryPosition]
        /// The position of the row that follows them.
        let end: Int

        /// A sequence's first rows. No two continuations of a batch share rows or a cache.
        public init(rows: Range<Int>, of prompt: PromptTokens, cache: KeyValueCache<A.Element>) {
            self.rows = rows
            self.cache = cache
            (positions, end) = (prompt.positions, prompt.end)
        }

        /// Rows of text behind those in the cache.
        public init(rows: Range<Int>, cache: KeyValueCache<A.Element>) {
            self.rows = rows
            self.cache = cache
            end = cache.position + rows.count
            positions = (cache.position..<end).map { RotaryPosition($0) }
        }
    }

    /// An empty cache for a sequence of this model, with room for `capacity` rows before it grows.
    public func makeCache(capacity: Int) -> KeyValueCache<A.Element> {
        let attention = layers.first?.attention.attention
        return KeyValueCache(
            layers: layers.count, width: (attention?.keyHeads ?? 0) * headSize, capacity: capacity)
    }

    /// Logits of what follows each sequence's last row: B × V. The caches take up the rows.
    ///
    /// - Parameters:
    ///   - inputs: T × C, embeddings of the next rows of B sequences: whole prompts, or a token each
    ///   - continuations: where each sequence's rows stand, and what came before them
    ///   - threads: of this process; no bit depends on their number
    public func decode(
        _ inputs: Matrix<A.Element>, _ continuations: [Continuation], threads: Int = 1
    ) -> Matrix<A.Element> {
        let (cosines, sines) = angles(continuations.flatMap(\.positions))
        let context = DecoderContext(segments: [], cosines: cosines, sines: sines)
        for one in continuations { one.cache.reserve(one.rows.count) }
        var x = inputs
        for (index, layer) in layers.enumerated() { x = layer.decode(x, context, continuations, layer: index, threads) }
        for one in continuations { one.cache.advance(one.rows.count, to: one.end) }
        let last = x.gathered(continuations.map { $0.rows.upperBound - 1 })
        return Linear<A>.products(norm.forward(last).0, [head], threads)[0]
    }
}

extension DecoderLayer {
    /// As `forward`, with the keys and values of earlier rows from the caches.
    func decode(
        _ x: Matrix<A.Element>, _ context: DecoderContext<A.Element>, _ continuations: [LanguageModel<A>.Continuation],
        layer: Int,
        _ threads: Int
    ) -> Matrix<A.Element> {
        let h = attention.decode(attentionNorm.forward(x).0, context, continuations, layer: layer, threads)
        A.add(x, to: h)
        let y = network.decode(networkNorm.forward(h).0, threads)
        A.add(h, to: y)
        return y
    }
}

extension RotaryAttention {
    func decode(
        _ x: Matrix<A.Element>, _ context: DecoderContext<A.Element>, _ continuations: [LanguageModel<A>.Continuation],
        layer: Int,
        _ threads: Int
    ) -> Matrix<A.Element> {
        let projected = Linear.decode([query, key, value], x, threads)
        let (q, k, v) = (projected[0], projected[1], projected[2])
        rotate(q, k, context, inverse: false)
        let mixed = Matrix<A.Element>(uninitialized: q.rows, q.columns)
        Parallel.forEach(continuations.count, threads: threads) { index in
            let one = continuations[index]
            let (keys, values) = one.cache.store(k.rows(one.rows), v.rows(one.rows), layer: layer)
            attention.decode(q: q.rows(one.rows), k: keys, v: values, into: mixed.rows(one.rows))
        }
        return Linear.decode([output], mixed, threads)[0]
    }
}

extension GatedNetwork {
    func decode(_ x: Matrix<A.Element>, _ threads: Int) -> Matrix<A.Element> {
        let inner = Linear.decode([gate, up], x, threads)
        let product = Matrix<A.Element>(uninitialized: x.rows, inner[0].columns)
        A.swiGLU(gate: inner[0], up: inner[1], into: product)
        return Linear.decode([down], product, threads)[0]
    }
}
