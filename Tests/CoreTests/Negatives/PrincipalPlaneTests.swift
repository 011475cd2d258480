import Core
import Testing

struct PrincipalPlaneTests {
    /// Points on a plane in five dimensions, wide along one direction and narrow along the other.
    @Test func planeIsFound() {
        let (first, second) = ([0.6, 0, 0, 0.8, 0], [0, 0.28, 0.96, 0, 0])
        var random = KeyedRandom(6, "plane")
        let given = (0..<400).map { _ in (3 * random.normal(), random.normal()) }
        let mean = given.reduce((0.0, 0.0)) { ($0.0 + $1.0 / 400, $0.1 + $1.1 / 400) }
        let rows = Matrix<Float>(uninitialized: 400, 5)
        for (r, point) in given.enumerated() {
            for c in 0..<5 { rows[r, c] = Float(7 + point.0 * first[c] + point.1 * second[c]) }
        }
        let plane = PrincipalPlane(rows)
        #expect(abs(plane.shares[0] + plane.shares[1] - 1) < 1e-5)
        #expect(plane.shares[0] > 0.85 && plane.shares[0] < 0.95)
        // Distances from the mean are kept; the axes may be turned a little, as the sample is not exactly uncorrelated.
        for r in 0..<400 {
            let (x, y) = plane.place(rows.row(r))
            let (a, b) = (given[r].0 - mean.0, given[r].1 - mean.1)
            #expect(abs((x * x + y * y).squareRoot() - (a * a + b * b).squareRoot()) < 1e-3)
        }
        let spread = (0..<400).reduce(0.0) { $0 + plane.place(rows.row($1)).x * plane.place(rows.row($1)).y }
        #expect(abs(spread / 400) < 1e-3)
    }

    @Test func equalRowsHaveNoSpread() {
        let plane = PrincipalPlane(Matrix<Float>(3, 2, [1, 2, 1, 2, 1, 2]))
        #expect(plane.shares == [0, 0])
        let place = plane.place(Matrix<Float>(1, 2, [1, 2]).base)
        #expect(abs(place.x) < 1e-6 && abs(place.y) < 1e-6)
    }
}
