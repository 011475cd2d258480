/// The curves of report.html.
struct ReportCharts {
    private struct Chart {
        let title: String
        let metrics: [(metric: String, name: String)]
        var startsAtZero = false
        /// Whether it is a loss, which runs with another objective have of something else.
        var isLoss = false
    }

    private static let charts = [
        Chart(
            title: "Loss", metrics: [("loss", "total"), ("loss/image", "image term"), ("loss/text", "text term")],
            isLoss: true),
        Chart(
            title: "Held-out loss",
            metrics: [
                ("held-out loss", "total"), ("held-out loss/image", "image term"), ("held-out loss/text", "text term"),
            ], isLoss: true),
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
    /// Of the curves of steps, as `LineChart` has it.
    let smoothing: Double

    /// One run: a chart's metrics in one picture. Several: a picture for each metric, a line for each run.
    var figures: [String] {
        (Self.charts + benchmarks).flatMap { chart -> [String] in
            runs.count == 1
                ? figure(chart, of: runs[0])
                : chart.metrics.flatMap { metric, name in
                    let title = chart.metrics.count > 1 ? "\(chart.title): \(name)" : chart.title
                    return (chart.isLoss ? objectives : [Objective(name: "", runs: Array(runs.indices))])
                        .compactMap { figure(chart, metric, title, $0) }
                }
        }
    }

    /// What the models answered on the way, a picture for each measure of each benchmark.
    private var benchmarks: [Chart] {
        let prefix = RunRecord.benchmarkPrefix
        let metrics = Set(runs.flatMap(\.series.keys).filter { $0.hasPrefix(prefix) }).sorted()
        return metrics.map { metric in
            let name = metric.dropFirst(prefix.count).replacing("/", with: ": ")
            return Chart(title: String(name), metrics: [(metric, "of the model so far")])
        }
    }

    private func figure(_ chart: Chart, of run: RunRecord) -> [String] {
        let lines = Self.telling(
            chart.metrics.compactMap { metric, name in
                run.series[metric].map { LineChart.Line(name: name, points: $0) }
            })
        guard !lines.isEmpty else { return [] }
        let names = lines.enumerated().map { "<b class=\"s\($0 % 6)\">\(HTML.escaped($1.name))</b>" }
        return [figure(chart.title, names.joined(separator: " "), lines, chart, chart.metrics[0].metric)]
    }

    private func figure(_ chart: Chart, _ metric: String, _ title: String, _ objective: Objective) -> String? {
        let lines = runs.enumerated().map { index, run in
            let points = objective.runs.contains(index) ? run.series[metric] ?? [] : []
            return LineChart.Line(name: run.name, points: points.contains { $0.value != 0 } ? points : [])
        }
        guard lines.contains(where: { !$0.points.isEmpty }) else { return nil }
        return figure(title, HTML.escaped(objective.name), lines, chart, metric)
    }

    private func figure(
        _ title: String, _ caption: String, _ lines: [LineChart.Line], _ chart: Chart, _ metric: String
    ) -> String {
        let prefixes = [RunRecord.heldOutPrefix, RunRecord.benchmarkPrefix]
        let drawn = LineChart(
            lines: lines, startsAtZero: chart.startsAtZero,
            smoothing: prefixes.contains { metric.hasPrefix($0) } ? 0 : smoothing)
        return """
            <figure><h2>\(HTML.escaped(title))</h2>\(drawn.svg)\
            <figcaption class="legend">\(caption)</figcaption></figure>
            """
    }

    /// Without lines that repeat the first one, or stay 0 beside others: terms that the objective does not have.
    private static func telling(_ lines: [LineChart.Line]) -> [LineChart.Line] {
        guard let first = lines.first else { return [] }
        return [first]
            + lines.dropFirst().filter { line in
                line.points.contains { $0.value != 0 } && line.points.map(\.value) != first.points.map(\.value)
            }
    }

    /// Runs whose losses are of the same thing.
    private struct Objective {
        /// The settings in which it differs from others.
        let name: String
        /// Indices of them.
        var runs: [Int]
    }

    /// What a loss is a loss of: another kind, β or number of negatives has another scale.
    private var objectives: [Objective] {
        let keys = Set(runs.flatMap(\.settings.keys)).sorted().filter { key in
            key.hasPrefix("objective.") || ["negatives.count", "negatives.sampling"].contains(key)
        }
        let differing = keys.filter { key in Set(runs.map { $0.settings[key] }).count > 1 }
        var found: [Objective] = []
        for (index, run) in runs.enumerated() {
            let name = differing.map { "\($0) \(run.settings[$0] ?? "–")" }.joined(separator: ", ")
            if let place = found.firstIndex(where: { $0.name == name }) {
                found[place].runs.append(index)
            } else {
                found.append(Objective(name: name, runs: [index]))
            }
        }
        return found
    }
}
