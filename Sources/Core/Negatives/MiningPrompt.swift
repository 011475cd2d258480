/// What a group asks of the gallery.
public struct MiningPrompt: Sendable, Equatable {
    /// The group's id: with the seed the key of every draw made for it.
    public let id: String
    /// Row of the positive image among the gallery's embeddings.
    public let positive: Int
    /// Row of the prompt among the text embeddings.
    public let text: Int
    /// Rows that are never taken, such as images of a benchmark in use.
    public let excluded: Set<Int>
    /// Rows of images that the group's response is known to hold for.
    public let sameAnswer: Set<Int>

    /// Unless told otherwise, nothing is excluded but what `CandidateRows` excludes by itself.
    public init(id: String, positive: Int, text: Int, excluded: Set<Int> = [], sameAnswer: Set<Int> = []) {
        (self.id, self.positive, self.text) = (id, positive, text)
        (self.excluded, self.sameAnswer) = (excluded, sameAnswer)
    }
}

/// Which images of the gallery may become a prompt's negatives.
public enum CandidateRows {
    /// All rows in order but the positive, those excluded, those of the same answer, and the positive's duplicates:
    /// rows whose cosine with it is above `duplicateLimit`.
    ///
    /// - Parameter images: n × d_v, rows of unit length
    public static func select(_ images: Matrix<Float>, _ prompt: MiningPrompt, duplicateLimit: Float) -> [Int] {
        (0..<images.rows).filter { admits($0, images, prompt, duplicateLimit: duplicateLimit) }
    }

    /// Whether `row` is among those.
    public static func admits(
        _ row: Int, _ images: Matrix<Float>, _ prompt: MiningPrompt, duplicateLimit: Float
    ) -> Bool {
        guard row != prompt.positive, !prompt.excluded.contains(row), !prompt.sameAnswer.contains(row) else {
            return false
        }
        return images.cosine(row, prompt.positive) <= duplicateLimit
    }
}

extension Matrix<Float> {
    /// The product of two rows of unit length.
    func cosine(_ a: Int, _ b: Int) -> Float {
        var cosine: Float = 0
        Vector.rowDots(rows(a..<a + 1), rows(b..<b + 1), into: &cosine)
        return cosine
    }
}

extension Matrix {
    /// One row over and over, as a view: as many rows as this matrix has.
    func repeated(_ row: Int) -> Matrix {
        Matrix(owner: owner, base: self.row(row), rows: rows, columns: columns, stride: 0)
    }
}
