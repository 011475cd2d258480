import Core
import Foundation

/// Runs that differ in settings and seeds: for each setting the measures' means over seeds, with intervals.
struct Sweep {
    /// Runs with the same settings but for the seed.
    struct Arm {
        /// Of `Sweep.keys`, in that order.
        let values: [String]
        var runs: [RunRecord]
        /// By measure, one value a run that has it.
        var measures: [String: [Double]] = [:]
    }

    /// Settings in which the runs differ.
    let keys: [String]
    private(set) var arms: [Arm] = []
    /// In the order in which tables show them.
    private(set) var measures: [String] = []

    /// - Parameter folders: output folders of runs; what `evaluate` found stands in their folder `evaluation`
    /// - Throws: `MISPError` for a folder that holds no run, and for two runs with the same settings and seed
    init(_ folders: [URL]) throws {
        let runs = try folders.map { (folder: $0, record: try RunRecord($0)) }
        keys = Self.differing(runs.map(\.record.settings))
        var seen: [[String]: URL] = [:]
        for (folder, record) in runs {
            let values = keys.map { record.settings[$0] ?? "–" }
            let seed = record.settings["seed"] ?? "–"
            if let first = seen.updateValue(folder, forKey: values + [seed]) {
                throw MISPError(
                    "has the settings and the seed of \(first.relativePath)", at: folder.relativePath,
                    remedy: "leave one of the two out")
            }
            let place = arms.firstIndex { $0.values == values } ?? arms.count
            if place == arms.count { arms.append(Arm(values: values, runs: [])) }
            arms[place].runs.append(record)
            for (name, value) in Self.measures(record) {
                if !measures.contains(name) { measures.append(name) }
                arms[place].measures[name, default: []].append(value)
            }
        }
        arms.sort { Self.precedes($0.values, $1.values) }
    }

    /// All but seed, places and machine.
    private static func differing(_ settings: [[String: String]]) -> [String] {
        Set(settings.flatMap(\.keys)).sorted().filter { key in
            key != "seed" && key != "output" && !key.hasPrefix("environment.") && !key.hasPrefix("cache.")
                && Set(settings.map { $0[key] }).count > 1
        }
    }

    /// The evaluation's measures, then what the run says of itself.
    private static func measures(_ record: RunRecord) -> [(String, Double)] {
        let own: [(String, Double?)] = [
            ("held-out loss", record.series["held-out loss"]?.last?.value), ("loss", record.last("loss")),
            ("reward accuracy", record.last("rewards/accuracies")), ("reward margin", record.last("rewards/margins")),
            ("hours", record.sum("time/step").map { $0 / 3600 }),
        ]
        let found = record.evaluation?.measures.map { ($0.name, $0.value) } ?? []
        return found + own.compactMap { name, value in value.map { (name, $0) } }
    }

    /// Numbers by size, words by letters.
    private static func precedes(_ a: [String], _ b: [String]) -> Bool {
        for (x, y) in zip(a, b) where x != y {
            if let x = Double(x), let y = Double(y) { return x < y }
            return x < y
        }
        return false
    }

    /// `0.713 ± 0.021`: the mean over seeds and half of its 95 % interval.
    static func text(_ values: [Double]) -> String {
        guard !values.isEmpty else { return "–" }
        let (mean, halfWidth) = StudentT.mean(values)
        return LineChart.label(mean) + (halfWidth.map { " ± \(String(format: "%.2g", $0))" } ?? "")
    }

    /// A row of names, then a row for each arm.
    func cells(_ shown: [String]) -> [[String]] {
        [keys + ["seeds"] + shown]
            + arms.map { arm in
                arm.values + ["\(arm.runs.count)"] + shown.map { Self.text(arm.measures[$0] ?? []) }
            }
    }

    /// The table for a terminal: the evaluation's measures, or the run's own where there was none.
    var lines: [String] {
        let own = ["held-out loss", "loss", "reward accuracy", "reward margin", "hours"]
        let evaluated = measures.filter { !own.contains($0) }
        let shown = evaluated.isEmpty ? measures : evaluated + measures.filter { $0 == "hours" }
        return TextTable.aligned(cells(shown), rightOf: keys.count)
            + ["", "Means over seeds ± half of their 95 % intervals (Student's t)."]
    }

    var json: JSON {
        let arms = arms.map { arm -> JSON in
            let settings = zip(keys, arm.values).map { ($0, JSON.string($1)) }
            let values = measures.compactMap { name -> (String, JSON)? in
                guard let values = arm.measures[name] else { return nil }
                let (mean, halfWidth) = StudentT.mean(values)
                return (
                    name,
                    [
                        "values": .array(values.map(JSON.number)), "mean": .number(mean),
                        "half_width": halfWidth.map(JSON.number) ?? .null,
                    ]
                )
            }
            return [
                "settings": .object(JSON.Object(settings)), "runs": .array(arm.runs.map { .string($0.name) }),
                "measures": .object(JSON.Object(values)),
            ]
        }
        return ["keys": .array(keys.map(JSON.string)), "arms": .array(arms)]
    }
}
