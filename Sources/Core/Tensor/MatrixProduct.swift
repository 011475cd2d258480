import COpenBLAS
import CProduct

/// One side of a product: a matrix, or a file's 16-bit numbers, which are widened a block at a time.
public enum Factor<Element: Scalar>: Sendable {
    case matrix(Matrix<Element>)
    case stored(StoredTensor, rows: Int, columns: Int)

    public var rows: Int {
        switch self {
        case .matrix(let matrix): matrix.rows
        case .stored(_, let rows, _): rows
        }
    }

    public var columns: Int {
        switch self {
        case .matrix(let matrix): matrix.columns
        case .stored(_, _, let columns): columns
        }
    }

    /// All elements, widened where need be.
    var matrix: Matrix<Element> {
        switch self {
        case .matrix(let matrix): matrix
        case .stored(let tensor, let rows, let columns): tensor.widened(rows: rows, columns: columns)
        }
    }
}

/// scale · op(a) · op(b), a term of a sum of products; `op` transposes when asked to.
public struct ProductTerm<Element: Scalar>: Sendable {
    public var a: Matrix<Element>
    public var transposeA: Bool
    public var b: Factor<Element>
    public var transposeB: Bool
    public var scale: Element

    public init(
        _ a: Matrix<Element>, transposeA: Bool = false, _ b: Factor<Element>, transposeB: Bool = false,
        scale: Element = 1
    ) {
        (self.a, self.transposeA, self.b, self.transposeB, self.scale) = (a, transposeA, b, transposeB, scale)
    }

    public init(
        _ a: Matrix<Element>, transposeA: Bool = false, _ b: Matrix<Element>, transposeB: Bool = false,
        scale: Element = 1
    ) {
        self.init(a, transposeA: transposeA, .matrix(b), transposeB: transposeB, scale: scale)
    }

    public var rows: Int { transposeA ? a.columns : a.rows }
    public var inner: Int { transposeA ? a.rows : a.columns }
    public var columns: Int { transposeB ? b.rows : b.columns }
}

extension Matrix {
    /// `self ← scale · op(a) · op(b) + keep · self`, where `op` transposes when asked to.
    ///
    /// Shapes: op(a) is rows × K, op(b) is K × columns. `keep` 0 overwrites whatever was there, NaN included.
    public func setProduct(
        _ a: Matrix, transposeA: Bool = false, _ b: Matrix, transposeB: Bool = false, scale: Element = 1,
        keep: Element = 0
    ) {
        setSum([ProductTerm(a, transposeA: transposeA, b, transposeB: transposeB, scale: scale)], keep: keep)
    }

    /// `self ← Σ terms + keep · self`: one pass over `self`, however many terms there are.
    public func setSum(_ terms: [ProductTerm<Element>], keep: Element = 0) {
        for term in terms {
            precondition(
                term.rows == rows && term.columns == columns
                    && (term.transposeB ? term.b.columns : term.b.rows) == term.inner,
                "product of \(term.a.rows) × \(term.a.columns) and \(term.b.rows) × \(term.b.columns) into "
                    + "\(rows) × \(columns)"
            )
        }
        guard rows > 0, columns > 0 else { return }
        let terms = terms.filter { $0.inner > 0 }
        guard !terms.isEmpty else {
            if keep == 0 { setZero() }
            return
        }
        Element.setSum(self, terms, keep: keep)
    }

    /// a · b
    public static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
        let c = Matrix(uninitialized: a.rows, b.columns)
        c.setProduct(a, b)
        return c
    }

    /// a · bᵀ
    public static func product(_ a: Matrix, transposed b: Matrix, scale: Element = 1) -> Matrix {
        let c = Matrix(uninitialized: a.rows, b.rows)
        c.setProduct(a, b, transposeB: true, scale: scale)
        return c
    }
}

extension Scalar {
    /// Term after term; Float has a faster way.
    public static func setSum(_ c: Matrix<Self>, _ terms: [ProductTerm<Self>], keep: Self) {
        var keep = keep
        for term in terms {
            gemm(c, term.a, term.transposeA, term.b.matrix, term.transposeB, scale: term.scale, keep: keep)
            keep = 1
        }
    }

    public static func setProducts(
        _ c: [Matrix<Self>], _ a: [Matrix<Self>], _ b: Matrix<Self>, transposeB: Bool, keep: Self
    ) {
        for (c, a) in zip(c, a) { c.setProduct(a, b, transposeB: transposeB, keep: keep) }
    }

    public static func addTransposed(_ x: Matrix<Self>, to y: Matrix<Self>) {
        for i in 0..<y.rows { for j in 0..<y.columns { y[i, j] += x[j, i] } }
    }
}

extension Float {
    public static func setProducts(
        _ c: [Matrix<Float>], _ a: [Matrix<Float>], _ b: Matrix<Float>, transposeB: Bool, keep: Float
    ) {
        if let product = FloatProduct.current, let first = a.first, first.rows > 0, first.columns > 0, b.rows > 0 {
            product.setProducts(c, a, .matrix(b), transposeB: transposeB, keep: keep)
        } else {
            for (c, a) in zip(c, a) { c.setProduct(a, b, transposeB: transposeB, keep: keep) }
        }
    }

    public static func addTransposed(_ x: Matrix<Float>, to y: Matrix<Float>) {
        misp_add_transposed(y.rows, y.columns, x.base, x.stride, y.base, y.stride, 1, 1)
    }

    /// Products by the kernels of CProduct where the processor has them, by BLAS elsewhere.
    public static func setSum(_ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float) {
        if let product = FloatProduct.current { return product.setSum(c, terms, keep: keep) }
        var keep = keep
        for term in terms {
            gemm(c, term.a, term.transposeA, term.b.matrix, term.transposeB, scale: term.scale, keep: keep)
            keep = 1
        }
    }

    /// BLAS's product, beside which FloatProduct's is held.
    public static func gemm(
        _ c: Matrix<Float>, _ a: Matrix<Float>, _ transposeA: Bool, _ b: Matrix<Float>, _ transposeB: Bool,
        scale: Float, keep: Float
    ) {
        // One row: OpenBLAS packs the whole matrix for a product with it.
        if c.rows == 1, !transposeA {
            cblas_sgemv(
                CblasRowMajor, transposeB ? CblasNoTrans : CblasTrans, blasint(b.rows), blasint(b.columns), scale,
                b.base, blasint(max(b.stride, 1)), a.base, 1, keep, c.base, 1)
            return
        }
        cblas_sgemm(
            CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
            blasint(c.rows), blasint(c.columns), blasint(transposeA ? a.rows : a.columns), scale, a.base,
            blasint(max(a.stride, 1)), b.base, blasint(max(b.stride, 1)), keep, c.base, blasint(max(c.stride, 1)))
    }
}

extension Double {
    public static func gemm(
        _ c: Matrix<Double>, _ a: Matrix<Double>, _ transposeA: Bool, _ b: Matrix<Double>, _ transposeB: Bool,
        scale: Double, keep: Double
    ) {
        cblas_dgemm(
            CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
            blasint(c.rows), blasint(c.columns), blasint(transposeA ? a.rows : a.columns), scale, a.base,
            blasint(max(a.stride, 1)), b.base, blasint(max(b.stride, 1)), keep, c.base, blasint(max(c.stride, 1)))
    }
}
