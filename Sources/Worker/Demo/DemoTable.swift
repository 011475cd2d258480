import Core
import Foundation

/// The demonstration's result, as text: what each model gets wrong on held-out pictures, and what it cost.
package struct DemoTable: Sendable {
    package struct Column: Sendable {
        package let name: String
        package let mistakes: DemoMistakes
        package let steps: Int
        package let groupsPerStep: Int
        package let seconds: Double

        package init(name: String, mistakes: DemoMistakes, steps: Int, groupsPerStep: Int, seconds: Double) {
            (self.name, self.mistakes, self.steps) = (name, mistakes, steps)
            (self.groupsPerStep, self.seconds) = (groupsPerStep, seconds)
        }
    }

    /// The warm-up, then the arms.
    package let columns: [Column]
    /// Seconds that went into negatives before any training: CLIP, and the mining with it.
    package let minedIn: (clip: Double, mining: Double)

    package init(columns: [Column], minedIn: (clip: Double, mining: Double) = (0, 0)) {
        (self.columns, self.minedIn) = (columns, minedIn)
    }

    /// The rows, then a sentence that says how to read them.
    package var lines: [String] {
        var rows: [(String, [String])] = [("", columns.map(\.name))]
        func row(_ title: String, _ value: (Column) -> String) { rows.append((title, columns.map(value))) }
        func counts(_ title: String, _ value: (DemoMistakes) -> (wrong: Int, asked: Int)) {
            let asked = columns.first.map { value($0.mistakes).asked } ?? 0
            let name = title.padding(toLength: max(title.count, 21), withPad: " ", startingAt: 0)
            row("\(name)of \(asked)") { "\(value($0.mistakes).wrong)" }
        }
        row("accuracy, yes/no") { column in
            String(format: "%.3f", column.mistakes.accuracy.value)
        }
        row("  standard error") { column in String(format: "%.3f", column.mistakes.accuracy.error) }
        counts("false yes") { $0.falseYes }
        counts("  any absent thing") { $0.count(.random) }
        counts("  in usual colour") { $0.count(.popular) }
        counts("  of parts in sight") { $0.count(.adversarial) }
        counts("missed (false no)") { $0.missed }
        counts("wrong captions") { $0.captions }
        for (index, error) in DemoQuestion.errors.enumerated() {
            row("  wrong \(error)") { "\($0.mistakes.count(.caption, answer: index + 1).wrong)" }
        }
        row("steps × groups") { "\($0.steps) × \($0.groupsPerStep)" }
        row("seconds") { String(format: "%.1f", $0.seconds) }
        return Self.aligned(rows) + [""] + reading
    }

    /// The same as numbers: per column what was asked and what was answered wrongly.
    package var json: JSON {
        let columns = columns.map { column -> JSON in
            func counts(_ value: (wrong: Int, asked: Int)) -> JSON {
                ["wrong": .integer(value.wrong), "asked": .integer(value.asked)]
            }
            let mistakes = column.mistakes
            return [
                "name": .string(column.name), "accuracy": .number(mistakes.accuracy.value),
                "accuracy_error": .number(mistakes.accuracy.error), "false_yes": counts(mistakes.falseYes),
                "missed": counts(mistakes.missed), "captions": counts(mistakes.captions),
                "all": counts((mistakes.total, mistakes.answers.count)), "seconds": .number(column.seconds),
            ]
        }
        return [
            "columns": .array(columns), "comparisons": .array(comparisons.map(\.json)),
            "clip_seconds": .number(minedIn.clip), "mining_seconds": .number(minedIn.mining),
        ]
    }

    private static func aligned(_ rows: [(String, [String])]) -> [String] {
        let title = rows.map(\.0.count).max() ?? 0
        let widths = (rows.first?.1.indices ?? 0..<0).map { column in rows.map { $0.1[column].count }.max() ?? 0 }
        return rows.map { name, cells in
            let spaced = zip(cells, widths).map { cell, width in
                String(repeating: " ", count: width - cell.count + 3) + cell
            }
            return name + String(repeating: " ", count: title - name.count) + spaced.joined()
        }
    }

    /// Two columns, question by question. With b and c questions that only one of the two gets right, b − c has the
    /// standard error √(b + c) if neither is better (McNemar's test).
    package struct Comparison: Sendable {
        package let own, other: Column
        package var ahead: Int { own.mistakes.ahead(of: other.mistakes) }
        package var behind: Int { other.mistakes.ahead(of: own.mistakes) }
        package var standardErrors: Double {
            Double(ahead - behind) / Double(max(ahead + behind, 1)).squareRoot()
        }

        /// What it says on this seed.
        package var sentence: String {
            let counts = "\(own.mistakes.total) mistakes against \(other.mistakes.total)"
            let errors = String(format: "%+.1f standard errors", standardErrors)
            let verdict =
                abs(standardErrors) > 2 ? (standardErrors > 0 ? "better" : "worse") : "within chance"
            return "\(own.name) beside \(other.name): \(counts), \(errors): \(verdict)"
        }

        var json: JSON {
            [
                "name": .string(own.name), "beside": .string(other.name), "only_this_right": .integer(ahead),
                "only_other_right": .integer(behind), "standard_errors": .number(standardErrors),
            ]
        }
    }

    /// Each arm beside the one before it, from which it differs in one thing; and the last beside the first.
    package var comparisons: [Comparison] {
        let steps = columns.indices.dropFirst().map { Comparison(own: columns[$0], other: columns[$0 - 1]) }
        guard columns.count > 3, let last = columns.last else { return steps }
        return steps + [Comparison(own: last, other: columns[1])]
    }

    package var reading: [String] {
        guard columns.count > 1 else { return [] }
        let asked = columns[0].mistakes.answers.count
        return ["On this seed, of \(asked) questions (plus: fewer mistakes; beyond ±2, more than chance):"]
            + comparisons.map { "  \($0.sentence)" }
    }
}
