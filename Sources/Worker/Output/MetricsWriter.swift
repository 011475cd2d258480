import Core
import Foundation

/// Writes `metrics.jsonl`, a line per step, and `eval.jsonl`, a line per evaluation; each line is handed to the system
/// at once so that others can follow the file.
package final class MetricsWriter {
    private let file: FileOutput

    /// - Parameter step: the step that a resumed run continues from: lines of later steps, and a line that an abrupt
    ///   end cut short, are removed. 0 starts an empty file.
    package init(_ url: URL, continuingAfter step: Int = 0) throws {
        let kept = step > 0 ? Self.lines(of: url, upTo: step) : ""
        let draft = url.appendingPathExtension("new")
        try FileOutput.write(kept, to: draft)
        try FileOutput.move(draft, to: url)
        file = try FileOutput(url, appending: true)
    }

    package func append(_ metrics: StepMetrics) throws { try append(metrics.json) }

    package func append(_ value: JSON) throws {
        var line: [UInt8] = []
        value.write(into: &line)
        line.append(UInt8(ascii: "\n"))
        try file.append(line)
    }

    private static func lines(of url: URL, upTo step: Int) -> String {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return "" }
        let kept = text.split(separator: "\n").filter { line in
            (try? JSON(parsing: line.utf8))?["step"]?.int.map { $0 <= step } ?? false
        }
        return kept.map { "\($0)\n" }.joined()
    }
}

extension FileOutput {
    /// Hands a line or record of a run to the system at once.
    func append(_ bytes: [UInt8]) throws {
        do {
            try bytes.withUnsafeBytes { try write($0) }
            try flush()
        } catch let error as MISPError {
            throw MISPError(
                error.what, at: error.place, remedy: "make room there, or make it writable, and resume with --resume")
        }
    }
}
