import Core
import Testing

@Suite struct EmbeddingCentreTests {
    private static let rows: [[Float]] = [[0.6, 0.8, 0], [0.8, 0, 0.6], [0, 0.6, 0.8], [1, 0, 0]]

    /// Against the definition, written out in Double.
    @Test func rowsAreLessTheMeanAndOfUnitLength() {
        let matrix = Matrix<Float>(4, 3, Self.rows.flatMap(\.self))
        EmbeddingCentre(of: matrix, members: [0, 1, 2]).centre(matrix)
        let mean = (0..<3).map { c in Self.rows.prefix(3).reduce(0.0) { $0 + Double($1[c]) } / 3 }
        for (r, row) in Self.rows.enumerated() {
            let difference = zip(row, mean).map { Double($0) - $1 }
            let norm = difference.reduce(0) { $0 + $1 * $1 }.squareRoot()
            for c in 0..<3 { #expect(abs(Double(matrix[r, c]) - difference[c] / norm) < 1e-6) }
        }
    }

    @Test func aCommonComponentIsGone() {
        let matrix = Matrix<Float>(zeros: 40, 6)
        for r in 0..<40 {
            var random = KeyedRandom(1, "row", "\(r)")
            for c in 0..<6 { matrix[r, c] = Float(random.normal()) * 0.1 + (c == 0 ? 1 : 0) }
        }
        EmbeddingCentre(of: matrix, members: Array(0..<40)).centre(matrix)
        let mean = (0..<40).reduce(0) { $0 + matrix[$1, 0] } / 40
        #expect(abs(mean) < 0.15)
    }

    @Test func aGalleryOfOnePictureIsZero() {
        let matrix = Matrix<Float>(2, 2, [0.6, 0.8, 0.6, 0.8])
        EmbeddingCentre(of: matrix, members: [0, 1]).centre(matrix)
        #expect(matrix.elements.allSatisfy { $0 == 0 })
    }

    @Test func noMembersChangeNoDirection() {
        let matrix = Matrix<Float>(1, 2, [3, 4])
        EmbeddingCentre(of: matrix, members: []).centre(matrix)
        #expect(abs(matrix[0, 0] - 0.6) < 1e-6 && abs(matrix[0, 1] - 0.8) < 1e-6)
    }
}
