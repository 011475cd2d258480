import Core
import Foundation

/// report.html: one run's curves, or several runs' side by side. One file that needs nothing else.
struct ReportPage {
    private struct Chart {
        let title: String
        let metrics: [(metric: String, name: String)]
        var startsAtZero = false
    }

    private static let charts = [
        Chart(title: "Loss", metrics: [("loss", "total"), ("loss/image", "image term"), ("loss/text", "text term")]),
        Chart(
            title: "Held-out loss",
            metrics: [
                ("held-out loss", "total"), ("held-out loss/image", "image term"), ("held-out loss/text", "text term"),
            ]),
        Chart(
            title: "Held-out reward accuracy", metrics: [("held-out rewards/accuracies", "share of groups")],
            startsAtZero: true),
        Chart(title: "Held-out reward margin", metrics: [("held-out rewards/margins", "chosen − rejected")]),
        Chart(
            title: "Rewards",
            metrics: [
                ("rewards/chosen", "chosen"), ("rewards/rejected", "rejected"),
                ("rewards/negatives", "negative pictures"),
            ]),
        Chart(title: "Reward margin", metrics: [("rewards/margins", "chosen − rejected")]),
        Chart(title: "Reward accuracy", metrics: [("rewards/accuracies", "share of groups")], startsAtZero: true),
        Chart(title: "Log-probabilities", metrics: [("logps/chosen", "chosen"), ("logps/rejected", "rejected")]),
        Chart(title: "Effective negatives", metrics: [("is/ess", "effective sample size")], startsAtZero: true),
        Chart(title: "Largest weight", metrics: [("is/max_weight", "of the drawn negatives")], startsAtZero: true),
        Chart(title: "Gradient norm", metrics: [("grad_norm", "before clipping")], startsAtZero: true),
        Chart(title: "Learning rate", metrics: [("learning_rate", "learning rate")], startsAtZero: true),
        Chart(
            title: "Seconds of a step",
            metrics: [
                ("time/step", "whole"), ("time/forward", "forward"), ("time/backward", "backward"),
                ("time/reduce", "reduction"), ("time/optimizer", "optimiser"),
                ("time/reference", "reference"),
            ], startsAtZero: true),
        Chart(title: "Tokens per second", metrics: [("tokens_per_second", "all ranks")], startsAtZero: true),
        Chart(
            title: "Use of the machine",
            metrics: [("mfu", "of the GEMM rate"), ("balance/efficiency", "balance of ranks")], startsAtZero: true),
    ]

    let runs: [RunRecord]

    func write(to url: URL) throws { try FileOutput.write(html, to: url) }

    var html: String {
        let title = runs.count == 1 ? runs[0].name : "\(runs.count) runs"
        let body = [
            "<header><h1>\(HTML.escaped(title))</h1></header>", summary, runs.count > 1 ? legend : "",
            "<section class=\"charts\">", charts.joined(), "</section>", settings,
        ].joined(separator: "\n")
        return PageStyle.page(title, body)
    }

    /// Lines for a terminal.
    var lines: [String] {
        TextTable.aligned([[""] + runs.map(\.name)] + rows.map { [$0.name] + $0.cells }, rightOf: 1)
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

    /// What the models answered on the way, a picture for each measure of each benchmark.
    private var benchmarks: [Chart] {
        let prefix = "benchmark "
        let metrics = Set(runs.flatMap(\.series.keys).filter { $0.hasPrefix(prefix) }).sorted()
        return metrics.map { metric in
            let name = metric.dropFirst(prefix.count).replacing("/", with: ": ")
            return Chart(title: String(name), metrics: [(metric, "of the model so far")])
        }
    }

    /// One run: a chart's metrics in one picture. Several: a picture for each metric, a line for each run.
    private var charts: [String] {
        (Self.charts + benchmarks).flatMap { chart -> [String] in
            if runs.count == 1 {
                let lines = Self.telling(
                    chart.metrics.compactMap { metric, name in
                        runs[0].series[metric].map { LineChart.Line(name: name, points: $0) }
                    })
                guard !lines.isEmpty else { return [] }
                let names = lines.enumerated().map { "<b class=\"s\($0 % 6)\">\(HTML.escaped($1.name))</b>" }
                return [figure(chart.title, names.joined(separator: " "), lines, chart.startsAtZero)]
            }
            return chart.metrics.compactMap { metric, name in
                let lines = runs.map { run in
                    let points = run.series[metric] ?? []
                    return LineChart.Line(name: run.name, points: points.contains { $0.value != 0 } ? points : [])
                }
                guard lines.contains(where: { !$0.points.isEmpty }) else { return nil }
                let title = chart.metrics.count > 1 ? "\(chart.title): \(name)" : chart.title
                return figure(title, "", lines, chart.startsAtZero)
            }
        }
    }

    /// Without lines that repeat the first one, or stay 0 beside others: terms that the objective does not have.
    private static func telling(_ lines: [LineChart.Line]) -> [LineChart.Line] {
        guard let first = lines.first else { return [] }
        return [first]
            + lines.dropFirst().filter { line in
                line.points.contains { $0.value != 0 } && line.points.map(\.value) != first.points.map(\.value)
            }
    }

    private func figure(_ title: String, _ caption: String, _ lines: [LineChart.Line], _ startsAtZero: Bool) -> String {
        """
        <figure><h2>\(HTML.escaped(title))</h2>\(LineChart(lines: lines, startsAtZero: startsAtZero).svg)\
        <figcaption class="legend">\(caption)</figcaption></figure>
        """
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
