import Core
import Foundation

/// report.html: one run's curves and answers, or several runs' side by side. One file that needs nothing else.
struct ReportPage {
    var runs: [RunRecord]
    /// Beside those that the runs have in their own folders.
    var evaluations: [EvaluationRecord] = []
    /// From 0 to below 1: how smooth the curves of steps are.
    var smoothing = 0.0

    func write(to url: URL) throws { try FileOutput.write(html(in: url.deletingLastPathComponent()), to: url) }

    /// - Parameter folder: in which the page lies
    func html(in folder: URL) -> String {
        let title =
            switch runs.count {
            case 0: "\(evaluations.count) evaluations"
            case 1: runs[0].name
            default: "\(runs.count) runs"
            }
        let body = [
            "<header><h1>\(HTML.escaped(title))</h1></header>", runs.isEmpty ? "" : summary, evaluated(folder),
            ReportAnswers(runs: runs).html, runs.count > 1 ? legend : "", smoothing > 0 ? smoothingNote : "",
            "<section class=\"charts\">", ReportCharts(runs: runs, smoothing: smoothing).figures.joined(),
            "</section>", settings,
        ].joined(separator: "\n")
        return PageStyle.page(title, body, PageStyle.articles)
    }

    /// Lines for a terminal.
    var lines: [String] {
        let summary = [[""] + runs.map(\.name)] + rows.map { [$0.name] + $0.cells }
        let measures = EvaluationRecord.cells(allEvaluations).map { row in row.map { $0.replacing("\n", with: "  ") } }
        return [runs.isEmpty ? [] : summary, measures].filter { !$0.isEmpty }.map {
            TextTable.aligned($0, rightOf: 1)
        }.joined(separator: [""]).map { $0 }
    }

    private var allEvaluations: [EvaluationRecord] { runs.compactMap(\.evaluation) + evaluations }

    /// Measures of benchmarks, and where their answers can be read.
    private func evaluated(_ folder: URL) -> String {
        let cells = EvaluationRecord.cells(allEvaluations)
        guard !cells.isEmpty else { return "" }
        let links = allEvaluations.compactMap { evaluation in
            evaluation.comparison.map { page in
                let address = HTML.escaped(HTML.reference(to: page, from: folder))
                return "<a href=\"\(address)\">\(HTML.escaped(evaluation.name))</a>"
            }
        }
        return """
            \(HTML.table(cells[0], Array(cells.dropFirst())))
            <p class="note">Of <code>evaluate</code>, with 95 % intervals.\
            \(links.isEmpty ? "" : " Answers side by side: \(links.joined(separator: ", ")).")</p>
            """
    }

    private var smoothingNote: String {
        """
        <p class="note">Curves of steps are smoothed by \(LineChart.label(smoothing)); what was measured stands behind \
        them, pale.</p>
        """
    }

    /// Means over the last tenth of the steps.
    private var rows: [(name: String, cells: [String])] {
        func row(_ name: String, _ value: (RunRecord) -> Double?) -> (String, [String])? {
            let values = runs.map(value)
            guard values.contains(where: { $0 != nil }) else { return nil }
            return (name, values.map { $0.map(LineChart.label) ?? "–" })
        }
        return [
            ("objective", runs.map { $0.settings["objective.kind"] ?? "–" }),
            ("steps", runs.map { "\($0.steps)" }),
            row("loss") { $0.last("loss") },
            row("held-out loss, last") { $0.series["held-out loss"]?.last?.value },
            row("reward accuracy") { $0.last("rewards/accuracies") },
            row("reward margin") { $0.last("rewards/margins") },
            row("effective negatives") { $0.last("is/ess") },
            row("seconds of a step") { $0.last("time/step") },
            row("tokens per second") { $0.last("tokens_per_second") },
            row("hours of training") { $0.sum("time/step").map { $0 / 3600 } },
            ("ranks", runs.map { $0.settings["environment.ranks"] ?? "–" }),
        ].compactMap { $0 }
    }

    private var summary: String {
        let head = runs.count > 1 ? "<thead>\(Self.cells("", runs.map(\.name), "th"))</thead>" : ""
        let body = rows.map { Self.cells($0.name, $0.cells, "td") }.joined()
        return """
            <section class="wide"><table>\(head)<tbody>\(body)</tbody></table></section>
            <p class="note">Measures are means over the last tenth of the steps.</p>
            """
    }

    private var legend: String {
        let names = runs.enumerated().map { "<b class=\"s\($0 % 6)\">\(HTML.escaped($1.name))</b>" }
        return "<p class=\"legend\">\(names.joined(separator: " "))</p>"
    }

    /// The configuration; of several runs, what they differ in.
    private var settings: String {
        let keys = Set(runs.flatMap(\.settings.keys)).sorted().filter { key in
            runs.count == 1 || Set(runs.map { $0.settings[key] }).count > 1
        }
        guard !keys.isEmpty else { return "" }
        let head = runs.count > 1 ? "<thead>\(Self.cells("", runs.map(\.name), "th"))</thead>" : ""
        let body = keys.map { key in Self.cells(key, runs.map { $0.settings[key] ?? "–" }, "td") }.joined()
        return """
            <details\(runs.count > 1 ? " open" : "")>\
            <summary>\(runs.count > 1 ? "What differs" : "Configuration")</summary>\
            <div class="wide"><table class="settings">\(head)<tbody>\(body)</tbody></table></div></details>
            """
    }

    private static func cells(_ name: String, _ cells: [String], _ tag: String) -> String {
        "<tr><th>\(HTML.escaped(name))</th>\(cells.map { "<\(tag)>\(HTML.escaped($0))</\(tag)>" }.joined())</tr>"
    }
}
