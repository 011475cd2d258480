import Core
import Foundation

/// What an evaluation has left in its output folder: measures with their intervals.
struct EvaluationRecord {
    struct Measure {
        /// Benchmark and measure: `pope accuracy`.
        let name: String
        let value: Double
        /// The interval's ends, where it has one.
        let interval: (low: Double, high: Double)?
    }

    static let file = "results.json"

    let name: String
    let measures: [Measure]
    /// The page that lays its answers beside others', if there is one.
    let comparison: URL?

    /// - Throws: `MISPError` for a file that is not as `evaluate` writes it
    init(_ folder: URL, name: String? = nil) throws(MISPError) {
        self.name = name ?? folder.standardizedFileURL.lastPathComponent
        var measures: [Measure] = []
        for benchmark in try JSONField(contentsOf: folder.appending(path: Self.file))["benchmarks"].array() {
            let title = try benchmark["name"].string()
            for measure in try benchmark["measures"].array() where measure["value"].isPresent {
                let (low, high) = (measure["low"], measure["high"])
                let isKnown = low.isPresent && high.isPresent
                measures.append(
                    Measure(
                        name: "\(title) \(try measure["name"].string())", value: try measure["value"].double(),
                        interval: isKnown ? (try low.double(), try high.double()) : nil))
            }
        }
        self.measures = measures
        let page = folder.appending(path: "compare.html")
        comparison = FileManager.default.fileExists(atPath: page.path) ? page : nil
    }

    /// That of a run that was evaluated into its own folder.
    static func of(run folder: URL, name: String) throws(MISPError) -> EvaluationRecord? {
        let place = folder.appending(path: "evaluation")
        guard isThere(place) else { return nil }
        return try EvaluationRecord(place, name: name)
    }

    static func isThere(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: file).path)
    }

    /// A row for each measure, a column for each evaluation; the first row names the columns. Cells have the interval
    /// in a line of its own.
    static func cells(_ records: [EvaluationRecord]) -> [[String]] {
        var names: [String] = []
        for measure in records.flatMap(\.measures) where !names.contains(measure.name) { names.append(measure.name) }
        let rows = names.map { name in
            [name] + records.map { $0.measures.first { $0.name == name }?.text ?? "–" }
        }
        return names.isEmpty ? [] : [[""] + records.map(\.name)] + rows
    }
}

extension EvaluationRecord.Measure {
    fileprivate var text: String {
        let range = interval.map { "\n\(LineChart.label($0.low)) to \(LineChart.label($0.high))" }
        return LineChart.label(value) + (range ?? "")
    }
}
