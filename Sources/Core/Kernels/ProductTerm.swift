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
    package var matrix: Matrix<Element> {
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
