import Core
import Foundation
import Yams

/// What a run has left in its output folder, finished or not.
struct RunRecord {
    let name: String
    let folder: URL
    /// By metric, (step, value), for the steps that have it.
    private(set) var series: [String: [(step: Int, value: Double)]] = [:]
    /// The resolved configuration, `section.key` by value.
    private(set) var settings: [String: String] = [:]
    /// What the model in training said about a few pictures, in the order of the steps.
    private(set) var answers: [Answer] = []
    /// Of the run's own folder `evaluation`.
    let evaluation: EvaluationRecord?

    /// A line of answers.jsonl.
    struct Answer {
        /// Steps taken before it.
        let step: Int
        let id, prompt, image, chosen, text: String
        /// Whether it would have gone on.
        let isCut: Bool
    }

    private static let metricsFile = "metrics.jsonl"
    static let answersFile = "answers.jsonl"
    static let heldOutPrefix = "held-out "
    static let benchmarkPrefix = "benchmark "

    /// - Parameter isEvaluated: false for a run that is just ending: what its folder `evaluation` has is an earlier
    ///   one's
    init(_ folder: URL, isEvaluated: Bool = true) throws {
        self.folder = folder
        name = folder.standardizedFileURL.lastPathComponent
        let metrics = folder.appending(path: Self.metricsFile)
        guard Self.isThere(folder) else {
            throw MISPError("has no metrics.jsonl", at: folder.relativePath, remedy: "give the output folder of a run")
        }
        evaluation = isEvaluated ? try EvaluationRecord.of(run: folder, name: name) : nil
        try read(metrics, "")
        guard !series.isEmpty else { throw MISPError("holds no step yet", at: metrics.relativePath) }
        for (file, prefix) in [("eval.jsonl", Self.heldOutPrefix), ("benchmarks.jsonl", Self.benchmarkPrefix)] {
            let place = folder.appending(path: file)
            if FileManager.default.fileExists(atPath: place.path) { try read(place, prefix) }
        }
        let answers = folder.appending(path: Self.answersFile)
        if FileManager.default.fileExists(atPath: answers.path) { try read(answers: answers) }
        let configuration = folder.appending(path: "config.yaml")
        if FileManager.default.fileExists(atPath: configuration.path) {
            Self.flatten(.mapping(try ConfigurationDocument(contentsOf: configuration).root), "", into: &settings)
        }
    }

    static func isThere(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: metricsFile).path)
    }

    /// The line that a run is just writing may be cut; it is passed over.
    private static func lines(_ file: URL) throws -> [(step: Int, value: JSON)] {
        try JSON.lineResults(contentsOf: file).compactMap { _, line in
            guard case .success(let value) = line, let step = value["step"]?.int, step >= 0 else { return nil }
            return (step, value)
        }
    }

    private mutating func read(_ file: URL, _ prefix: String) throws {
        for (step, value) in try Self.lines(file) {
            // The model is still the one that it is compared with: no reward is greater than another.
            let isTied = value["rewards/margins"]?.double == 0
            for (key, value) in value.object?.members ?? [] where key != "step" {
                guard let number = value.double, number.isFinite, !(isTied && key == "rewards/accuracies") else {
                    continue
                }
                series[prefix + key, default: []].append((step, number))
            }
        }
    }

    private mutating func read(answers file: URL) throws {
        for (step, line) in try Self.lines(file) {
            guard let text = line["answer"]?.string, let prompt = line["prompt"]?.string else { continue }
            func string(_ key: String) -> String { line[key]?.string ?? "" }
            answers.append(
                Answer(
                    step: step, id: string("id"), prompt: prompt, image: string("image"), chosen: string("chosen"),
                    text: text, isCut: line["cut"]?.bool ?? false))
        }
    }

    private static func flatten(_ node: Node, _ path: String, into settings: inout [String: String]) {
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                let key = key.scalar?.string ?? ""
                flatten(value, path.isEmpty ? key : "\(path).\(key)", into: &settings)
            }
        case .sequence(let list): settings[path] = list.map { $0.scalar?.string ?? "" }.joined(separator: ", ")
        case .scalar(let scalar): settings[path] = scalar.string
        case .alias: break
        }
    }

    var hasHeldOutGroups: Bool { settings["data.eval"].map { $0 != "null" } ?? false }

    var steps: Int { series["loss"]?.last?.step ?? 0 }

    /// The mean of the last tenth of the steps: a single step's value says little.
    func last(_ metric: String) -> Double? {
        guard let points = series[metric], !points.isEmpty else { return nil }
        let tail = points.suffix(max(1, points.count / 10))
        return tail.reduce(0) { $0 + $1.value } / Double(tail.count)
    }

    func sum(_ metric: String) -> Double? { series[metric].map { $0.reduce(0) { $0 + $1.value } } }
}
