import Coordinator
import Core
import Foundation

/// Tells how far one phase of a command is: a line that is redrawn on a terminal; elsewhere a line every few seconds
/// and one at the end.
struct PhaseProgress {
    private let name: String
    private let total: Int
    private let isTerminal: Bool
    private let write: (String) -> Void
    private let start = ContinuousClock.now
    private var lastLine: ContinuousClock.Instant?

    /// - Parameters:
    ///   - total: parts of the phase
    ///   - isTold: false says nothing: on all ranks but the first.
    init(
        _ name: String, of total: Int, isTold: Bool, isTerminal: Bool = isatty(STDERR_FILENO) == 1,
        write: @escaping (String) -> Void = { StandardStreams.tell($0) }
    ) {
        self.name = name
        self.total = total
        self.isTerminal = isTerminal
        self.write = isTold ? write : { _ in }
    }

    /// - Parameter note: said behind the numbers, such as a loss.
    mutating func update(_ done: Int, note: String = "") {
        Pulse.note()
        let now = ContinuousClock.now
        let isLast = done >= total
        if !isLast, !isTerminal, let lastLine, now - lastLine < .seconds(Progress.interval) { return }
        lastLine = now
        let (whole, fraction) = (now - start).components
        let seconds = Double(whole) + Double(fraction) * 1e-18
        var parts = ["\(name): \(done) of \(total)"]
        if !note.isEmpty { parts.append(note) }
        if done > 0, seconds > 1 {
            parts.append(String(format: "%.1f/s", Double(done) / seconds))
            if !isLast { parts.append("\(Progress.duration(seconds / Double(done) * Double(total - done))) left") }
        }
        let line = parts.joined(separator: "  ")
        write(isTerminal ? "\r\u{1B}[K\(line)\(isLast ? "\n" : "")" : "\(line)\n")
    }
}
