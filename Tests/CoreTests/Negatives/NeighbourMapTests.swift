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

    /// With P exaggerated these fall into one place; once there, they do not come out of it.
    @Test func pointsWithoutClustersSpreadOut() {
        var random = KeyedRandom(5, "points")
        let points = (0..<400).map { _ in (0..<16).map { _ in random.normal() } }
        var map = NeighbourMap(
            squaredDistances: Self.squaredDistances(points), start: points.map { SIMD2($0[0], $0[1]) })
        map.settle { _ in }
        let radii = map.places.map { ($0 * $0).sum().squareRoot() }.sorted()
        #expect(radii[399] > 1, "\(radii[399])")
        #expect(radii[100] > 0.2 * radii[399], "a quarter within \(radii[100]) of \(radii[399])")
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
