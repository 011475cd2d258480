/// Differences to train on, grouped by prompt: sample i of prompt x is d_i = vec(δ_i h_xᵀ).
///
/// Legend: `n` samples, `p` prompts.
public struct AutoencoderBatch: Sendable {
    /// h of each prompt: p × d_t.
    public let texts: Matrix<Float>
    /// δ of each sample: n × d_v.
    public let differences: Matrix<Float>
    /// Each prompt's samples, in order and without gaps.
    public let samples: [Range<Int>]

    /// - Precondition: a row of texts for each range of samples, and a row of differences for each sample.
    public init(texts: Matrix<Float>, differences: Matrix<Float>, samples: [Range<Int>]) {
        precondition(texts.rows == samples.count && differences.rows == (samples.last?.upperBound ?? 0))
        (self.texts, self.differences, self.samples) = (texts, differences, samples)
    }

    /// n, the samples.
    public var count: Int { differences.rows }

    /// ‖d_i‖² = ‖δ_i‖²·‖h‖²
    var squaredNorms: [Double] {
        var result: [Double] = []
        for (x, range) in samples.enumerated() {
            let text = Vector.sumOfSquares(texts.row(x), count: texts.columns)
            for i in range { result.append(text * Vector.sumOfSquares(differences.row(i), count: differences.columns)) }
        }
        return result
    }
}
