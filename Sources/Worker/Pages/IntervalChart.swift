import Core
import Foundation

/// Means with intervals over a setting's values, as SVG that takes its colours from the page.
struct IntervalChart {
    struct Point {
        let x: Double
        let mean: Double
        let halfWidth: Double?
    }

    struct Line {
        let name: String
        let points: [Point]
    }

    private static let (width, height) = (340.0, 190.0)
    private static let (left, right, top, bottom) = (46.0, 14.0, 10.0, 22.0)

    let lines: [Line]

    var svg: String {
        let all = lines.flatMap(\.points)
        guard let least = all.map(\.x).min(), let greatest = all.map(\.x).max() else { return "" }
        let values = all.flatMap { [$0.mean - ($0.halfWidth ?? 0), $0.mean + ($0.halfWidth ?? 0)] }
        let scale = ChartScale(values)
        func x(_ value: Double) -> String {
            let share = greatest > least ? (value - least) / (greatest - least) : 0.5
            return LineChart.number(Self.left + 8 + (Self.width - Self.left - Self.right - 8) * share)
        }
        func y(_ value: Double) -> String {
            LineChart.number(
                Self.top + (Self.height - Self.top - Self.bottom) * (1 - (value - scale.low) / (scale.high - scale.low))
            )
        }
        let grid = scale.ticks.map { tick in
            """
            <line x1="\(LineChart.number(Self.left))" x2="\(LineChart.number(Self.width - Self.right))" \
            y1="\(y(tick))" y2="\(y(tick))"/><text x="\(LineChart.number(Self.left - 6))" y="\(y(tick))" dy="3.5" \
            text-anchor="end">\(LineChart.label(tick))</text>
            """
        }
        let ticks = Set(all.map(\.x)).sorted().map { value in
            """
            <text x="\(x(value))" y="\(LineChart.number(Self.height - 6))" \
            text-anchor="middle">\(LineChart.label(value))</text>
            """
        }
        let curves = lines.enumerated().map { index, line in
            let points = line.points.map { "\(x($0.x)),\(y($0.mean))" }.joined(separator: " ")
            let marks = line.points.map { point in
                let whisker = point.halfWidth.map { half in
                    """
                    <polyline class="s\(index % 6)" points="\(x(point.x)),\(y(point.mean - half)) \
                    \(x(point.x)),\(y(point.mean + half))"/>
                    """
                }
                let place = "cx=\"\(x(point.x))\" cy=\"\(y(point.mean))\""
                return "\(whisker ?? "")<circle class=\"s\(index % 6)\" \(place) r=\"3\"/>"
            }
            return "<polyline class=\"s\(index % 6)\" points=\"\(points)\"/>\(marks.joined())"
        }
        let label = HTML.escaped(lines.map(\.name).joined(separator: ", "))
        return """
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" aria-label="\(label)"><g class="grid">\
            \(grid.joined())\(ticks.joined())</g>\(curves.joined())</svg>
            """
    }
}
