import Core
import Foundation

/// Tells how far a run is: one line that is redrawn on a terminal; elsewhere a line every few seconds and one for the
/// last step.
package struct Progress {
    /// Seconds between lines where nothing is redrawn.
    package static let interval = 5.0

    private let steps: Int
    private let isTerminal: Bool
    private let write: (String) -> Void
    private var secondsPerStep = 0.0
    private var groupsPerStep = 0.0
    private var tokensPerStep = 0.0
    private var updates = 0.0
    /// Infinite before the first line, so that the first step is told at once.
    private var secondsSinceLine = Double.infinity

    /// - Parameters:
    ///   - steps: the step at which the run ends.
    ///   - isTerminal: whether lines can be redrawn; asked of standard error by default.
    package init(
        steps: Int, isTerminal: Bool = isatty(STDERR_FILENO) == 1,
        write: @escaping (String) -> Void = { StandardStreams.tell($0) }
    ) {
        self.steps = steps
        self.isTerminal = isTerminal
        self.write = write
    }

    /// Tells of a finished step that took `metrics[.timeStep]` seconds for so many groups and tokens.
    package mutating func update(_ metrics: StepMetrics, groups: Int, tokens: Int) {
        average(seconds: max(metrics[.timeStep], 1e-9), groups: Double(groups), tokens: Double(tokens))
        secondsSinceLine += metrics[.timeStep]
        let isLast = metrics.step >= steps
        if isTerminal {
            write("\r\u{1B}[K" + line(metrics) + (isLast ? "\n" : ""))
        } else if isLast || !(secondsSinceLine < Self.interval) {
            secondsSinceLine = 0
            write(line(metrics) + "\n")
        }
    }

    /// Leaves the redrawn line as it stands, before something else is written.
    package func pause() {
        if isTerminal, updates > 0 { write("\n") }
    }

    /// A mean over about the last twenty steps.
    private mutating func average(seconds: Double, groups: Double, tokens: Double) {
        updates += 1
        let share = max(1 / updates, 0.05)
        secondsPerStep += share * (seconds - secondsPerStep)
        groupsPerStep += share * (groups - groupsPerStep)
        tokensPerStep += share * (tokens - tokensPerStep)
    }

    private func line(_ metrics: StepMetrics) -> String {
        var parts = ["step \(metrics.step)/\(steps)", "loss \(Self.decimal(metrics[.loss]))"]
        if !metrics[.rewardMargin].isNaN { parts.append("margin \(Self.decimal(metrics[.rewardMargin]))") }
        parts.append("\(Self.rate(groupsPerStep / secondsPerStep)) groups/s")
        parts.append("\(Self.rate(tokensPerStep / secondsPerStep)) tokens/s")
        if metrics.step < steps {
            parts.append("\(Self.duration(Double(steps - metrics.step) * secondsPerStep)) left")
        }
        return parts.joined(separator: "  ")
    }

    private static func decimal(_ value: Double) -> String { String(format: "%.4f", value) }

    private static func rate(_ value: Double) -> String {
        String(format: value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value)
    }

    /// `4 s`, `3:20 min`, `5:07 h`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "unknown" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return String(format: "%d:%02d min", whole / 60, whole % 60) }
        return String(format: "%d:%02d h", whole / 3600, whole / 60 % 60)
    }
}
