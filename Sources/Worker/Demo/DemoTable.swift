import Core
import Foundation

/// The demonstration's result, as text: what each model gets wrong on held-out pictures, and what it cost.
package struct DemoTable: Sendable {
    package struct Column: Sendable {
        package let name: String
        package let mistakes: DemoMistakes
        package let steps: Int
        package let groupsPerStep: Int
        /// Sequences of a group that the model goes through in a step.
        package let sequences: Int
        package let seconds: Double

        package init(
            name: String, mistakes: DemoMistakes, steps: Int, groupsPerStep: Int, sequences: Int, seconds: Double
        ) {
            (self.name, self.mistakes, self.steps) = (name, mistakes, steps)
            (self.groupsPerStep, self.sequences, self.seconds) = (groupsPerStep, sequences, seconds)
        }
    }

    /// Warm-up, DPO, MISP-DPO.
    package let columns: [Column]

    package init(columns: [Column]) { self.columns = columns }

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
            let (value, error) = column.mistakes.accuracy
            return String(format: "%.3f ± %.3f", value, error)
        }
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
        row("sequences per step") { "\($0.groupsPerStep * $0.sequences)" }
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
        guard let own = self.columns.last?.mistakes, let other = self.columns.dropLast().last?.mistakes else {
            return ["columns": .array(columns)]
        }
        return [
            "columns": .array(columns), "only_last_right": .integer(own.ahead(of: other)),
            "only_last_wrong": .integer(other.ahead(of: own)),
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

    /// Compares the last column with the one before it, question by question: with b and c questions that only one of
    /// the two gets right, b − c has the standard error √(b + c) if neither is better (McNemar's test).
    package var reading: [String] {
        guard columns.count > 1 else { return [] }
        let (other, own) = (columns[columns.count - 2], columns[columns.count - 1])
        let (ahead, behind) = (own.mistakes.ahead(of: other.mistakes), other.mistakes.ahead(of: own.mistakes))
        let difference = Double(ahead - behind)
        let isClear = abs(difference) > 2 * Double(ahead + behind).squareRoot()
        let (best, rest) = ahead >= behind ? (own, other) : (other, own)
        let totals = "(\(best.mistakes.total) against \(rest.mistakes.total) in \(own.mistakes.answers.count))"
        let verdict =
            if ahead == behind {
                "On this seed \(own.name) and \(other.name) make equally many mistakes."
            } else {
                "On this seed \(best.name) makes fewer mistakes than \(rest.name) \(totals), "
                    + (isClear
                        ? "by more than two standard errors."
                        : "but by less than two standard errors: chance alone may do that.")
            }
        let counts = "\(own.name) alone is right on \(ahead) questions, \(other.name) alone on \(behind)."
        return [verdict, counts]
    }
}
