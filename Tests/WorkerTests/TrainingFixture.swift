import Core
import Foundation
import TestSupport
import Testing

/// A folder with a run.yaml over a golden checkpoint, and the worker run on it.
struct TrainingFixture {
    let folder: TemporaryFolder
    let checkpoint: URL
    /// Where groups.jsonl and the pictures lie.
    let data: URL

    /// - Parameter settings: what the configuration has besides model, data and output.
    init(_ checkpoint: String, settings: String, adapter: Bool = true) throws {
        let url = golden("checkpoints/\(checkpoint)")
        try self.init(url, data: url, settings: settings, adapter: adapter ? "adapter-init" : nil)
    }

    /// - Parameter adapter: of the checkpoint, to continue from
    init(_ checkpoint: String, settings: String, adapter: String) throws {
        let url = golden("checkpoints/\(checkpoint)")
        try self.init(url, data: url, settings: settings, adapter: adapter)
    }

    /// - Parameter adapter: of the checkpoint, to continue from
    init(family: String, settings: String, adapter: String? = nil) throws {
        try self.init(
            golden("families/\(family)"), data: golden("families"), settings: settings, adapter: adapter)
    }

    /// The goldens' pictures were read without their alpha.
    private init(_ checkpoint: URL, data: URL, settings: String, adapter: String?) throws {
        folder = try TemporaryFolder()
        (self.checkpoint, self.data) = (checkpoint, data)
        let template = try JSONField(contentsOf: checkpoint.appending(path: "golden.json"))["template_name"].string()
        let adapterLine = adapter.map { "adapter: '\(checkpoint.path)/\($0)', " } ?? ""
        try write(
            """
            model: {path: '\(checkpoint.path)', \(adapterLine)prompt: \(template)}
            data: {train: '\(data.path)/groups.jsonl', images: '\(data.path)', transparency: drop}
            \(settings)

            """, to: "run.yaml")
    }

    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: folder[name]) }

    /// Runs `misp-worker train` on so many ranks, or by itself, into the folder `output`.
    func train(
        ranks: Int? = nil, output: String = "out", _ overrides: [String] = [], resuming: Bool = false,
        arguments: [String] = [], meanwhile: (Int32) -> Void = { _ in }
    ) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker",
            ["train", "--config", folder["run.yaml"].path] + (resuming ? ["--resume"] : []) + arguments
                + ["--set", "output=\(output)"] + overrides, meanwhile: meanwhile)
    }

    func metrics(_ output: String = "out") throws -> [JSONField] {
        let file = folder["\(output)/metrics.jsonl"]
        return try JSON.lines(contentsOf: file).map { JSONField($0.value, file: "metrics.jsonl:\($0.line)") }
    }

    /// metrics.jsonl without what is measured by the clock or depends on the sharing of the work.
    func comparableMetrics(_ output: String = "out") throws -> [String] {
        try metrics(output).map { line in
            let members = try line.object().members.filter { key, _ in
                !key.hasPrefix("time/") && !["tokens_per_second", "mfu", "balance/efficiency"].contains(key)
            }
            return JSON.object(JSON.Object(members.map { ($0.key, $0.value) })).description
        }
    }

    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder[name]) }

    func adapter(_ output: String = "out") throws -> [String: [Float]] {
        try Self.tensors(folder["\(output)/adapter/adapter_model.safetensors"])
    }

    /// The tensors of a file by their canonical names.
    static func tensors(_ file: URL) throws -> [String: [Float]] {
        var result: [String: [Float]] = [:]
        for tensor in try SafetensorsFile(contentsOf: file).tensors.values {
            result[TensorCatalog.canonical(tensor.name)] =
                tensor.widened(Float.self, rows: 1, columns: tensor.count).elements
        }
        return result
    }

    /// The names of a file's tensors as they stand there.
    static func names(_ file: URL) throws -> Set<String> { Set(try SafetensorsFile(contentsOf: file).tensors.keys) }

    /// The mean difference between elements of tensors of the same names and sizes.
    static func meanDifference(_ a: [String: [Float]], _ b: [String: [Float]]) -> Double {
        var (sum, count) = (0.0, 0)
        for (name, values) in a {
            guard let other = b[name], other.count == values.count else { return .infinity }
            for (x, y) in zip(values, other) { sum += abs(Double(x) - Double(y)) }
            count += values.count
        }
        return sum / Double(max(count, 1))
    }

    /// The largest difference between tensors of the same names; infinite where names or sizes differ.
    static func difference(_ a: [String: [Float]], _ b: [String: [Float]]) -> Float {
        guard Set(a.keys) == Set(b.keys), !a.isEmpty else { return .infinity }
        return a.reduce(0) { worst, entry in
            guard let other = b[entry.key], other.count == entry.value.count else { return .infinity }
            return zip(entry.value, other).reduce(worst) { max($0, abs($1.0 - $1.1)) }
        }
    }
}
