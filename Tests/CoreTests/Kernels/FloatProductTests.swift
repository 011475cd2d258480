import Core
import Foundation
import TestSupport
import Testing

/// Our own matrix products beside BLAS's in Double, with every kernel that the processor has.
@Suite struct FloatProductTests {
    /// The kernels of a precision.
    private static func products(_ precision: Precision) -> [FloatProduct] {
        switch precision {
        case .float32: ["AVX-512", "AVX2"].compactMap { FloatProduct($0) }
        case .bfloat16: ["AVX512-BF16", "AVX-512", "AVX2"].compactMap { BFloat16.product($0) }
        }
    }

    /// op(a) · op(b) in Double of the inputs as the precision has them, plus what stood there.
    private func exact(
        _ terms: [ProductTerm<Float>], onto c: Matrix<Float>, keep: Double, _ precision: Precision
    ) -> Matrix<Double> {
        func input(_ x: Matrix<Float>) -> Matrix<Double> {
            doubled(precision == .float32 ? x.copied() : rounded(x))
        }
        let result = doubled(c)
        var keep = keep
        for term in terms {
            guard case .matrix(let b) = term.b else { continue }
            DoublePrecision.setProduct(
                result, input(term.a), transposeA: term.transposeA, input(b), transposeB: term.transposeB,
                scale: Double(term.scale), keep: keep)
            keep = 1
        }
        return result
    }

    /// The upper halves, rounded by adding half a unit, or one less before an even number.
    private func rounded(_ x: Matrix<Float>) -> Matrix<Float> {
        let y = x.copied()
        for i in 0..<y.count {
            let bits = y.base[i].bitPattern
            y.base[i] = Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
        }
        return y
    }

    /// A term of the shape, whose factors are views of larger matrices.
    private func term(
        _ numbers: inout SeededNumbers, _ shape: (m: Int, n: Int, k: Int), _ transposeA: Bool, _ transposeB: Bool,
        scale: Float = 1
    ) -> ProductTerm<Float> {
        func view(_ rows: Int, _ columns: Int) -> Matrix<Float> {
            numbers.matrix(rows + 1, columns + 3).rows(1..<rows + 1).columns(2..<columns + 2)
        }
        let a = transposeA ? view(shape.k, shape.m) : view(shape.m, shape.k)
        let b = transposeB ? view(shape.n, shape.k) : view(shape.k, shape.n)
        return ProductTerm(a, transposeA: transposeA, b, transposeB: transposeB, scale: scale)
    }

    private static let shapes: [(m: Int, n: Int, k: Int)] = [
        (2, 1, 1), (3, 5, 7), (12, 32, 8), (13, 33, 9), (6, 16, 577), (7, 17, 64), (25, 100, 65), (16, 200, 130),
        (64, 70, 70), (65, 40, 300), (129, 193, 600), (96, 16, 700), (40, 400, 40), (11, 48, 1200),
    ]

    private static let turns = [(false, false), (false, true), (true, false), (true, true)]

    @Test(arguments: Precision.allCases, turns)
    func equalsBLAS(precision: Precision, turns: (a: Bool, b: Bool)) throws {
        let products = Self.products(precision)
        try #require(!products.isEmpty)
        var numbers = SeededNumbers(state: 3)
        for shape in Self.shapes {
            let term = term(&numbers, shape, turns.a, turns.b, scale: 0.75)
            for keep: Float in [0, 1, -0.5] {
                let before = numbers.matrix(shape.m, shape.n)
                let expected = exact([term], onto: before, keep: Double(keep), precision)
                for product in products {
                    let wide = Matrix<Float>(zeros: shape.m, shape.n + 5)
                    wide.setZero()
                    let c = wide.columns(1..<shape.n + 1)
                    c.copyElements(of: before)
                    if keep == 0 { c.base[0] = .nan }
                    product.setSum(c, [term], keep: keep)
                    #expect(difference(c.copied(), expected) < 3e-5, "\(product.name) \(shape) \(keep)")
                    // Nothing beside the product is touched.
                    for row in 0..<shape.m {
                        #expect(wide[row, 0] == 0 && (shape.n + 1..<shape.n + 5).allSatisfy { wide[row, $0] == 0 })
                    }
                }
            }
        }
    }

    @Test(arguments: Precision.allCases) func sumsOfTerms(precision: Precision) throws {
        var numbers = SeededNumbers(state: 4)
        for (m, n) in [(2, 3), (100, 200), (344, 97)] {
            let terms = [
                term(&numbers, (m, n, 576), false, true), term(&numbers, (m, n, 16), false, false, scale: 2),
                term(&numbers, (m, n, 1300), false, true, scale: -1), term(&numbers, (m, n, 5), false, true),
            ]
            let before = numbers.matrix(m, n)
            let expected = exact(terms, onto: before, keep: 1, precision)
            for product in Self.products(precision) {
                let c = before.copied()
                product.setSum(c, terms, keep: 1)
                #expect(difference(c, expected) < 3e-5, "\(product.name) \(m) × \(n)")
            }
        }
    }

    /// An element's bits depend on its row of a and its column of b alone, not on the kernel.
    @Test(arguments: Precision.allCases, turns)
    func bitsDependOnNothingElse(precision: Precision, turns: (a: Bool, b: Bool)) throws {
        let products = Self.products(precision)
        let first = try #require(products.first)
        var numbers = SeededNumbers(state: 5)
        let whole = term(&numbers, (150, 130, 1301), turns.a, turns.b)
        let expected = Matrix<Float>(zeros: 150, 130)
        first.setSum(expected, [whole], keep: 0)
        for product in products {
            for threads in [1, 2, 3] {
                let c = Matrix<Float>(zeros: 150, 130)
                product.setSum(c, [whole], keep: 0, threads: threads)
                #expect(sameBits(c, expected), "\(product.name), \(threads) threads")
            }
        }
        let rows = 31..<31 + 77
        var part = whole
        part.a = turns.a ? whole.a.columns(rows) : whole.a.rows(rows)
        let c = Matrix<Float>(zeros: rows.count, 130)
        first.setSum(c, [part], keep: 0)
        #expect(sameBits(c, expected.rows(rows).copied()))
    }

    /// The upper halves of the numbers, as a file's tensor.
    private func brainFloats(_ matrix: Matrix<Float>, in url: URL) throws -> StoredTensor {
        let halves = matrix.elements.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }
        let shape = "[\(matrix.rows),\(matrix.columns)]"
        let header = #"{"b":{"dtype":"BF16","shape":\#(shape),"data_offsets":[0,\#(2 * halves.count)]}}"#
        var data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8)
        halves.withUnsafeBytes { data.append(contentsOf: $0) }
        try data.write(to: url)
        return try #require(SafetensorsFile(contentsOf: url).tensors["b"])
    }

    /// The threads' shares of a product, by rows and by columns, with 16-bit factors.
    @Test(arguments: Precision.allCases, [(10, 3000, true), (10, 3000, false), (300, 300, true), (300, 301, false)])
    func sixteenBitFactors(precision: Precision, shape: (m: Int, n: Int, transposeB: Bool)) throws {
        let (m, n, transposeB) = shape
        let folder = try TemporaryFolder()
        var numbers = SeededNumbers(state: 6)
        let (rows, columns) = transposeB ? (n, 600) : (600, n)
        let stored = try brainFloats(numbers.matrix(rows, columns), in: folder["b.safetensors"])
        let a = numbers.matrix(m, 600)
        for product in Self.products(precision) {
            let expected = Matrix<Float>(zeros: m, n)
            let widened: Matrix<Float> = stored.widened(rows: rows, columns: columns)
            product.setSum(expected, [ProductTerm(a, widened, transposeB: transposeB)], keep: 0)
            for threads in [1, 2] {
                let c = Matrix<Float>(zeros: m, n)
                let factor = Factor<Float>.stored(stored, rows: rows, columns: columns)
                product.setSum(c, [ProductTerm(a, factor, transposeB: transposeB)], keep: 0, threads: threads)
                #expect(sameBits(c, expected), "\(product.name), \(threads) threads")
            }
        }
    }

    /// The few rows and the adapters' shapes, where other paths are taken: the same bits by every bfloat16 kernel.
    @Test(arguments: [(16, 300, 1000), (300, 16, 1000), (64, 577, 1401), (200, 40, 129), (2, 33, 3)])
    func bfloat16KernelsAgree(m: Int, n: Int, k: Int) throws {
        let products = Self.products(.bfloat16)
        let first = try #require(products.first)
        var numbers = SeededNumbers(state: 7)
        for turns in Self.turns {
            let term = term(&numbers, (m, n, k), turns.0, turns.1, scale: 0.5)
            let before = numbers.matrix(m, n)
            let expected = before.copied()
            first.setSum(expected, [term], keep: 1)
            for product in products.dropFirst() {
                let c = before.copied()
                product.setSum(c, [term], keep: 1)
                #expect(sameBits(c, expected), "\(first.name) and \(product.name), \(turns)")
            }
        }
    }

    /// Rounding at ties, at the largest numbers, below the least normal one, and of what is not finite.
    @Test func roundingOfSpecialNumbers() throws {
        let inputs: [(UInt32, UInt32)] = [
            (0x3F80_8000, 0x3F80), (0x3F81_8000, 0x3F82), (0x3F80_8001, 0x3F81), (0x7F7F_FFFF, 0x7F80),
            (0xFF80_0000, 0xFF80), (0x007F_FFFF, 0), (0x0080_0000, 0x0080), (0x8000_0000, 0x8000),
        ]
        for product in Self.products(.bfloat16) {
            for (input, upper) in inputs {
                for count in [1, 33] {
                    // A row of x beside a unit vector.
                    let a = Matrix<Float>(zeros: 2, count)
                    let b = Matrix<Float>(zeros: count, 2)
                    a[0, count - 1] = Float(bitPattern: input)
                    b[count - 1, 0] = 1
                    let c = Matrix<Float>(zeros: 2, 2)
                    product.setSum(c, [ProductTerm(a, b)], keep: 0)
                    let expected = Float(bitPattern: upper << 16)
                    #expect(c[0, 0] == expected, "\(product.name) \(String(input, radix: 16)) \(count)")
                    let d = Matrix<Float>(zeros: 2, 2)
                    product.setSum(d, [ProductTerm(b, transposeA: true, a, transposeB: true)], keep: 0)
                    #expect(d[0, 0] == expected, "\(product.name) \(String(input, radix: 16)) \(count)")
                }
            }
        }
    }
}
