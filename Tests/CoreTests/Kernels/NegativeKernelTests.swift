import Core
import Testing

/// The kernels of mining against the plain loops.
struct NegativeKernelTests {
    @Test(arguments: [1, 7, 8, 19, 128]) func areThePlainLoops(columns: Int) {
        var random = KeyedRandom(2, "negatives", "\(columns)")
        func matrix(_ rows: Int) -> Matrix<Float> {
            Matrix(rows, columns, (0..<rows * columns).map { _ in Float(4 * random.normal()) })
        }
        let (x, y, bias) = (matrix(3), matrix(3), matrix(1))
        let (own, expected) = (x.copied(), x.copied())
        Vector.sigmoid(own, bias: bias.base)
        Plain.sigmoid(expected, bias: bias.base)
        for (a, b) in zip(own.elements, expected.elements) { #expect(abs(a - b) <= 4 * b.ulp) }

        Vector.difference(x.base, y.base, scale: 0.3, into: own.base, count: x.count)
        Plain.difference(x.base, y.base, scale: 0.3, into: expected.base, count: x.count)
        #expect(own.elements == expected.elements)

        let (sum, exact) = (Vector.sum(x.base, count: x.count), Plain.sum(x.base, count: x.count))
        #expect(abs(sum - exact) <= 1e-12 * Plain.sumOfSquares(x.base, count: x.count))
    }
}
