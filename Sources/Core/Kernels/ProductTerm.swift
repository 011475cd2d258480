/// One side of a product: a matrix, or a file's 16-bit numbers, which are widened a block at a time.
public enum Factor<Element: Scalar>: Sendable {
    /// In memory; may be a strided view.
    case matrix(Matrix<Element>)
    /// `rows` × `columns` numbers of a mapped file, row by row.
    case stored(StoredTensor, rows: Int, columns: Int)

    /// Rows, before `op` transposes.
    public var rows: Int {
        switch self {
        case .matrix(let matrix): matrix.rows
        case .stored(_, let rows, _): rows
        }
    }

    /// Columns, before `op` transposes.
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
    /// The left factor.
    public var a: Matrix<Element>
    /// The left factor as `Arithmetic.laid` has it, for several products with it; nil to lay it for this one.
    public var laid: Matrix<Element>?
    /// Whether op(a) is aᵀ.
    public var transposeA: Bool
    /// The right factor.
    public var b: Factor<Element>
    /// Whether op(b) is bᵀ.
    public var transposeB: Bool
    /// What the product is multiplied by.
    public var scale: Element

    /// With a right factor that may lie in a file.
    public init(
        _ a: Matrix<Element>, laid: Matrix<Element>? = nil, transposeA: Bool = false, _ b: Factor<Element>,
        transposeB: Bool = false, scale: Element = 1
    ) {
        (self.a, self.transposeA, self.b, self.transposeB, self.scale) = (a, transposeA, b, transposeB, scale)
        self.laid = laid
    }

    /// With both factors in memory.
    public init(
        _ a: Matrix<Element>, laid: Matrix<Element>? = nil, transposeA: Bool = false, _ b: Matrix<Element>,
        transposeB: Bool = false, scale: Element = 1
    ) {
        self.init(a, laid: laid, transposeA: transposeA, .matrix(b), transposeB: transposeB, scale: scale)
    }

    /// Rows of op(a), and so of the product.
    public var rows: Int { transposeA ? a.columns : a.rows }
    /// Columns of op(a) and rows of op(b): the index that is summed over.
    public var inner: Int { transposeA ? a.rows : a.columns }
    /// Columns of op(b), and so of the product.
    public var columns: Int { transposeB ? b.rows : b.columns }
}
