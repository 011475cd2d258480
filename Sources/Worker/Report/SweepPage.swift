import Core
import Foundation

/// sweep.html: the table of a sweep, and each measure over each setting that is a number.
struct SweepPage {
    let sweep: Sweep

    var html: String {
        let cells = sweep.cells(sweep.measures)
        let body = """
            <header><h1>Sweep</h1></header>
            <p class="note">Means over seeds ± half of their 95 % intervals (Student’s t). Whiskers are the same \
            intervals.</p>
            \(HTML.table(cells[0], Array(cells.dropFirst())))
            <section class="charts">\(charts.joined())</section>
            """
        return PageStyle.page("Sweep", body)
    }

    private var charts: [String] {
        sweep.keys.indices.flatMap { key -> [String] in
            let numbers = sweep.arms.map { Double($0.values[key]) }
            guard numbers.allSatisfy({ $0 != nil }), Set(numbers).count > 1 else { return [] }
            return sweep.measures.compactMap { chart($0, over: key) }
        }
    }

    /// A line for each combination of the other settings.
    private func chart(_ measure: String, over key: Int) -> String? {
        var lines: [(name: String, points: [IntervalChart.Point])] = []
        for arm in sweep.arms {
            guard let values = arm.measures[measure], let x = Double(arm.values[key]) else { continue }
            let others = zip(sweep.keys, arm.values).enumerated().filter { $0.offset != key }
            let name = others.map { "\($0.element.0) \($0.element.1)" }.joined(separator: ", ")
            let (mean, halfWidth) = StudentT.mean(values)
            let place = lines.firstIndex { $0.name == name } ?? lines.count
            if place == lines.count { lines.append((name, [])) }
            lines[place].points.append(.init(x: x, mean: mean, halfWidth: halfWidth))
        }
        guard lines.contains(where: { $0.points.count > 1 }) else { return nil }
        let drawn = lines.map { line in
            IntervalChart.Line(name: line.name, points: line.points.sorted { $0.x < $1.x })
        }
        let names = lines.enumerated().filter { !$0.element.name.isEmpty }.map {
            "<b class=\"s\($0.offset % 6)\">\(HTML.escaped($0.element.name))</b>"
        }
        return """
            <figure><h2>\(HTML.escaped(measure)) by \(HTML.escaped(sweep.keys[key]))</h2>\
            \(IntervalChart(lines: drawn).svg)<figcaption \
            class="legend">\(names.joined(separator: " "))</figcaption></figure>
            """
    }
}
