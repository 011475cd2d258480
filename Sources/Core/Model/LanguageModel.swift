/// A LLaMA decoder that scores responses. Rows of a batch are T tokens of all its sequences; V is the vocabulary.
public struct LanguageModel<S: Scalar>: Sendable {
    /// V × C
    public let embedding: Weight<S>
    public var layers: [DecoderLayer<S>]
    public let norm: RMSNorm<S>
    /// V × C; the embedding itself where weights are tied.
    public let head: Weight<S>
    public let headSize: Int
    public let rotaryBase: Double
    /// Whether anything in the layers is trained; otherwise no gradient need pass through them.
    public let isTrained: Bool

    public struct Activations {
        let context: DecoderContext<S>
        let layers: [DecoderLayer<S>.Activations]
        let rows: Int
        package let scores: ResponseScores<S>
    }

    /// Log-probabilities of the layout's responses: sums over their tokens.
    ///
    /// - Parameter inputs: T × C, what stands at each row: token embeddings and image features. Not kept.
    public func forward(_ inputs: Matrix<S>, _ layout: SequenceLayout) -> ([Double], Activations) {
        let context = context(for: layout)
        var x = inputs
        var saved: [DecoderLayer<S>.Activations] = []
        for layer in layers {
            let (y, activations) = layer.forward(x, context)
            saved.append(activations)
            x = y
        }
        let scores = ResponseScores(hidden: x, layout.responses, norm: norm, head: head)
        return (
            scores.logProbabilities, Activations(context: context, layers: saved, rows: layout.rows, scores: scores)
        )
    }

    /// The gradient of Σ coefficient·log-probability over the responses, added to `gradient`; returns the inputs'
    /// gradient where something below is trained.
    public func backward(
        _ coefficients: [Double], _ saved: Activations, _ gradient: Gradient<S>, needsInput: Bool
    ) -> Matrix<S>? {
        let d = Matrix<S>(zeros: saved.rows, embedding.columns)
        saved.scores.backward(coefficients, norm: norm, head: head, gradient, to: d)
        guard needsInput || isTrained else { return nil }
        for index in layers.indices.reversed() {
            layers[index].backward(
                d, saved.layers[index], saved.context, gradient, needsInput: needsInput || index > 0)
        }
        return needsInput ? d : nil
    }

    /// T × C: the embeddings of the layout's tokens; rows of images are left uninitialised.
    public func embed(_ layout: SequenceLayout) -> Matrix<S> {
        let x = Matrix<S>(uninitialized: layout.rows, embedding.columns)
        for (row, token) in layout.tokens.enumerated() { embedding.copyRow(Int(token), into: x.row(row)) }
        return x
    }

    /// Adds rows of the inputs' gradient to the rows of the embedding that they came from.
    public func embedBackward(_ dx: Matrix<S>, _ layout: SequenceLayout, _ gradient: Gradient<S>) {
        guard let d = embedding.gradient(in: gradient) else { return }
        let imageRows = Set(layout.images.flatMap(\.rows))
        for (row, token) in layout.tokens.enumerated() where !imageRows.contains(row) {
            S.add(dx.row(row), to: d.row(Int(token)), count: dx.columns)
        }
    }

    /// cos and sin of position·base^(−2i/D) (Su et al., RoFormer, arXiv 2104.09864, eq. 15), in Double.
    private func context(for layout: SequenceLayout) -> DecoderContext<S> {
        let half = headSize / 2
        let frequencies = (0..<half).map { i in
            Double.exponential(-Double(2 * i) / Double(headSize) * Double.naturalLogarithm(rotaryBase))
        }
        let cosines = Matrix<S>(uninitialized: layout.rows, half)
        let sines = Matrix<S>(uninitialized: layout.rows, half)
        for (row, position) in layout.positions.enumerated() {
            for (i, frequency) in frequencies.enumerated() {
                let angle = Double(position) * frequency
                cosines[row, i] = S(Double.cosine(angle))
                sines[row, i] = S(Double.cosine(angle - .pi / 2))
            }
        }
        return DecoderContext(segments: layout.segments, cosines: cosines, sines: sines)
    }
}

/// The final norm, the head and the log-probabilities, at the rows that predict response tokens and nowhere else.
package struct ResponseScores<S: Scalar> {
    private let rows: [Int]
    private let targets: [Int32]
    /// The response of each scored token.
    private let owners: [Int]
    private let normalized: Matrix<S>
    private let savedNorm: RMSNorm<S>.Activations
    /// n × V for the n scored tokens
    package let logits: Matrix<S>
    private let logSumExp: Matrix<S>
    let logProbabilities: [Double]

    init(hidden: Matrix<S>, _ responses: [SequenceLayout.Response], norm: RMSNorm<S>, head: Weight<S>) {
        rows = responses.flatMap(\.predictors)
        targets = responses.flatMap(\.targets)
        owners = responses.enumerated().flatMap { index, response in response.targets.map { _ in index } }
        (normalized, savedNorm) = norm.forward(hidden.gathered(rows))
        logits = Matrix.product(normalized, transposed: head.matrix)
        logSumExp = Matrix(uninitialized: rows.count, 1)
        let tokens = Matrix<Double>(uninitialized: rows.count, 1)
        S.tokenLogProbability(logits, targets: targets, into: tokens.base, logSumExp: logSumExp.base)
        var sums = [Double](repeating: 0, count: responses.count)
        for (index, owner) in owners.enumerated() { sums[owner] += tokens.base[index] }
        logProbabilities = sums
    }

    /// Adds to the gradients of head and norm, and to `dHidden` at the scored rows. Consumes the logits.
    func backward(
        _ coefficients: [Double], norm: RMSNorm<S>, head: Weight<S>, _ gradient: Gradient<S>, to dHidden: Matrix<S>
    ) {
        S.tokenLogProbabilityBackward(
            logits, targets: targets, logSumExp: logSumExp.base, coefficients: owners.map { coefficients[$0] })
        head.gradient(in: gradient)?.setProduct(logits, transposeA: true, normalized, keep: 1)
        let dNormalized = Matrix<S>.product(logits, head.matrix)
        let d = Matrix<S>(zeros: rows.count, dHidden.columns)
        norm.backward(dNormalized, savedNorm, gradient, to: d)
        dHidden.addRows(d, at: rows)
    }
}
