import Core
import Foundation

/// Writes `metrics.jsonl`, a line per step, and `eval.jsonl`, a line per evaluation; each line is handed to the system at once so that others can follow the file.
package final class MetricsWriter {
    private let file: FileHandle
    private let path: String

    /// - Parameter step: the step that a resumed run continues from: lines of later steps, and a line that an abrupt
    ///   end cut short, are removed. 0 starts an empty file.
    package init(_ url: URL, continuingAfter step: Int = 0) throws {
        path = url.relativePath
        let kept = step > 0 ? Self.lines(of: url, upTo: step) : ""
        let draft = url.appendingPathExtension("new")
        try FileOutput.write(kept, to: draft)
        try FileOutput.move(draft, to: url)
        do {
            file = try FileHandle(forWritingTo: url)
            try file.seekToEnd()
        } catch {
            throw Self.failure(error, path)
        }
    }

    package func append(_ metrics: StepMetrics) throws(MISPError) { try append(metrics.json) }

    package func append(_ value: JSON) throws(MISPError) {
        var line: [UInt8] = []
        value.write(into: &line)
        line.append(UInt8(ascii: "\n"))
        do {
            try file.write(contentsOf: line)
        } catch {
            throw Self.failure(error, path)
        }
    }

    private static func lines(of url: URL, upTo step: Int) -> String {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return "" }
        let kept = text.split(separator: "\n").filter { line in
            (try? JSON(parsing: line.utf8))?["step"]?.int.map { $0 <= step } ?? false
        }
        return kept.map { "\($0)\n" }.joined()
    }

    private static func failure(_ error: any Error, _ path: String) -> MISPError {
        MISPError("cannot be written (\(error.localizedDescription))", at: path)
    }
}
