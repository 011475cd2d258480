import Core
import Testing

/// Against scipy.stats.t.ppf(0.975, degrees) and scipy.stats.t.cdf.
@Suite struct StudentTTests {
    @Test(arguments: [
        (1, 12.706204736174694), (2, 4.302652729749462), (3, 3.1824463052837), (4, 2.7764451051977987),
        (9, 2.2621571627409915), (10, 2.228138851964939), (29, 2.045229642132703), (1000, 1.9623390808264078),
    ])
    func quantilesAreTheReferences(_ degrees: Int, _ expected: Double) {
        #expect(abs(StudentT.quantile(central: 0.95, degrees: degrees) / expected - 1) < 1e-9)
    }

    @Test(arguments: [(0.0, 5, 0.0), (1.0, 1, 0.5), (2.0, 2, 0.816496580927726), (2.0, 7, 0.914380671437024)])
    func probabilitiesAreTheReferences(_ t: Double, _ degrees: Int, _ expected: Double) {
        #expect(abs(StudentT.centralProbability(t, degrees: degrees) - expected) < 1e-9)
    }

    /// Of 1, 2, 4 with t(2) = 4.3027: 7/3 ± 4.3027 · 1.5275 / √3.
    @Test func aMeanHasItsInterval() throws {
        let (value, halfWidth) = StudentT.mean([1, 2, 4])
        #expect(abs(value - 7.0 / 3) < 1e-12)
        #expect(abs(try #require(halfWidth) - 3.7945830) < 1e-6)
        #expect(StudentT.mean([3]).halfWidth == nil)
    }
}
