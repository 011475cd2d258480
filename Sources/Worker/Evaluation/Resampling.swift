import Core

/// How sure a result is: percentile intervals by the bootstrap over units, and for two models on the same questions the
/// paired bootstrap and the paired permutation test (Efron and Tibshirani, An Introduction to the Bootstrap, chapters
/// 13 and 15).
struct Resampling {
    let seed: UInt64
    let rounds: Int

    struct Interval: Equatable {
        let low: Double
        let high: Double
    }

    struct Difference {
        let name: String
        let first: Double
        let second: Double
        /// Of second − first, 95 %.
        let interval: Interval
        /// The share of exchanges of the models' answers, unit by unit, that differ at least as much; two-sided.
        let probability: Double
    }

    /// 95 % intervals of a scorecard's measures; NaN without rounds.
    func intervals(_ card: Scorecard, name: String) -> [Interval] {
        let table = CountTable(card)
        return intervals(of: card.measures.count) { round in
            table.values(table.sums(sample(card.units.count, name, round)))
        }
    }

    /// - Parameter cards: of the same benchmark, with the same units in the same order
    func differences(_ cards: (Scorecard, Scorecard), name: String) -> [Difference] {
        let tables = (CountTable(cards.0), CountTable(cards.1))
        let units = cards.0.units.count
        func difference(_ first: [Double], _ second: [Double]) -> [Double] { zip(first, second).map { $1 - $0 } }
        let values = (cards.0.values, cards.1.values)
        let seen = difference(values.0, values.1)
        let intervals = intervals(of: seen.count) { round in
            let times = sample(units, name, round)
            return difference(tables.0.values(tables.0.sums(times)), tables.1.values(tables.1.sums(times)))
        }
        var asLarge = [Int](repeating: 1, count: seen.count)
        for round in 0..<rounds {
            var random = KeyedRandom(seed, "permutation", name, "\(round)")
            let swapped = (0..<units).map { _ in random.next() & 1 == 1 }
            let other = difference(
                tables.0.values(tables.0.sums(tables.1, swapped: swapped)),
                tables.1.values(tables.1.sums(tables.0, swapped: swapped)))
            // Sums that are equal but for rounding count as equal.
            for index in seen.indices where !(abs(other[index]) < abs(seen[index]) * (1 - 1e-12)) {
                asLarge[index] += 1
            }
        }
        return seen.indices.map { index in
            Difference(
                name: cards.0.measures[index].name, first: values.0[index], second: values.1[index],
                interval: intervals[index], probability: Double(asLarge[index]) / Double(rounds + 1))
        }
    }

    /// How often each unit occurs in a sample with replacement.
    private func sample(_ units: Int, _ name: String, _ round: Int) -> [Int] {
        var random = KeyedRandom(seed, "bootstrap", name, "\(round)")
        var times = [Int](repeating: 0, count: units)
        for _ in 0..<units { times[random.below(units)] += 1 }
        return times
    }

    private func intervals(of measures: Int, _ values: (Int) -> [Double]) -> [Interval] {
        let samples = (0..<rounds).map(values)
        return (0..<measures).map { index in
            let sorted = samples.map { $0[index] }.filter { !$0.isNaN }.sorted()
            return Interval(low: Self.quantile(sorted, 0.025), high: Self.quantile(sorted, 0.975))
        }
    }

    /// Between order statistics, linearly.
    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        guard let last = sorted.last else { return .nan }
        let place = share * Double(sorted.count - 1)
        let index = Int(place)
        guard index + 1 < sorted.count else { return last }
        return sorted[index] + (place - Double(index)) * (sorted[index + 1] - sorted[index])
    }
}
