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
        return Self.aligned(rows, rightOf: 2)
    }

    /// Shares with four decimals; rewards and ratings with as many digits as matter.
    static func format(_ value: Double) -> String {
        value.isNaN ? "–" : String(format: abs(value) < 10 ? "%.4f" : "%.2f", value)
    }

    /// Rows as columns, those from `column` on to the right.
    static func aligned(_ rows: [[String]], rightOf column: Int) -> [String] {
        let widths = (rows.first ?? []).indices.map { index in rows.map { $0[index].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { index, cell -> String in
                let space = String(repeating: " ", count: widths[index] - cell.count)
                return index < column ? cell + space : space + cell
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
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
            return [
                "name": .string(result.source.name), "kind": .string(result.source.kind.rawValue),
                "questions": .integer(result.questions), "units": .integer(result.card?.units.count ?? 0),
                "measures": .array(measures),
            ]
        }
        let root: JSON = ["version": .string(Program.version), "benchmarks": .array(benchmarks)]
        try FileOutput.write(root.description + "\n", to: folder.appending(path: "results.json"))
    }
}

/// Two evaluations of the same questions, side by side.
struct EvaluationComparison {
    private let folders: (URL, URL)
    private let benchmarks: [(name: String, differences: [Resampling.Difference])]

    /// - Throws: where the two have no benchmark in common, or other questions under the same name
    init(_ first: URL, _ second: URL, _ resampling: Resampling) throws {
        folders = (first, second)
        let names = try [first, second].map { folder in
            try JSONField(contentsOf: folder.appending(path: "results.json"))["benchmarks"].array().map {
                try $0["name"].string()
            }
        }
        let common = names[0].filter(names[1].contains)
        guard !common.isEmpty else {
            throw MISPError(
                "have no benchmark in common", at: "\(first.relativePath) and \(second.relativePath)",
                remedy: "evaluate both with the same benchmarks")
        }
        benchmarks = try common.compactMap { name in
            let files = [first, second].map { $0.appending(path: name).appending(path: "counts.json") }
            guard files.allSatisfy({ FileManager.default.fileExists(atPath: $0.path) }) else { return nil }
            let cards = try files.map { try Scorecard(JSONField(contentsOf: $0)) }
            guard cards[0].units == cards[1].units, cards[0].measures == cards[1].measures else {
                throw MISPError(
                    "was asked other questions than \(files[0].relativePath)", at: files[1].relativePath,
                    remedy: "evaluate both with the same files and the same limit")
            }
            return (name, resampling.differences((cards[0], cards[1]), name: name))
        }
    }

    var lines: [String] {
        var rows = [["benchmark", "measure", "A", "B", "B − A", "95 % interval", "p"]]
        for (name, differences) in benchmarks {
            for (index, item) in differences.enumerated() {
                let interval = item.interval
                rows.append([
                    index == 0 ? name : "", item.name, EvaluationReport.format(item.first),
                    EvaluationReport.format(item.second), EvaluationReport.format(item.second - item.first),
                    interval.low.isNaN
                        ? "" : "\(EvaluationReport.format(interval.low)) – \(EvaluationReport.format(interval.high))",
                    String(format: "%.4f", item.probability),
                ])
            }
        }
        return ["A: \(folders.0.relativePath)", "B: \(folders.1.relativePath)"]
            + EvaluationReport.aligned(rows, rightOf: 2)
    }

    var json: JSON {
        .array(
            benchmarks.map { name, differences in
                [
                    "name": .string(name),
                    "measures": .array(
                        differences.map {
                            [
                                "name": .string($0.name), "first": .number($0.first), "second": .number($0.second),
                                "low": .number($0.interval.low), "high": .number($0.interval.high),
                                "p": .number($0.probability),
                            ]
                        }),
                ]
            })
    }
}
