import Foundation

/// Curves over steps as SVG that takes its colours from the page.
struct LineChart {
    struct Line {
        let name: String
        let points: [(step: Int, value: Double)]
    }

    /// More points than this are drawn as means of neighbours.
    private static let resolution = 240
    private let width = 340.0
    private let height = 190.0
    private let left = 46.0
    private let right = 10.0
    private let top = 10.0
    private let bottom = 22.0

    let lines: [Line]
    /// Whether 0 belongs to the picture, as for times and shares.
    let startsAtZero: Bool
    /// Of the axis along the bottom.
    var unit = "step"

    var svg: String {
        let drawn = lines.map { Line(name: $0.name, points: Self.thinned($0.points)) }
        let all = drawn.flatMap(\.points)
        let steps = lines.flatMap(\.points).map(\.step)
        guard let first = steps.min(), let last = steps.max() else { return "" }
        let scale = ChartScale(all.map(\.value) + (startsAtZero ? [0] : []))
        func x(_ step: Int) -> Double {
            left + (width - left - right) * (last > first ? Double(step - first) / Double(last - first) : 0.5)
        }
        func y(_ value: Double) -> Double {
            top + (height - top - bottom) * (1 - (value - scale.low) / (scale.high - scale.low))
        }
        let grid = scale.ticks.map { value in
            """
            <line x1="\(Self.number(left))" x2="\(Self.number(width - right))" y1="\(Self.number(y(value)))" \
            y2="\(Self.number(y(value)))"/><text x="\(Self.number(left - 6))" y="\(Self.number(y(value) + 3.5))" \
            text-anchor="end">\(Self.label(value))</text>
            """
        }
        let curves = drawn.enumerated().map { index, line in
            let points = line.points.map { "\(Self.number(x($0.step))),\(Self.number(y($0.value)))" }
            guard points.count > 1 else {
                let place = points.first?.split(separator: ",") ?? []
                guard place.count == 2 else { return "" }
                return "<circle class=\"s\(index % 6)\" cx=\"\(place[0])\" cy=\"\(place[1])\" r=\"3\"/>"
            }
            return """
                <polyline class="s\(index % 6)" points="\(points.joined(separator: " "))"><title>\
                \(HTML.escaped(line.name))</title></polyline>
                """
        }
        return """
            <svg viewBox="0 0 \(Int(width)) \(Int(height))" role="img" aria-label="\
            \(HTML.escaped(lines.map(\.name).joined(separator: ", "))) by \(unit)"><g class="grid">\(grid.joined())\
            <text x="\(Self.number(left))" y="\(Self.number(height - 6))">\(first)</text>\
            <text x="\(Self.number(width - right))" y="\(Self.number(height - 6))" text-anchor="end">\(unit) \
            \(last)</text></g>\
            \(curves.joined())</svg>
            """
    }

    /// At most `resolution` points, means of neighbours where there are more.
    private static func thinned(_ points: [(step: Int, value: Double)]) -> [(step: Int, value: Double)] {
        guard points.count > resolution else { return points }
        return (0..<resolution).map { bin in
            let part = points[points.count * bin / resolution..<points.count * (bin + 1) / resolution]
            return (
                part[part.startIndex + part.count / 2].step, part.reduce(0) { $0 + $1.value } / Double(part.count)
            )
        }
    }

    static func number(_ value: Double) -> String { String(format: "%.1f", value) }

    /// Few digits, whatever the size.
    static func label(_ value: Double) -> String {
        let size = abs(value)
        if value == 0 { return "0" }
        if size >= 1e7 || size < 1e-3 {
            return String(format: "%.1e", value).replacing("e-0", with: "e-").replacing("e+0", with: "e")
        }
        return String(format: size < 1000 ? "%.4g" : "%.0f", value)
    }
}

/// Round numbers that hold all values.
struct ChartScale {
    let low: Double
    let high: Double
    let ticks: [Double]

    init(_ values: [Double]) {
        let (least, greatest) = (values.min() ?? 0, values.max() ?? 1)
        let span = greatest > least ? greatest - least : max(abs(greatest), 1e-9)
        let power = pow(10, floor(log10(span / 3)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { span / $0 <= 4 } ?? 10 * power
        low = floor(least / step) * step
        high = max(ceil(greatest / step) * step, low + step)
        let (low, high) = (low, high)
        ticks = (0...Int(((high - low) / step).rounded())).map { index in
            let value = low + Double(index) * step
            // What rounding left of zero.
            return abs(value) < step * 1e-9 ? 0 : value
        }
    }
}
