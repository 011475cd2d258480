/// Charts of a page side by side in one SVG file that needs no page, for documents.
struct FigureSheet {
    struct Figure {
        let title: String
        /// As `LineChart` and `IntervalChart` draw it.
        let svg: String
    }

    let figures: [Figure]
    /// Names of the lines, in the order of their colours; empty where each chart has one.
    var legend: [String] = []

    private static let (width, height, columns) = (340, 190, 2)
    /// Above a chart, for its title.
    private static let head = 24

    var svg: String {
        let (w, h) = (Self.width + 20, Self.height + Self.head + 12)
        let rows = (figures.count + Self.columns - 1) / Self.columns
        let body = figures.enumerated().map { index, figure in
            let (x, y) = (index % Self.columns * w + 10, index / Self.columns * h + 6)
            let place = "<svg x=\"\(x)\" y=\"\(y + Self.head)\" width=\"\(Self.width)\" height=\"\(Self.height)\" "
            let chart = place + figure.svg.dropFirst("<svg ".count)
            return "<text class=\"title\" x=\"\(x + 4)\" y=\"\(y + 16)\">\(HTML.escaped(figure.title))</text>\(chart)"
        }
        let names = legend.enumerated().map { index, name in
            let (x, y) = (14 + index * 116, rows * h + 14)
            return """
                <circle class="s\(index % 6)" cx="\(x)" cy="\(y - 4)" r="4"/>\
                <text x="\(x + 9)" y="\(y)">\(HTML.escaped(name))</text>
                """
        }
        let (width, height) = (Self.columns * w, rows * h + (legend.isEmpty ? 6 : 28))
        let label = HTML.escaped(figures.map(\.title).joined(separator: ", "))
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" width="\(width)" \
            height="\(height)" role="img" aria-label="\(label)"><style>\(PageStyle.palette)
            text{font:10px system-ui,sans-serif;fill:var(--soft)}.title{font-size:13px;font-weight:600;fill:var(--ink)}
            \(PageStyle.chartStyle)</style><rect width="100%" height="100%" fill="var(--card)"/>
            \(body.joined(separator: "\n"))\(names.joined())</svg>

            """
    }
}
