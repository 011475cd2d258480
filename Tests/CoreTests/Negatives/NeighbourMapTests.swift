import Core
import TestSupport
import Testing

/// Exact t-SNE against a reference in float64 (Tests/Goldens/neighbour_map.py).
@Suite struct NeighbourMapTests {
    private static func numbers(_ field: JSONField) throws -> [[Double]] {
        try field.array().map { row in try row.array().map { try $0.double() } }
    }

    private static func squaredDistances(_ points: [[Double]]) -> Matrix<Float> {
        let n = points.count
        return Matrix(
            n, n,
            (0..<n * n).map { index in
                Float(zip(points[index / n], points[index % n]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) })
            })
    }

    private static func map(
        _ file: JSONField, iterations: Int, threads: Int = 1
    ) throws -> NeighbourMap {
        var settings = NeighbourMap.Settings()
        settings.perplexity = try file["perplexity"].double()
        settings.exaggeration = try file["exaggeration"].double()
        settings.exaggerated = try file["exaggerated"].int()
        settings.iterations = iterations
        return NeighbourMap(
            squaredDistances: squaredDistances(try numbers(file["points"])),
            start: try numbers(file["start"]).map { SIMD2($0[0], $0[1]) }, settings: settings, threads: threads)
    }

    @Test func theFirstIterationsAreTheReferences() throws {
        let file = try JSONField(contentsOf: golden("neighbour_map.json"))
        var map = try Self.map(file, iterations: 6)
        #expect(abs(map.divergence - (try file["divergence at start"].double())) < 1e-6)
        map.settle { _ in }
        for (place, expected) in zip(map.places, try Self.numbers(file["after 6"])) {
            #expect(abs(place.x - expected[0]) < 2e-4 && abs(place.y - expected[1]) < 2e-4)
        }
        #expect(abs(map.divergence - (try file["divergence after 6"].double())) < 1e-6)
    }

    /// Late places depend on last bits; how good the map is does not.
    @Test func theMapIsAsGoodAsTheReferences() throws {
        let file = try JSONField(contentsOf: golden("neighbour_map.json"))
        var map = try Self.map(file, iterations: 400)
        map.settle { _ in }
        #expect(map.divergence < (try file["divergence after 400"].double()) + 0.05)
        // The points are three clusters of 15: a point's nearest place belongs to its own.
        let own = map.places.indices.count { i in
            let nearest = map.places.indices.filter { $0 != i }.min {
                let (a, b) = (map.places[$0] - map.places[i], map.places[$1] - map.places[i])
                return (a * a).sum() < (b * b).sum()
            }
            return nearest.map { $0 / 15 == i / 15 } ?? false
        }
        #expect(own >= 43)
    }

    @Test func threadsChangeNoBit() throws {
        let file = try JSONField(contentsOf: golden("neighbour_map.json"))
        var (one, three) = (try Self.map(file, iterations: 50), try Self.map(file, iterations: 50, threads: 3))
        one.settle { _ in }
        three.settle { _ in }
        #expect(one.places == three.places)
    }

    /// All words of four letters out of five, one apart where they differ in a letter: no cluster among them. With P
    /// exaggerated they fall into one place, far below the spread that they began with.
    @Test func pointsWithoutClustersSpreadOut() {
        var random = KeyedRandom(5, "points")
        let digits = (0..<625).map { [$0 % 5, $0 / 5 % 5, $0 / 25 % 5, $0 / 125] }
        let points = digits.map { word in word.flatMap { digit in (0..<5).map { $0 == digit ? 1.0 : 0 } } }
        var settings = NeighbourMap.Settings()
        settings.iterations = settings.exaggerated
        var map = NeighbourMap(
            squaredDistances: Self.squaredDistances(points),
            start: points.map { _ in SIMD2(random.normal(), random.normal()) }, settings: settings)
        map.settle { _ in }
        let mean = map.places.reduce(.zero, +) / 625
        let spread = map.places.reduce(0) { $0 + (($1 - mean) * ($1 - mean)).sum() } / 625
        #expect(spread > 1e-8, "\(spread), and 1e-8 along x at the start")
    }

    @Test(arguments: 0...6) func fewPointsAndEqualOnesStayFinite(_ n: Int) {
        var settings = NeighbourMap.Settings()
        settings.iterations = 60
        let points = (0..<n).map { [Double($0 / 2)] }
        var map = NeighbourMap(
            squaredDistances: Self.squaredDistances(points), start: points.map { SIMD2($0[0], 0) }, settings: settings)
        map.settle { _ in }
        #expect(map.places.count == n)
        #expect(map.places.allSatisfy { $0.x.isFinite && $0.y.isFinite })
    }
}
