import CProduct

/// Kernels that compute eight floats at a time, each held to the plain loop by a test; their products are float32's.
///
/// Conform to it for another precision of the products, as `Arithmetic` says.
public protocol VectorArithmetic: Arithmetic where Element == Float {}

/// What the program trains, mines and answers with.
public enum Vector: VectorArithmetic {
    /// float32.
    public typealias Element = Float
}

/// Products by the kernels of CProduct where the processor has them, by BLAS elsewhere.
extension VectorArithmetic {
    /// c ← Σ terms + keep·c, by the best kernel that the processor has, or by BLAS.
    public static func setCheckedSum(_ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float) {
        if let product = FloatProduct.current {
            product.setSum(c, terms, keep: keep)
        } else {
            BLAS.setSum(c, terms, keep: keep)
        }
    }

    /// cᵢ ← aᵢ·op(b) + keep·cᵢ; CProduct's kernels pack b once for all.
    public static func setProducts(
        _ c: [Matrix<Float>], _ a: [Matrix<Float>], _ b: Matrix<Float>, transposeB: Bool, keep: Float
    ) {
        if let product = FloatProduct.current, let first = a.first, first.rows > 0, first.columns > 0, b.rows > 0 {
            product.setProducts(c, a, .matrix(b), transposeB: transposeB, keep: keep)
        } else {
            for (c, a) in zip(c, a) { setProduct(c, a, b, transposeB: transposeB, keep: keep) }
        }
    }

    /// y ← y + xᵀ
    public static func addTransposed(_ x: Matrix<Float>, to y: Matrix<Float>) {
        misp_add_transposed(y.rows, y.columns, x.base, x.stride, y.base, y.stride, 1, 1)
    }
}
