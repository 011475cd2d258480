/// A tensor of the model: trained (a view of the flat parameter buffer), frozen in memory, or frozen in a mapped file.
///
/// A file's 16-bit numbers stay 16-bit and are widened into scratch memory whenever the matrix is used.
public struct Weight<Element: Scalar>: Sendable {
    private enum Source: Sendable {
        case trained(ParameterStore<Element>, ParameterSlot)
        case frozen(Matrix<Element>)
        case stored(StoredTensor)
    }

    private let source: Source
    /// Rows that the model computes with; 1 for a vector.
    public let rows: Int
    /// Columns that the model computes with.
    public let columns: Int

    /// Elements in memory that no training changes.
    public init(frozen matrix: Matrix<Element>) {
        source = .frozen(matrix)
        (rows, columns) = (matrix.rows, matrix.columns)
    }

    /// Reserves a trained tensor; `initialize` gives its first values.
    public init(
        _ name: String, shape: [Int], rows: Int, columns: Int, in store: ParameterStore<Element>,
        initialize: @escaping (Matrix<Element>) throws -> Void
    ) {
        source = .trained(
            store, store.reserve(name, shape: shape, rows: rows, columns: columns, initialize: initialize))
        (self.rows, self.columns) = (rows, columns)
    }

    /// A frozen tensor of a file. Vectors, and what the file holds in the working precision already, are not widened
    /// at each use.
    public init(stored tensor: StoredTensor, rows: Int, columns: Int) {
        (self.rows, self.columns) = (rows, columns)
        if Element.self == Float.self, tensor.format == .float32, UInt(bitPattern: tensor.base) % 4 == 0 {
            let base = UnsafeMutableRawPointer(mutating: tensor.base).assumingMemoryBound(to: Element.self)
            source = .frozen(Matrix(owner: tensor.file, base: base, rows: rows, columns: columns))
        } else if rows == 1 || Element.self != Float.self {
            source = .frozen(tensor.widened(rows: rows, columns: columns))
        } else {
            source = .stored(tensor)
        }
    }

    /// The elements; a view where possible, scratch memory for 16-bit weights.
    public var matrix: Matrix<Element> {
        switch source {
        case .trained(let store, let slot): store[slot]
        case .frozen(let matrix): matrix
        case .stored(let tensor): tensor.widened(rows: rows, columns: columns)
        }
    }

    /// The elements for a product, which widens 16-bit ones a block at a time.
    public var factor: Factor<Element> {
        if case .stored(let tensor) = source { .stored(tensor, rows: rows, columns: columns) } else { .matrix(matrix) }
    }

    /// The first element, for vectors.
    public var vector: UnsafeMutablePointer<Element> { matrix.base }

    /// The elements as they lie in memory; nil where they are neither floats nor a file's.
    var stored: StoredRows? {
        if case .stored(let tensor) = source {
            return StoredRows(base: tensor.base, format: tensor.format, columns: columns)
        }
        return StoredRows(matrix)
    }

    /// Row `index` into `target`, without widening the rest.
    func copyRow(_ index: Int, into target: UnsafeMutablePointer<Element>) {
        if case .stored(let tensor) = source {
            let row = tensor.base + index * columns * tensor.format.bytes
            Element.widen(row, tensor.format, into: target, count: columns)
        } else {
            target.update(from: matrix.row(index), count: columns)
        }
    }

    /// Whether it is a part of the flat parameter buffer.
    public var isTrained: Bool { slot != nil }

    /// Its place in the flat buffers; nil when it is frozen.
    public var slot: ParameterSlot? {
        if case .trained(_, let slot) = source { slot } else { nil }
    }

    /// This tensor's part of a gradient; nil when it is frozen.
    public func gradient(in gradient: Gradient<Element>) -> Matrix<Element>? { slot.map { gradient[$0] } }
}
