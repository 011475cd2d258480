import Foundation

/// Curves over steps as SVG that takes its colours from the page.
package struct LineChart {
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
    private let bottom = 34.0

    let lines: [Line]
    /// Whether 0 belongs to the picture, as for times and shares.
    let startsAtZero: Bool
    /// Of the axis along the bottom.
    var unit = "step"
    /// From 0 to below 1: how much of the steps before it a point of the curves has; the points themselves stand
    /// behind them, pale.
    var smoothing = 0.0

    var svg: String {
        let raw = lines.map { Self.thinned($0.points) }
        let all = raw.flatMap { $0 }
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
        let floor = height - bottom
        let marks = ChartScale.wholeTicks(from: first, to: last).map { step in
            """
            <line x1="\(Self.number(x(step)))" x2="\(Self.number(x(step)))" y1="\(Self.number(floor))" \
            y2="\(Self.number(floor + 4))"/><text x="\(Self.number(x(step)))" y="\(Self.number(floor + 15))" \
            text-anchor="middle">\(step)</text>
            """
        }
        func curve(_ index: Int, _ points: [(step: Int, value: Double)], _ more: String = "") -> String {
            let places = points.map { (x: Self.number(x($0.step)), y: Self.number(y($0.value))) }
            if places.count == 1 {
                return "<circle class=\"s\(index % 6)\" cx=\"\(places[0].x)\" cy=\"\(places[0].y)\" r=\"3\"/>"
            }
            guard !places.isEmpty else { return "" }
            let joined = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
            return """
                <polyline class="s\(index % 6)\(more)" points="\(joined)"><title>\(HTML.escaped(lines[index].name))\
                </title></polyline>
                """
        }
        let curves = lines.indices.map { index in
            guard smoothing > 0, lines[index].points.count > 2 else { return curve(index, raw[index]) }
            let smooth = Self.thinned(Self.smoothed(lines[index].points, smoothing))
            return curve(index, raw[index], " pale") + curve(index, smooth)
        }
        return """
            <svg viewBox="0 0 \(Int(width)) \(Int(height))" role="img" aria-label="\
            \(HTML.escaped(lines.map(\.name).joined(separator: ", "))) by \(unit)"><g class="grid">\(grid.joined())\
            \(marks.joined())<text x="\(Self.number((left + width - right) / 2))" y="\(Self.number(height - 5))" \
            text-anchor="middle">\(unit)</text></g>\
            \(curves.joined())</svg>
            """
    }

    /// Each point's mean with those before it, the weight of which falls by `share` a point. The first points have
    /// fewer before them, and not a start at 0 among them.
    package static func smoothed(
        _ points: [(step: Int, value: Double)], _ share: Double
    ) -> [(step: Int, value: Double)] {
        var (sum, weight) = (0.0, 0.0)
        return points.map { point in
            sum = share * sum + (1 - share) * point.value
            weight = share * weight + (1 - share)
            return (point.step, sum / weight)
        }
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
package struct ChartScale {
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

    /// At most six whole round numbers from the first to the last; these two where no others lie between.
    package static func wholeTicks(from first: Int, to last: Int) -> [Int] {
        guard last > first else { return [first] }
        var size = 1
        while true {
            for step in [size, 2 * size, 5 * size] where (last - first) / step < 6 {
                let start = (first + (first > 0 ? step - 1 : 0)) / step * step
                let ticks = Array(stride(from: start, through: last, by: step))
                return ticks.count > 1 ? ticks : [first, last]
            }
            size *= 10
        }
    }
}
