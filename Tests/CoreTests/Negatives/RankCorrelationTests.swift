import Core
import Testing

struct RankCorrelationTests {
    /// Values by the definition, in NumPy.
    static let cases: [([Double], [Double], Double)] = [
        ([1.0, 2, 3, 4, 5], [5.0, 6, 7, 8, 7], 0.8207826816681233),
        ([1, 2, 2, 4], [1, 3, 2, 4], 0.9486832980505138),
        ([3, 1, 2], [1, 3, 2], -1), ([1e-9, 2e9, 3], [0, 7, 1], 1),
        ([1, 1, 1, 2], [4, 3, 2, 1], -0.7745966692414834),
    ]

    @Test(arguments: cases) func followsItsDefinition(x: [Double], y: [Double], expected: Double) throws {
        let own = try #require(RankCorrelation.spearman(x, y))
        #expect(abs(own - expected) < 1e-12)
        #expect(RankCorrelation.spearman(y, x) == own)
    }

    @Test func withoutAnOrderThereIsNone() {
        #expect(RankCorrelation.spearman([], []) == nil)
        #expect(RankCorrelation.spearman([1], [2]) == nil)
        #expect(RankCorrelation.spearman([1, 1, 1], [1, 2, 3]) == nil)
        #expect(RankCorrelation.spearman([1, 2, 3], [0, 0, 0]) == nil)
    }
}
