/// Rows as they lie in memory, at equal distances: floats, or a file's 16-bit numbers.
///
/// Whoever uses it keeps alive what it came from.
public struct StoredRows: @unchecked Sendable {
    /// The first number of row 0, at any address.
    public let base: UnsafeRawPointer
    /// Of each number.
    public let format: StoredFormat
    /// Numbers of a row.
    public let columns: Int
    /// Bytes from row to row.
    package let distance: Int

    /// Rows without gaps between them.
    public init(base: UnsafeRawPointer, format: StoredFormat, columns: Int) {
        self.base = base
        self.format = format
        self.columns = columns
        distance = columns * format.bytes
    }

    /// nil for other numbers than floats.
    init?<Element: Scalar>(_ matrix: Matrix<Element>) {
        guard Element.self == Float.self else { return nil }
        base = UnsafeRawPointer(matrix.base)
        format = .float32
        columns = matrix.columns
        distance = matrix.stride * MemoryLayout<Float>.stride
    }

    func row(_ index: Int) -> UnsafeRawPointer { base + index * distance }
}
