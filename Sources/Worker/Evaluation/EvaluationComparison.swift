import Core
import Foundation

/// The output folder of a finished evaluation.
struct EvaluationFolder {
    static let markedFile = "marked.jsonl"

    let url: URL
    /// Names of its benchmarks.
    let benchmarks: [String]
    /// By name, who rated a benchmark's answers, where that is known.
    private let judges: [String: JSON]

    init(_ url: URL) throws(MISPError) {
        self.url = url
        var names: [String] = []
        var judges: [String: JSON] = [:]
        for item in try JSONField(contentsOf: url.appending(path: "results.json"))["benchmarks"].array() {
            names.append(try item["name"].string())
            judges[names[names.count - 1]] = item["judge"].value
        }
        (benchmarks, self.judges) = (names, judges)
    }

    /// Refuses ratings by two judges, or under two prompts: they are no measure of the answers' difference.
    func checkJudge(of name: String, as first: EvaluationFolder) throws(MISPError) {
        guard let own = judges[name], let other = first.judges[name] else { return }
        let changed = Judge.identity.filter { own[$0] != other[$0] }
        guard !changed.isEmpty else { return }
        throw MISPError(
            "was judged otherwise than \(first.url.relativePath) (\(changed.joined(separator: ", ")) differ)",
            at: "\(url.relativePath): \(name)", remedy: "have both judged alike")
    }

    func file(_ name: String, of benchmark: String) -> URL {
        url.appending(path: benchmark).appending(path: name)
    }

    /// The benchmarks that all have, in the first one's order.
    static func common(_ folders: [EvaluationFolder]) throws(MISPError) -> [String] {
        let common = folders[0].benchmarks.filter { name in folders.allSatisfy { $0.benchmarks.contains(name) } }
        guard common.isEmpty else { return common }
        throw MISPError(
            "have no benchmark in common", at: folders.map(\.url.relativePath).joined(separator: " and "),
            remedy: "evaluate all with the same benchmarks")
    }

    static func otherQuestions(_ file: URL, than first: URL) -> MISPError {
        MISPError(
            "was asked other questions than \(first.relativePath)", at: file.relativePath,
            remedy: "evaluate all with the same files and the same limit")
    }
}

/// Two evaluations of the same questions, side by side, in measures.
struct EvaluationComparison {
    private let folders: (URL, URL)
    /// What the table calls them.
    private let letters: (String, String)
    private let benchmarks: [(name: String, differences: [Resampling.Difference])]

    /// - Throws: where the two have no benchmark in common, or other questions under the same name
    init(
        _ first: EvaluationFolder, _ second: EvaluationFolder, _ letters: (String, String) = ("A", "B"),
        _ resampling: Resampling
    ) throws {
        folders = (first.url, second.url)
        self.letters = letters
        benchmarks = try EvaluationFolder.common([first, second]).compactMap { name in
            let files = [first, second].map { $0.file("counts.json", of: name) }
            guard files.allSatisfy({ FileManager.default.fileExists(atPath: $0.path) }) else { return nil }
            try second.checkJudge(of: name, as: first)
            let cards = try files.map { try Scorecard(JSONField(contentsOf: $0)) }
            guard cards[0].units == cards[1].units, cards[0].measures == cards[1].measures else {
                throw EvaluationFolder.otherQuestions(files[1], than: files[0])
            }
            return (name, resampling.differences((cards[0], cards[1]), name: name))
        }
    }

    /// Benchmark, measure, both values, their difference with its interval, p; the first row names the columns.
    var rows: [[String]] {
        let (a, b) = letters
        var rows = [["benchmark", "measure", a, b, "\(b) − \(a)", "95 % interval", "p"]]
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
        return rows
    }

    var lines: [String] {
        ["\(letters.0): \(folders.0.relativePath)", "\(letters.1): \(folders.1.relativePath)"]
            + TextTable.aligned(rows, rightOf: 2)
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

/// Any number of evaluations: each of the others beside the first.
struct EvaluationComparisons {
    let folders: [EvaluationFolder]
    let pairs: [EvaluationComparison]

    /// A, B, …, Z, A1, B1, …
    static func letter(_ index: Int) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return String(letters[index % 26]) + (index < 26 ? "" : "\(index / 26)")
    }

    init(_ urls: [URL], _ resampling: Resampling) throws {
        let folders = try urls.map { try EvaluationFolder($0) }
        self.folders = folders
        pairs = try folders.indices.dropFirst().map { index in
            try EvaluationComparison(folders[0], folders[index], ("A", Self.letter(index)), resampling)
        }
    }

    var lines: [String] {
        pairs.enumerated().flatMap { index, pair in (index > 0 ? [""] : []) + pair.lines }
    }

    /// Of two evaluations their benchmarks; of more, for each of the others its folder and those.
    var json: JSON {
        if pairs.count == 1 { return pairs[0].json }
        return .array(
            zip(folders.dropFirst(), pairs).map { folder, pair in
                ["second": .string(folder.url.relativePath), "benchmarks": pair.json]
            })
    }
}
