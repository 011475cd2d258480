/// A view of `rows` × `columns` elements, row by row; row `r` starts at `base + r * stride`.
///
/// Every activation is one: a row per token, a column per channel. A view keeps its memory alive through `owner`,
/// which is a `Storage`, a mapped file or a parameter buffer. Copying the struct copies the view, not the elements.
public struct Matrix<Element: Scalar>: @unchecked Sendable {
    /// Keeps the memory alive.
    public let owner: AnyObject
    /// Element (0, 0).
    public let base: UnsafeMutablePointer<Element>
    /// Rows.
    public let rows: Int
    /// Columns.
    public let columns: Int
    /// Elements from the start of a row to the start of the next; 0 repeats one row.
    public let stride: Int

    /// A view of memory that `owner` keeps alive, without gaps between rows unless `stride` says so.
    public init(owner: AnyObject, base: UnsafeMutablePointer<Element>, rows: Int, columns: Int, stride: Int? = nil) {
        self.owner = owner
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// New memory with arbitrary content.
    public init(uninitialized rows: Int, _ columns: Int) {
        let storage = Storage<Element>(count: rows * columns)
        self.init(owner: storage, base: storage.base, rows: rows, columns: columns)
    }

    /// New memory, all 0.
    public init(zeros rows: Int, _ columns: Int) {
        self.init(uninitialized: rows, columns)
        setZero()
    }

    /// A copy of `elements`, which stand row by row.
    ///
    /// - Precondition: there are rows · columns of them.
    public init(_ rows: Int, _ columns: Int, _ elements: [Element]) {
        precondition(elements.count == rows * columns, "\(elements.count) elements for \(rows) × \(columns)")
        self.init(uninitialized: rows, columns)
        elements.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { base.update(from: start, count: count) }
        }
    }

    /// Elements of the view, without those between its rows.
    public var count: Int { rows * columns }
    /// Whether nothing lies between the rows.
    public var isContiguous: Bool { stride == columns || rows <= 1 }

    /// Unchecked. Setting changes the memory, and so every view of it.
    public subscript(row: Int, column: Int) -> Element {
        get { base[row * stride + column] }
        nonmutating set { base[row * stride + column] = newValue }
    }

    /// The first element of a row.
    public func row(_ index: Int) -> UnsafeMutablePointer<Element> { base + index * stride }

    /// Some rows, as a view.
    public func rows(_ range: Range<Int>) -> Matrix {
        Matrix(
            owner: owner, base: base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    /// Some columns, as a view with the same stride.
    public func columns(_ range: Range<Int>) -> Matrix {
        Matrix(owner: owner, base: base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// The same contiguous elements in another shape.
    public func reshaped(_ rows: Int, _ columns: Int) -> Matrix {
        precondition(
            isContiguous && rows * columns == count,
            "a \(self.rows) × \(self.columns) view cannot be \(rows) × \(columns)")
        return Matrix(owner: owner, base: base, rows: rows, columns: columns)
    }

    /// The elements row by row.
    public var elements: [Element] {
        (0..<rows).flatMap { Array(UnsafeBufferPointer(start: row($0), count: columns)) }
    }

    /// A contiguous copy.
    public func copied() -> Matrix {
        let copy = Matrix(uninitialized: rows, columns)
        copy.copyElements(of: self)
        return copy
    }

    /// Overwrites the elements with those of `source`.
    ///
    /// - Precondition: both have the same shape.
    public func copyElements(of source: Matrix) {
        precondition(rows == source.rows && columns == source.columns, "shapes differ")
        if isContiguous && source.isContiguous {
            base.update(from: source.base, count: count)
        } else {
            for r in 0..<rows { row(r).update(from: source.row(r), count: columns) }
        }
    }

    /// Zero bytes are the number 0.
    public func setZero() {
        let (count, runs, size) =
            isContiguous ? (count, 1, MemoryLayout<Element>.stride) : (columns, rows, MemoryLayout<Element>.stride)
        for run in 0..<runs {
            UnsafeMutableRawPointer(row(run)).initializeMemory(as: UInt8.self, repeating: 0, count: count * size)
        }
    }

    /// The listed rows, in that order, as a new matrix.
    public func gathered(_ indices: [Int]) -> Matrix {
        let result = Matrix(uninitialized: indices.count, columns)
        for (target, source) in indices.enumerated() {
            result.row(target).update(from: row(source), count: columns)
        }
        return result
    }
}

extension Matrix<Float> {
    /// Whether no element is infinite or NaN: whether no exponent is all ones.
    public var isFinite: Bool {
        (0..<rows).allSatisfy { index in
            let row = row(index)
            var largest: UInt32 = 0
            for c in 0..<columns { largest = max(largest, row[c].bitPattern & 0x7FFF_FFFF) }
            return largest < 0x7F80_0000
        }
    }
}
