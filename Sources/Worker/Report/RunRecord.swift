import Core
import Foundation
import Yams

/// What a run has left in its output folder, finished or not.
struct RunRecord {
    let name: String
    /// By metric, (step, value), for the steps that have it.
    private(set) var series: [String: [(step: Int, value: Double)]] = [:]
    /// The resolved configuration, `section.key` by value.
    private(set) var settings: [String: String] = [:]

    init(_ folder: URL) throws {
        name = folder.standardizedFileURL.lastPathComponent
        let metrics = folder.appending(path: "metrics.jsonl")
        guard FileManager.default.fileExists(atPath: metrics.path) else {
            throw MISPError("has no metrics.jsonl", at: folder.relativePath, remedy: "give the output folder of a run")
        }
        try read(metrics) { $0 }
        guard !series.isEmpty else { throw MISPError("holds no step yet", at: metrics.relativePath) }
        for (file, prefix) in [("eval.jsonl", "held-out "), ("benchmarks.jsonl", "benchmark ")] {
            let place = folder.appending(path: file)
            if FileManager.default.fileExists(atPath: place.path) { try read(place) { prefix + $0 } }
        }
        let configuration = folder.appending(path: "config.yaml")
        if FileManager.default.fileExists(atPath: configuration.path) {
            Self.flatten(.mapping(try ConfigurationDocument(contentsOf: configuration).root), "", into: &settings)
        }
    }

    /// The line that a run is just writing may be cut; it is passed over.
    private mutating func read(_ file: URL, name: (String) -> String) throws {
        for (_, line) in try JSON.lineResults(contentsOf: file) {
            guard case .success(let value) = line, let step = value["step"]?.int else { continue }
            for (key, value) in value.object?.members ?? [] where key != "step" {
                if let number = value.double, number.isFinite {
                    series[self.name(name, key), default: []].append((step, number))
                }
            }
        }
    }

    private func name(_ rule: (String) -> String, _ key: String) -> String { rule(key) }

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

    var steps: Int { series["loss"]?.last?.step ?? 0 }

    /// The mean of the last tenth of the steps: a single step's value says little.
    func last(_ metric: String) -> Double? {
        guard let points = series[metric], !points.isEmpty else { return nil }
        let tail = points.suffix(max(1, points.count / 10))
        return tail.reduce(0) { $0 + $1.value } / Double(tail.count)
    }

    func sum(_ metric: String) -> Double? { series[metric].map { $0.reduce(0) { $0 + $1.value } } }
}
