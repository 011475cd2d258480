/// The two directions in which rows spread most, for a map of them (principal component analysis).
public struct PrincipalPlane: Sendable {
    let mean: [Double]
    /// Orthonormal; the sign of each is such that its entry of greatest magnitude is positive.
    let axes: [[Double]]
    /// Of the whole variance, the share along each axis.
    public let shares: [Double]

    /// - Parameter rows: n × C
    public init(_ rows: Matrix<Float>) {
        let (n, width) = (rows.rows, rows.columns)
        let sums = Matrix<Float>(zeros: 1, width)
        Vector.addColumnSums(of: rows, to: sums.base)
        let mean = sums.elements.map { Double($0) / Double(max(n, 1)) }
        let centred = rows.copied()
        Vector.addBias(Matrix<Float>(1, width, mean.map { Float(-$0) }).base, to: centred)
        let products = Matrix<Float>(uninitialized: width, width)
        Vector.setProduct(products, centred, transposeA: true, centred)
        let covariance = Matrix<Double>(width, width, products.elements.map { Double($0) / Double(max(n, 1)) })
        let total = (0..<width).reduce(0) { $0 + covariance[$1, $1] }
        (axes, shares) = Self.leading(covariance, total)
        self.mean = mean
    }

    /// Power iteration, the second axis kept at right angles to the first.
    private static func leading(_ covariance: Matrix<Double>, _ total: Double) -> ([[Double]], [Double]) {
        let width = covariance.rows
        var (axes, shares) = ([[Double]](), [Double]())
        for index in 0..<2 {
            var random = KeyedRandom(0, "principal", String(index))
            var axis = (0..<width).map { _ in random.normal() }
            var variance = 0.0
            for _ in 0..<300 {
                // One sum after the other: a library's would depend on its threads. The matrix is symmetric.
                var next = (0..<width).map { row in
                    let factors = covariance.row(row)
                    return (0..<width).reduce(0) { $0 + factors[$1] * axis[$1] }
                }
                for earlier in axes {
                    let along = dot(next, earlier)
                    for c in 0..<width { next[c] -= along * earlier[c] }
                }
                variance = dot(next, next).squareRoot()
                guard variance > 1e-12 * max(total, .leastNormalMagnitude) else { break }
                axis = next.map { $0 / variance }
            }
            let norm = max(dot(axis, axis).squareRoot(), .leastNormalMagnitude)
            let leading = axis.max { abs($0) < abs($1) } ?? 1
            axes.append(axis.map { $0 / (leading < 0 ? -norm : norm) })
            shares.append(total > 0 ? variance / total : 0)
        }
        return (axes, shares)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    /// Coordinates of a row of C numbers.
    public func place(_ row: UnsafeMutablePointer<Float>) -> (x: Double, y: Double) {
        let centred = mean.indices.map { Double(row[$0]) - mean[$0] }
        return (Self.dot(centred, axes[0]), Self.dot(centred, axes[1]))
    }
}
