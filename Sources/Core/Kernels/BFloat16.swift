import CProduct
import CVector

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// bfloat16 products: their inputs are rounded to nearest, ties to even, their sums are float32's; everything else is
/// `Vector`'s.
///
/// The kernel of the processor's bfloat16 instructions and the float32 kernels on rounded inputs give the same bits.
public enum BFloat16: VectorArithmetic {
    /// float32, which products round.
    public typealias Element = Float

    /// Whether the processor has an instruction for such products.
    static var isNative: Bool { product?.words == MISP_WORDS_OF_TWO }

    /// Whether they are faster than float32 ones here, as measured: not every processor that has the instruction gains
    /// by it (docs/performance.md).
    public static let isFaster =
        MachineRate.measure(BFloat16.self, side: 256, seconds: 0.02)
        > 1.2 * MachineRate.measure(Vector.self, side: 256, seconds: 0.02)

    /// What the products are computed by: `AVX512-BF16`, or a float32 kernel's name.
    public static var kernel: String { product?.name ?? BLAS.kernel }

    /// That of this processor, or of MISP_PRODUCT (`AVX512-BF16`, `AVX-512`, `AVX2`, `OpenBLAS`); nil for OpenBLAS.
    static let product: FloatProduct? = {
        let name = getenv("MISP_PRODUCT").map { String(cString: $0) }
        return name == "OpenBLAS" ? nil : product(name)
    }()

    /// nil where the processor lacks the kernel of that name, or any.
    package static func product(_ name: String?) -> FloatProduct? {
        if name == nil || name == "AVX512-BF16", let kernel = misp_find_bfloat16_kernel() {
            return FloatProduct(kernel.pointee, MISP_WORDS_OF_TWO)
        }
        return misp_find_product_kernel(name).map { FloatProduct($0.pointee, MISP_WORDS_OF_ONE) }
    }

    /// In words of the kernel.
    public static func laid(_ x: Matrix<Float>) -> Matrix<Float>? {
        product?.prepared(ProductTerm(x, x), threads: Parallel.threads).a
    }

    /// c ← Σ terms + keep·c, of rounded factors.
    public static func setCheckedSum(_ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float) {
        if let product {
            product.setSum(c, terms, keep: keep)
        } else {
            BLAS.setSum(c, terms.map(rounded), keep: keep)
        }
    }

    /// cᵢ ← aᵢ·op(b) + keep·cᵢ, of rounded factors.
    public static func setProducts(
        _ c: [Matrix<Float>], _ a: [Matrix<Float>], _ b: Matrix<Float>, transposeB: Bool, keep: Float
    ) {
        if let product, let first = a.first, first.rows > 0, first.columns > 0, b.rows > 0 {
            product.setProducts(c, a, .matrix(b), transposeB: transposeB, keep: keep)
        } else {
            for (c, a) in zip(c, a) { setProduct(c, a, b, transposeB: transposeB, keep: keep) }
        }
    }

    private static func rounded(_ term: ProductTerm<Float>) -> ProductTerm<Float> {
        ProductTerm(
            rounded(term.a), transposeA: term.transposeA, rounded(term.b.matrix), transposeB: term.transposeB,
            scale: term.scale)
    }

    /// The nearest bfloat16 numbers, ties to even.
    package static func rounded(_ x: Matrix<Float>) -> Matrix<Float> {
        let y = Matrix<Float>(uninitialized: x.rows, x.columns)
        for t in 0..<x.rows {
            let (from, to) = (x.row(t), y.row(t))
            forEachEight(x.columns) { i, n in misp_round_bfloat8(Float8(from + i, n)).store(to + i, n) }
        }
        return y
    }
}

// MARK: - Decoding

extension BFloat16 {
    /// y[i, r] ← Σₖ x[i, k]·W[r, k] of rounded factors. The bits of a row of y do not depend on the other rows.
    public static func fewRowsProduct(
        _ x: Matrix<Float>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Float>
    ) {
        fewRowsProduct(x, weight, rows: rows, into: y, by: isNative ? MISP_ROWS_NATIVE : MISP_ROWS_AVX2)
    }

    package static func fewRowsProduct(
        _ x: Matrix<Float>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Float>, by kernel: misp_rows_kernel
    ) {
        let words = (weight.columns + 31) / 32 * 16
        let inputs = Matrix<Float>(zeros: x.rows, words)
        misp_words_along(MISP_WORDS_OF_TWO, x.rows, x.columns, x.base, 1, x.stride, inputs.base, words)
        func multiply(_ rows: Range<Int>, _ base: UnsafeRawPointer, _ distance: Int) {
            misp_few_rows_bfloat16(
                kernel, x.rows, inputs.base, words, rows.count, base, distance, weight.columns,
                y.base + rows.lowerBound, y.stride)
        }
        if weight.format == .bfloat16 { return multiply(rows, weight.row(rows.lowerBound), weight.distance) }
        // Other numbers are rounded a few rows at a time.
        let laid = Matrix<Float>(uninitialized: 8, words)
        let wide = Matrix<Float>(uninitialized: 1, weight.columns)
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: 8) {
            let some = first..<min(first + 8, rows.upperBound)
            for (place, row) in some.enumerated() {
                Float.widen(weight.row(row), weight.format, into: wide.base, count: wide.columns)
                misp_words_along(
                    MISP_WORDS_OF_TWO, 1, wide.columns, wide.base, 1, wide.columns, laid.row(place), words)
            }
            multiply(some, UnsafeRawPointer(laid.base), words * MemoryLayout<Float>.stride)
        }
    }

    /// y[i, j] ← Σₜ shares[i, t]·values[t, j] of rounded factors.
    public static func mixRows(_ shares: Matrix<Float>, _ values: Matrix<Float>, into y: Matrix<Float>) {
        mix(rounded(shares), values, into: y) { misp_round_bfloat8($0) }
    }
}

/// Of the products; sums, norms, softmax and the optimizer are float32 in either.
public enum Precision: String, Sendable, CaseIterable {
    /// float32 inputs.
    case float32
    /// Inputs rounded to bfloat16.
    case bfloat16

    /// What a model of that precision is computed with.
    public var arithmetic: any VectorArithmetic.Type {
        switch self {
        case .float32: Vector.self
        case .bfloat16: BFloat16.self
        }
    }

    /// What decides about the last bits of its products, for whatever is kept by content.
    public var identity: String {
        switch self {
        case .float32: BLAS.arithmetic
        case .bfloat16: "\(rawValue) \(BLAS.arithmetic)"
        }
    }
}
