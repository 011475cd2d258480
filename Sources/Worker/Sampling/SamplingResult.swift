import Core
import Foundation

/// What the sampling laboratory found: a table, sampling.json, and sampling.html.
struct SamplingResult {
    /// One way to draw, with one number of negatives, over all groups.
    struct Row {
        let mode: NegativeSampler.Mode
        let count: Int
        /// Sums over groups.
        let errors: EstimatorStudy.Errors
        let groups: Int

        /// ‖E g − g*‖ / ‖g*‖, root mean squares over groups.
        var bias: Double { (errors.squaredBias / errors.squaredNorm).squareRoot() }
        /// The standard deviation of g, likewise.
        var noise: Double { (errors.variance / errors.squaredNorm).squareRoot() }
        var error: Double { ((errors.squaredBias + errors.variance) / errors.squaredNorm).squareRoot() }
        var lossBias: Double { errors.lossBias / Double(groups) }
        var effectiveSamples: Double { errors.effectiveSamples / Double(groups) }
        var largestShare: Double { errors.largestShare / Double(groups) }
        /// Sequences that go forward and backward, the positive's among them.
        var forwards: Double { errors.forwards / Double(groups) + 1 }
        var backwards: Double { errors.backwards / Double(groups) + 1 }

        fileprivate var numbers: [(name: String, value: Double)] {
            [
                ("bias", bias), ("noise", noise), ("error", error), ("loss bias", lossBias), ("ess", effectiveSamples),
                ("largest weight", largestShare), ("forward", forwards), ("backward", backwards),
            ]
        }
    }

    let rows: [Row]
    let groups: Int
    let draws: Int
    /// The policy's.
    let adapter: String

    private var cells: [[String]] {
        [["draw", "K"] + (rows.first?.numbers.map(\.name) ?? [])]
            + rows.map { row in
                [row.mode.rawValue, "\(row.count)"]
                    + row.numbers.map { Self.text($0.value) }
            }
    }

    private static func text(_ value: Double) -> String {
        // What rounds to 0 has no sign.
        abs(value) < 0.0005 ? "0.000" : String(format: "%.3f", value)
    }

    /// The table, for a terminal.
    var lines: [String] {
        TextTable.aligned(cells, rightOf: 1) + [
            "",
            "\(groups) groups, \(draws) draws each. Bias, noise and error of the image loss's gradient are shares of "
                + "the exact gradient's norm.",
        ]
    }

    func write(to folder: URL) throws {
        try OutputFolder.make(folder)
        try FileOutput.write(json.description + "\n", to: folder.appending(path: "sampling.json"))
        try FileOutput.write(html, to: folder.appending(path: "sampling.html"))
    }

    private var json: JSON {
        let rows = rows.map { row -> JSON in
            .object(
                JSON.Object(
                    [("sampling", JSON.string(row.mode.rawValue)), ("count", .integer(row.count))]
                        + row.numbers.map { ($0.name, JSON.number($0.value)) }))
        }
        return [
            "groups": .integer(groups), "draws": .integer(draws), "adapter": .string(adapter), "rows": .array(rows),
        ]
    }

    // Errors of the printed formula, many times those of the others, would flatten their curves.
    private var drawn: [NegativeSampler.Mode] {
        NegativeSampler.Mode.allCases.filter { mode in mode != .published && rows.contains { $0.mode == mode } }
    }

    private var figures: [FigureSheet.Figure] {
        func figure(_ title: String, _ value: (Row) -> Double) -> FigureSheet.Figure {
            let lines = drawn.map { mode in
                LineChart.Line(
                    name: mode.rawValue,
                    points: rows.filter { $0.mode == mode }.map { (step: $0.count, value: value($0)) })
            }
            return FigureSheet.Figure(
                title: title, svg: LineChart(lines: lines, startsAtZero: true, unit: "K").svg)
        }
        return [
            figure("Error", \.error), figure("Bias", \.bias), figure("Noise", \.noise),
            figure("Bias of the loss", \.lossBias), figure("Effective sample size", \.effectiveSamples),
            figure("Sequences that go backward", \.backwards),
        ]
    }

    /// The figures as a file of their own.
    var sheet: FigureSheet { FigureSheet(figures: figures, legend: drawn.map(\.rawValue)) }

    /// Figures and table, for a page with the style of reports.
    var charts: String {
        let names = drawn.enumerated().map { "<b class=\"s\($0)\">\($1.rawValue)</b>" }.joined(separator: " ")
        let figures = figures.map { "<figure><h2>\($0.title)</h2>\($0.svg)</figure>" }
        return """
            <p class="note">The gradient of the image loss on K drawn negatives beside that on the whole pool: \
            \(groups) groups, \(draws) draws each. Error, bias and noise are shares of the exact gradient's norm, \
            root mean squares over groups; error² = bias² + noise². <code>published</code>, the formula as the \
            paper prints it, is in the table alone.</p>
            <p class="legend">\(names)</p>
            <section class="charts">\(figures.joined())</section>
            \(HTML.table(cells[0], Array(cells.dropFirst())))
            """
    }

    private var html: String {
        PageStyle.page("Draws of negatives", "<header><h1>Draws of negatives</h1></header>\n\(charts)")
    }
}
