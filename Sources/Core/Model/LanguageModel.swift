/// A LLaMA decoder that scores responses. Rows of a batch are T tokens of all its sequences; V is the vocabulary.
public struct LanguageModel<A: Arithmetic>: Sendable {
    /// V × C
    public let embedding: Weight<A.Element>
    /// From the embedding up.
    public var layers: [DecoderLayer<A>]
    /// Between the last layer and the head.
    public let norm: RMSNorm<A>
    /// V × C; the embedding itself where weights are tied.
    public let head: Weight<A.Element>
    /// D
    public let headSize: Int
    /// Base of the angles: position·base^(−2i/D).
    public let rotaryBase: Double
    /// Of each of the D/2 angles, the place among a row's three positions that it goes by; nil: the first, always.
    public let rotaryAxes: [Int]?
    /// Whether anything in the layers is trained; otherwise no gradient need pass through them.
    public let isTrained: Bool

    /// What `backward` needs.
    public struct Activations {
        /// By layer.
        let contexts: [DecoderContext<A.Element>]
        let layers: [LayerPass<A.Element, DecoderLayer<A>.Activations>]
        /// What the layout's responses were given, token by token.
        public let scores: ResponseScores<A>
    }

    /// Log-probabilities of the layout's responses: sums over their tokens.
    ///
    /// - Parameters:
    ///   - inputs: T × C, what stands at each row: token embeddings and image features. Must not change before the
    ///     backward pass.
    ///   - keeping: what stays for the backward pass
    ///   - dropout: before the adapters; nil: none
    public func forward(
        _ inputs: Matrix<A.Element>, _ layout: SequenceLayout, keeping: Keeping = .everything, dropout: Dropout? = nil
    ) -> ([Double], Activations) {
        let contexts = contexts(for: layout, dropout)
        var x = inputs
        var saved: [LayerPass<A.Element, DecoderLayer<A>.Activations>] = []
        for (index, context) in contexts.enumerated() {
            // The last layer is the first on the way back: what it needs may as well stay, as nothing else is there.
            let isLast = index == layers.count - 1
            let pass = LayerPass.forward(x, keeping: isLast ? keeping.ofLastLayer : keeping) {
                layers[index].forward($0, context)
            }
            saved.append(pass.1)
            x = pass.0
        }
        let scores = ResponseScores(
            hidden: x, of: layout.scoredRows, layout.responses, norm: norm, head: head)
        return (scores.logProbabilities, Activations(contexts: contexts, layers: saved, scores: scores))
    }

    /// The gradient of Σ coefficient·log-probability over the responses, and of the divergence, added to `gradient`;
    /// returns the inputs' gradient where something below is trained.
    public func backward(
        _ coefficients: [Double], _ saved: Activations, _ gradient: Gradient<A.Element>, needsInput: Bool,
        divergence: Divergence<A>? = nil
    ) -> Matrix<A.Element>? {
        var d: Matrix<A.Element>? = saved.scores.backward(coefficients, divergence, norm: norm, head: head, gradient)
        guard needsInput || isTrained else { return nil }
        for index in layers.indices.reversed() {
            guard let dy = d else { return nil }
            let context = saved.contexts[index]
            let activations = saved.layers[index].activations { layers[index].forward($0, context) }
            d = layers[index].backward(dy, activations, context, gradient, needsInput: needsInput || index > 0)
        }
        return d
    }

    /// T × C: the embeddings of the layout's tokens; rows of images are left uninitialised.
    public func embed(_ layout: SequenceLayout) -> Matrix<A.Element> { embed(layout.tokens) }

    /// T × C
    package func embed(_ tokens: [Int32]) -> Matrix<A.Element> {
        let x = Matrix<A.Element>(uninitialized: tokens.count, embedding.columns)
        // A picture's token may lie behind the vocabulary: its rows are filled with features.
        for (row, token) in tokens.enumerated() where Int(token) < embedding.rows {
            embedding.copyRow(Int(token), into: x.row(row))
        }
        return x
    }

    /// Adds rows of the inputs' gradient to the rows of the embedding that they came from.
    public func embedBackward(_ dx: Matrix<A.Element>, _ layout: SequenceLayout, _ gradient: Gradient<A.Element>) {
        guard let d = embedding.gradient(in: gradient) else { return }
        let imageRows = Set(layout.images.flatMap { $0.rows.flatMap { $0 } })
        for (row, token) in layout.tokens.enumerated() where !imageRows.contains(row) {
            A.add(dx.row(row), to: d.row(Int(token)), count: dx.columns)
        }
    }

    /// Of each layer. Nothing but keys and values is asked of the last one at rows that score nothing.
    private func contexts(for layout: SequenceLayout, _ dropout: Dropout?) -> [DecoderContext<A.Element>] {
        let (cosines, sines) = angles(layout.positions)
        let whole = DecoderContext(
            segments: layout.segments, cosines: cosines, sines: sines, dropout: dropout?.rows(layout))
        let last = DecoderContext(whole, keeping: layout.scoredRows)
        return layers.indices.map { $0 == layers.count - 1 ? last : whole }
    }

    /// cos and sin of position·base^(−2i/D) (Su et al., RoFormer, arXiv 2104.09864, eq. 15), in Double: T × D/2
    /// each. Which of a row's three positions angle i goes by is in the sections (M-RoPE: Wang et al., Qwen2-VL, arXiv
    /// 2409.12191, §2.1).
    func angles(_ positions: [RotaryPosition]) -> (cosines: Matrix<A.Element>, sines: Matrix<A.Element>) {
        let half = headSize / 2
        let frequencies = (0..<half).map { i in
            Double.exponential(-Double(2 * i) / Double(headSize) * Double.naturalLogarithm(rotaryBase))
        }
        let cosines = Matrix<A.Element>(uninitialized: positions.count, half)
        let sines = Matrix<A.Element>(uninitialized: positions.count, half)
        for (row, position) in positions.enumerated() {
            let places = [position.time, position.height, position.width]
            for (i, frequency) in frequencies.enumerated() {
                let angle = Double(places[rotaryAxes?[i] ?? 0]) * frequency
                cosines[row, i] = A.Element(Double.cosine(angle))
                sines[row, i] = A.Element(Double.cosine(angle - .pi / 2))
            }
        }
        return (cosines, sines)
    }
}
