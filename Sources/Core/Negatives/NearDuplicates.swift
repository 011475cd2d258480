/// Finds rows that are nearly a row of another table, such as a benchmark's pictures in a gallery.
public enum NearDuplicates {
    /// Rows that go through a product at once: always the same ones, so that no sharing of the work changes a bit.
    public static let block = 256

    /// The rows of `images` in block `index` whose cosine with some row of `others` is above `limit`.
    ///
    /// - Parameters:
    ///   - images: n × d, rows of unit length
    ///   - others: m × d, rows of unit length
    public static func rows(
        ofBlock index: Int, _ images: Matrix<Float>, near others: Matrix<Float>, above limit: Float
    ) -> [Int] {
        let range = index * block..<min((index + 1) * block, images.rows)
        let cosines = Vector.product(images.rows(range), transposed: others)
        return range.filter { row in
            let line = UnsafeBufferPointer(start: cosines.row(row - range.lowerBound), count: cosines.columns)
            return line.contains { $0 > limit }
        }
    }

    /// How many blocks there are to go through.
    public static func blocks(_ images: Matrix<Float>) -> Int { (images.rows + block - 1) / block }
}
