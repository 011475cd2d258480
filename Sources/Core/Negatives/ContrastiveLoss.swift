#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// CLIP's symmetric loss over a batch of pictures and their texts (Radford et al., arXiv 2103.00020, figure 3).
///
/// With unit vectors uᵢ of the pictures and tⱼ of the texts and logits L = s·u tᵀ, each picture is to find its
/// own text and each text its own picture: ℓ = −1/(2B)·Σᵢ (log softmaxⱼ L_ij at j = i + log softmaxⱼ L_ji
/// at j = i).
public struct ContrastiveLoss: Sendable {
    /// s at the most, as CLIP's authors have it (§2.5), and its logarithm.
    public static let largestScale = 100.0
    static let largestLogScale = log(largestScale)

    /// ℓ
    public let loss: Double
    /// The share of pictures whose own text is the likeliest of the batch.
    public let accuracy: Double
    /// ∂ℓ/∂ of the embeddings as given, not of their unit vectors: B × P each.
    public let images, texts: Matrix<Double>
    /// ∂ℓ/∂(log s); never one that would raise s beyond its limit.
    public let logScale: Double

    /// - Parameters:
    ///   - images: embeddings of any length, B × P
    ///   - texts: of the texts that belong to them, row by row
    ///   - logScale: log s
    public init(images: Matrix<Double>, texts: Matrix<Double>, logScale: Double) {
        let scale = min(exp(logScale), Self.largestScale)
        let (u, imageLengths) = Self.units(images)
        let (t, textLengths) = Self.units(texts)
        let size = images.rows
        let logits = Matrix<Double>(uninitialized: size, size)
        DoublePrecision.setProduct(logits, u, t, transposeB: true, scale: scale)
        let d = Matrix<Double>(zeros: size, size)
        var (loss, right) = (0.0, 0)
        for i in 0..<size {
            let byText = Self.logSoftmax((0..<size).map { logits[i, $0] })
            let byImage = Self.logSoftmax((0..<size).map { logits[$0, i] })
            loss -= byText[i] + byImage[i]
            if byText.allSatisfy({ $0 <= byText[i] }) { right += 1 }
            for j in 0..<size {
                d[i, j] += exp(byText[j]) / Double(2 * size)
                d[j, i] += exp(byImage[j]) / Double(2 * size)
            }
            d[i, i] -= 1 / Double(size)
        }
        self.loss = loss / Double(2 * size)
        accuracy = Double(right) / Double(size)
        let slope = zip(d.elements, logits.elements).reduce(0) { $0 + $1.0 * $1.1 }
        self.logScale = logScale >= Self.largestLogScale ? max(slope, 0) : slope
        let (dU, dT) = (
            Matrix<Double>(uninitialized: size, images.columns), Matrix<Double>(uninitialized: size, images.columns)
        )
        DoublePrecision.setProduct(dU, d, t, scale: scale)
        DoublePrecision.setProduct(dT, d, transposeA: true, u, scale: scale)
        self.images = Self.throughUnits(dU, u, imageLengths)
        self.texts = Self.throughUnits(dT, t, textLengths)
    }

    private static func logSoftmax(_ logits: [Double]) -> [Double] {
        let largest = logits.max() ?? 0
        let sum = log(logits.reduce(0) { $0 + exp($1 - largest) }) + largest
        return logits.map { $0 - sum }
    }

    /// y = x/‖x‖ row by row, and ‖x‖; a row of zeros stays.
    private static func units(_ x: Matrix<Double>) -> (Matrix<Double>, [Double]) {
        let y = x.copied()
        let lengths = (0..<x.rows).map { DoublePrecision.sumOfSquares(x.row($0), count: x.columns).squareRoot() }
        for (row, length) in lengths.enumerated() where length > 0 {
            DoublePrecision.scale(y.row(row), by: 1 / length, count: x.columns)
        }
        return (y, lengths)
    }

    /// dx = (dy − y·(y·dy))/‖x‖
    private static func throughUnits(
        _ dy: Matrix<Double>, _ y: Matrix<Double>, _ lengths: [Double]
    ) -> Matrix<Double> {
        let dx = dy.copied()
        for (row, length) in lengths.enumerated() where length > 0 {
            let along = (0..<y.columns).reduce(0) { $0 + y[row, $1] * dy[row, $1] }
            DoublePrecision.addScaled(-along, y.row(row), to: dx.row(row), count: y.columns)
            DoublePrecision.scale(dx.row(row), by: 1 / length, count: y.columns)
        }
        return dx
    }
}
