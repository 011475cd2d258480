/// The final norm, the head and the log-probabilities, at the n rows that predict response tokens and nowhere else.
public struct ResponseScores<A: Arithmetic> {
    /// Of each scored token, the hidden row that predicts it.
    private let rows: [Int]
    private let hiddenRows: Int
    private let targets: [Int32]
    /// The response of each scored token, and what its log-probability counts for in the response's.
    private let owners: [Int]
    private let weights: [Double]
    private let normalized: Matrix<A.Element>
    private let savedNorm: RMSNorm<A>.Activations
    /// n × V
    package let logits: Matrix<A.Element>
    /// n × 1
    private let logSumExp: Matrix<A.Element>
    /// Σ_t weight_t·log p(target_t) of each response.
    let logProbabilities: [Double]

    /// - Parameters:
    ///   - hidden: a row for each row of the layout that predicts something
    ///   - scoredRows: which rows these are, ascending
    init(
        hidden: Matrix<A.Element>, of scoredRows: [Int], _ responses: [SequenceLayout.Response], norm: RMSNorm<A>,
        head: Weight<A.Element>
    ) {
        let places = Dictionary(uniqueKeysWithValues: scoredRows.enumerated().map { ($1, $0) })
        rows = responses.flatMap(\.predictors).compactMap { places[$0] }
        hiddenRows = hidden.rows
        targets = responses.flatMap(\.targets)
        owners = responses.enumerated().flatMap { index, response in response.targets.map { _ in index } }
        weights = responses.flatMap(\.weights)
        (normalized, savedNorm) = norm.forward(hidden.gathered(rows))
        logits = Matrix(uninitialized: rows.count, head.rows)
        A.setSum(logits, [ProductTerm(normalized, head.factor, transposeB: true)])
        logSumExp = Matrix(uninitialized: rows.count, 1)
        let tokens = Matrix<Double>(uninitialized: rows.count, 1)
        A.tokenLogProbability(logits, targets: targets, into: tokens.base, logSumExp: logSumExp.base)
        var sums = [Double](repeating: 0, count: responses.count)
        for (index, owner) in owners.enumerated() { sums[owner] += weights[index] * tokens.base[index] }
        logProbabilities = sums
    }

    /// Adds to the gradients of head and norm; returns that of the hidden rows. Consumes the logits, those of the
    /// divergence's reference too.
    func backward(
        _ coefficients: [Double], _ divergence: Divergence<A>?, norm: RMSNorm<A>, head: Weight<A.Element>,
        _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element> {
        if let divergence { differentiate(divergence) }
        A.tokenLogProbabilityBackward(
            logits, targets: targets, logSumExp: logSumExp.base,
            coefficients: zip(owners, weights).map { coefficients[$0] * $1 })
        if let divergence {
            let reference = divergence.reference
            A.add(reference.logits, to: logits.rows(0..<reference.rows.count))
        }
        if let dHead = head.gradient(in: gradient) {
            A.setProduct(dHead, logits, transposeA: true, normalized, keep: 1)
        }
        let dNormalized = Matrix<A.Element>(uninitialized: rows.count, head.columns)
        A.setSum(dNormalized, [ProductTerm(logits, head.factor)])
        let d = Matrix<A.Element>(zeros: rows.count, head.columns)
        norm.backward(dNormalized, savedNorm, gradient, to: d)
        let dHidden = Matrix<A.Element>(zeros: hiddenRows, head.columns)
        A.addRows(d, to: dHidden, at: rows)
        return dHidden
    }
}

/// Σ_t KL(π_ref‖π_θ) over the tokens of a response, as a term of a loss: one coefficient per response.
public struct Divergence<A: Arithmetic> {
    /// Another model's scores of the same responses, which come first among those that it is compared with.
    public let reference: ResponseScores<A>
    /// The weight of each response's divergence in the loss.
    public let coefficients: [Double]

    /// One coefficient for each of the reference's responses.
    public init(from reference: ResponseScores<A>, coefficients: [Double]) {
        self.reference = reference
        self.coefficients = coefficients
    }
}

extension ResponseScores {
    /// Σ_t KL(π_ref(·|t)‖π_θ(·|t)) for each response of the reference, unweighted (docs/method.md, CHiP).
    public func divergences(from reference: ResponseScores) -> [Double] {
        let tokens = Matrix<Double>(uninitialized: reference.rows.count, 1)
        A.tokenDivergence(
            logits.rows(0..<tokens.rows), logSumExp: logSumExp.base, reference: reference.logits,
            referenceLogSumExp: reference.logSumExp.base, into: tokens.base)
        var sums = [Double](repeating: 0, count: reference.logProbabilities.count)
        for (index, owner) in reference.owners.enumerated() { sums[owner] += tokens.base[index] }
        return sums
    }

    /// Leaves in the reference's logits the gradient by these logits.
    private func differentiate(_ divergence: Divergence<A>) {
        let reference = divergence.reference
        A.tokenDivergenceBackward(
            logits.rows(0..<reference.rows.count), logSumExp: logSumExp.base, reference: reference.logits,
            referenceLogSumExp: reference.logSumExp.base,
            coefficients: reference.owners.map { divergence.coefficients[$0] })
    }
}
