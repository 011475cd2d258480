import Core

/// A benchmark's number: a ratio of two weighted sums of counts, as accuracy, precision, F1, CHAIR and mean ratings all
/// are. As it is data, a result can be resampled and compared without its benchmark.
struct Measure: Equatable {
    let name: String
    /// Weights of counts, by the counts' names.
    let numerator: [String: Double]
    let denominator: [String: Double]

    init(_ name: String, _ numerator: [String: Double], per denominator: [String: Double]) {
        (self.name, self.numerator, self.denominator) = (name, numerator, denominator)
    }

    /// A count per another.
    init(_ name: String, _ numerator: String, per denominator: String) {
        self.init(name, [numerator: 1], per: [denominator: 1])
    }
}

/// What answers came to: counts for each unit of sampling, and the measures to take of them.
///
/// A unit is what was drawn independently when the benchmark was made, such as a picture with all its questions:
/// intervals that took its questions for independent would be too narrow.
struct Scorecard {
    let measures: [Measure]
    private(set) var units: [String] = []
    /// By unit, the counts by name.
    private(set) var counts: [[String: Double]] = []
    private var places: [String: Int] = [:]

    init(_ measures: [Measure]) { self.measures = measures }

    mutating func add(_ name: String, _ value: Double = 1, to unit: String) {
        if places[unit] == nil {
            places[unit] = units.count
            units.append(unit)
            counts.append([:])
        }
        if let place = places[unit] { counts[place][name, default: 0] += value }
    }

    mutating func add(_ names: [String], if condition: Bool = true, to unit: String) {
        for name in names { add(name, condition ? 1 : 0, to: unit) }
    }

    /// Each measure over all units; NaN where nothing was counted.
    var values: [Double] {
        let table = CountTable(self)
        return table.values(table.sums(Array(repeating: 1, count: units.count)))
    }
}

extension Scorecard {
    var json: JSON {
        func weights(_ weights: [String: Double]) -> JSON {
            .object(JSON.Object(weights.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) }))
        }
        return [
            "measures": .array(
                measures.map {
                    [
                        "name": .string($0.name), "numerator": weights($0.numerator),
                        "denominator": weights($0.denominator),
                    ]
                }),
            "units": .object(JSON.Object(zip(units, counts.map(weights)))),
        ]
    }

    init(_ field: JSONField) throws(MISPError) {
        func weights(_ field: JSONField) throws(MISPError) -> [String: Double] {
            var weights: [String: Double] = [:]
            for key in try field.object().keys { weights[key] = try field[key].double() }
            return weights
        }
        var measures: [Measure] = []
        for item in try field["measures"].array() {
            measures.append(
                Measure(
                    try item["name"].string(), try weights(item["numerator"]), per: try weights(item["denominator"])))
        }
        self.init(measures)
        for unit in try field["units"].object().keys {
            for (name, value) in try weights(field["units"][unit]) { add(name, value, to: unit) }
        }
    }
}

/// A scorecard's counts as rows of numbers, for sums over many samples of its units.
struct CountTable {
    private let names: [String]
    private let rows: [[Double]]
    /// By measure, weights by count.
    private let numerators: [[Double]]
    private let denominators: [[Double]]

    init(_ card: Scorecard) {
        let names = Set(card.measures.flatMap { Array($0.numerator.keys) + Array($0.denominator.keys) }).sorted()
        self.names = names
        rows = card.counts.map { unit in names.map { unit[$0] ?? 0 } }
        numerators = card.measures.map { measure in names.map { measure.numerator[$0] ?? 0 } }
        denominators = card.measures.map { measure in names.map { measure.denominator[$0] ?? 0 } }
    }

    /// Counts summed over the units, each as often as `times` says.
    func sums(_ times: [Int]) -> [Double] {
        var sums = [Double](repeating: 0, count: names.count)
        for (row, times) in zip(rows, times) where times > 0 {
            for column in sums.indices { sums[column] += Double(times) * row[column] }
        }
        return sums
    }

    /// Counts summed over the units, those of `other` where `swapped` says so.
    func sums(_ other: CountTable, swapped: [Bool]) -> [Double] {
        var sums = [Double](repeating: 0, count: names.count)
        for unit in rows.indices {
            let row = swapped[unit] ? other.rows[unit] : rows[unit]
            for column in sums.indices { sums[column] += row[column] }
        }
        return sums
    }

    func values(_ sums: [Double]) -> [Double] {
        func dot(_ weights: [Double]) -> Double { zip(weights, sums).reduce(0) { $0 + $1.0 * $1.1 } }
        return zip(numerators, denominators).map { dot($0) / dot($1) }
    }
}
