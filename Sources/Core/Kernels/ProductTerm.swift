/// Some rows and columns of a matrix that lies in a mapped file, row by row.
public struct StoredBlock: Sendable {
    /// The whole.
    let tensor: StoredTensor
    /// Columns of the whole.
    let width: Int
    var rows: Range<Int>
    var columns: Range<Int>

    /// Where a row of the block begins.
    func start(row: Int) -> UnsafeRawPointer {
        tensor.base + ((rows.lowerBound + row) * width + columns.lowerBound) * tensor.format.bytes
    }

    /// - Parameters:
    ///   - rows: counted from the block's first
    ///   - columns: likewise
    func part(_ rows: Range<Int>, _ columns: Range<Int>) -> StoredBlock {
        let (down, along) = (self.rows.lowerBound, self.columns.lowerBound)
        return StoredBlock(
            tensor: tensor, width: width, rows: down + rows.lowerBound..<down + rows.upperBound,
            columns: along + columns.lowerBound..<along + columns.upperBound)
    }

    /// A copy in the working precision.
    func widened<Element: Scalar>() -> Matrix<Element> {
        let matrix = Matrix<Element>(uninitialized: rows.count, columns.count)
        if columns.count == width {
            Element.widen(start(row: 0), tensor.format, into: matrix.base, count: matrix.count)
        } else {
            for row in 0..<rows.count {
                Element.widen(start(row: row), tensor.format, into: matrix.row(row), count: columns.count)
            }
        }
        return matrix
    }
}

/// One side of a product: a matrix, or a file's 16-bit numbers, which are widened a block at a time.
public enum Factor<Element: Scalar>: Sendable {
    /// In memory; may be a strided view.
    case matrix(Matrix<Element>)
    /// In a mapped file.
    case stored(StoredBlock)

    /// All of a tensor of `rows` × `columns` numbers.
    public static func stored(_ tensor: StoredTensor, rows: Int, columns: Int) -> Factor {
        .stored(StoredBlock(tensor: tensor, width: columns, rows: 0..<rows, columns: 0..<columns))
    }

    /// Rows, before `op` transposes.
    public var rows: Int {
        switch self {
        case .matrix(let matrix): matrix.rows
        case .stored(let block): block.rows.count
        }
    }

    /// Columns, before `op` transposes.
    public var columns: Int {
        switch self {
        case .matrix(let matrix): matrix.columns
        case .stored(let block): block.columns.count
        }
    }

    /// All elements, widened where need be.
    package var matrix: Matrix<Element> {
        switch self {
        case .matrix(let matrix): matrix
        case .stored(let block): block.widened()
        }
    }

    /// Some rows and columns, where they lie.
    func part(_ rows: Range<Int>, _ columns: Range<Int>) -> Factor {
        switch self {
        case .matrix(let matrix): .matrix(matrix.rows(rows).columns(columns))
        case .stored(let block): .stored(block.part(rows, columns))
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
