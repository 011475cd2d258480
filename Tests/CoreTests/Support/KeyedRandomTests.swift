import Core
import Foundation
import Testing

@Suite struct KeyedRandomTests {
    /// Pinned: another sequence would make resumed runs differ from those that began before.
    @Test func theSequenceIsFixed() {
        var random = KeyedRandom(1, "negatives", "0", "group")
        let first = (random.next(), random.next())
        var again = KeyedRandom(1, "negatives", "0", "group")
        #expect(first == (again.next(), again.next()))
        #expect(first == (0xA502_8D81_FCD6_56E9, 0x5F85_75EA_9C85_8512))
    }

    @Test func everyKeyCounts() {
        let sequences = [
            KeyedRandom(1, "a", "bc"), KeyedRandom(1, "ab", "c"), KeyedRandom(1, "abc"), KeyedRandom(1, "abc", ""),
            KeyedRandom(1, "", "abc"), KeyedRandom(2, "abc"), KeyedRandom(1), KeyedRandom(0), KeyedRandom(1, "é"),
            KeyedRandom(1, "e\u{301}"),
        ]
        let firsts = sequences.map { sequence in
            var sequence = sequence
            return sequence.next()
        }
        #expect(Set(firsts).count == firsts.count)
    }

    private func moments(_ count: Int, _ draw: (inout KeyedRandom) -> Double) -> (mean: Double, variance: Double) {
        var random = KeyedRandom(9, "moments")
        var (sum, squares) = (0.0, 0.0)
        for _ in 0..<count {
            let x = draw(&random)
            sum += x
            squares += x * x
        }
        let mean = sum / Double(count)
        return (mean, squares / Double(count) - mean * mean)
    }

    /// Five standard errors of the mean at 40,000 numbers; the variance within 3 %.
    @Test func momentsOfTheDistributions() {
        let count = 40000
        for (expected, draw) in [
            ((0.5, 1.0 / 12), { $0.uniform() }), ((0, 1), { $0.normal() }),
            ((0.5772156649, Double.pi * Double.pi / 6), { $0.gumbel() }),
        ] as [((Double, Double), (inout KeyedRandom) -> Double)] {
            let (mean, variance) = moments(count, draw)
            #expect(abs(mean - expected.0) < 5 * (expected.1 / Double(count)).squareRoot())
            #expect(abs(variance / expected.1 - 1) < 0.03)
        }
    }

    /// A whole sequence per key, not only along one sequence: first numbers of many keys are uniform too.
    @Test func firstNumbersOfKeysAreUniform() {
        var bins = [Int](repeating: 0, count: 20)
        for key in 0..<20000 {
            var random = KeyedRandom(0, "key", String(key))
            bins[Int(random.uniform() * 20)] += 1
        }
        let chiSquare = bins.reduce(0.0) { $0 + pow(Double($1) - 1000, 2) / 1000 }
        #expect(chiSquare < 50, "19 degrees of freedom: 50 is passed once in 10,000 times")
    }

    @Test func uniformStaysInsideItsInterval() {
        var random = KeyedRandom(3, "interval")
        for _ in 0..<10000 {
            let u = random.uniform()
            #expect(u > 0 && u < 1)
            #expect((0..<7).contains(random.below(7)))
        }
        #expect(random.below(1) == 0)
    }

    @Test func permutationsAreEquallyLikely() {
        var counts: [[Int]: Int] = [:]
        var random = KeyedRandom(4, "order")
        for _ in 0..<12000 { counts[random.permutation(4), default: 0] += 1 }
        #expect(counts.count == 24)
        for count in counts.values { #expect(abs(count - 500) < 110) }
        #expect(random.permutation(0) == [])
        #expect(random.permutation(1) == [0])
    }
}
