import CProduct

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

    /// Whether the processor multiplies bfloat16 numbers faster than float32 ones.
    public static var isNative: Bool { product?.words == MISP_WORDS_OF_TWO }

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
    static func rounded(_ x: Matrix<Float>) -> Matrix<Float> {
        let y = Matrix<Float>(uninitialized: x.rows, x.columns)
        for t in 0..<x.rows {
            for c in 0..<x.columns {
                y[t, c] = Float(bitPattern: UInt32(StoredFormat.bfloat(x[t, c])) << 16)
            }
        }
        return y
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
}
