import Core
import Foundation

/// Results as a table and as JSON.
struct EvaluationReport {
    let results: [Evaluation.Result]

    init(_ results: [Evaluation.Result]) { self.results = results }

    /// Benchmark, measure, value, 95 % interval.
    var lines: [String] {
        var rows = [["benchmark", "measure", "value", "95 % interval", "questions"]]
        for result in results {
            guard let card = result.card else {
                rows.append([result.source.name, "waits for ratings", "", "", "\(result.questions)"])
                continue
            }
            for (index, value) in card.values.enumerated() {
                let interval = result.intervals[index]
                rows.append([
                    index == 0 ? result.source.name : "", card.measures[index].name, Self.format(value),
                    interval.low.isNaN ? "" : "\(Self.format(interval.low)) – \(Self.format(interval.high))",
                    index == 0 ? "\(result.questions)" : "",
                ])
            }
        }
        return TextTable.aligned(rows, rightOf: 2)
    }

    /// Shares with four decimals; rewards and ratings with as many digits as matter.
    static func format(_ value: Double) -> String {
        value.isNaN ? "–" : String(format: abs(value) < 10 ? "%.4f" : "%.2f", value)
    }

    /// Writes results.json.
    func write(to folder: URL) throws {
        let benchmarks = results.map { result -> JSON in
            let measures = (result.card?.measures ?? []).indices.map { index -> JSON in
                let interval = result.intervals[index]
                return [
                    "name": .string(result.card?.measures[index].name ?? ""),
                    "value": .number(result.card?.values[index] ?? .nan), "low": .number(interval.low),
                    "high": .number(interval.high),
                ]
            }
            var object = JSON.Object([
                ("name", .string(result.source.name)), ("kind", .string(result.source.kind.rawValue)),
                ("questions", .integer(result.questions)), ("units", .integer(result.card?.units.count ?? 0)),
                ("measures", .array(measures)),
            ])
            object["judge"] = result.judge
            return .object(object)
        }
        let root: JSON = ["version": .string(Release.version), "benchmarks": .array(benchmarks)]
        try FileOutput.write(root.description + "\n", to: folder.appending(path: "results.json"))
    }
}
