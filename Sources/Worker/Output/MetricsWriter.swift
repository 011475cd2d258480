import Core
import Foundation

/// Writes lines of a run, each of which names its step: `metrics.jsonl`, `eval.jsonl` and their like. A line is handed
/// to the system at once so that others can follow the file.
package final class MetricsWriter {
    private let file: FileOutput

    /// - Parameter step: the step that a resumed run continues from: lines of later steps, and a line that an abrupt
    ///   end cut short, are removed. 0 starts an empty file.
    package init(_ url: URL, continuingAfter step: Int = 0) throws {
        let kept = step > 0 ? Self.lines(of: url, upTo: step) : Data()
        let draft = url.appendingPathExtension("new")
        try FileOutput.create(draft) { output in try kept.withUnsafeBytes { try output.write($0) } }
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

    /// As bytes: the end of a line that was cut need not be the end of a character.
    private static func lines(of url: URL, upTo step: Int) -> Data {
        guard let content = try? Data(contentsOf: url) else { return Data() }
        let kept = content.split(separator: UInt8(ascii: "\n")).filter { line in
            (try? JSON(parsing: line))?["step"]?.int.map { $0 <= step } ?? false
        }
        return Data(kept.flatMap { $0 + [UInt8(ascii: "\n")] })
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
