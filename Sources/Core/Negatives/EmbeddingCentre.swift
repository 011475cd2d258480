/// The mean of a gallery's embeddings, from which they can be measured (docs/mining.md, hubs).
///
/// Embeddings often share one large component. Differences of such vectors are ruled by the few pictures that have
/// least of it, so that these few become negatives of nearly every group. Rows less their mean, brought to unit length
/// again, have no common component.
public struct EmbeddingCentre: Sendable {
    /// 1 × d
    public let mean: Matrix<Float>

    /// A mean that was computed before: 1 × d.
    public init(mean: Matrix<Float>) { self.mean = mean }

    /// - Parameters:
    ///   - rows: n × d
    ///   - members: the rows that the mean is over
    public init(of rows: Matrix<Float>, members: [Int]) {
        var sums = [Double](repeating: 0, count: rows.columns)
        for row in members { for c in sums.indices { sums[c] += Double(rows[row, c]) } }
        mean = Matrix(1, rows.columns, sums.map { Float($0 / Double(max(members.count, 1))) })
    }

    /// (x − mean) / ‖x − mean‖ for every row; a row that is the mean becomes 0.
    public func centre(_ rows: Matrix<Float>) {
        for r in 0..<rows.rows {
            Vector.addScaled(-1, mean.base, to: rows.row(r), count: rows.columns)
            let norm = Vector.sumOfSquares(rows.row(r), count: rows.columns).squareRoot()
            Vector.scale(rows.row(r), by: norm > 0 ? Float(1 / norm) : 0, count: rows.columns)
        }
    }
}
