import Core
import Foundation

/// The page's drawings, as SVG that takes its colours from the page.
enum GalleryFigures {
    private static func number(_ value: Double) -> String { MiningGallery.number(value, 1) }

    /// Candidates as dots, picks as numbered discs, random ones as numbered squares, on the two principal components.
    static func map(_ entry: GalleryEntry) -> String {
        let (width, height, margin) = (340.0, 280.0, 16.0)
        let marked = (entry.picks + entry.random).compactMap { $0.mining?.point }
        guard let frame = Frame(entry.cloud + marked, width: width, height: height - 16, margin: margin),
            !marked.isEmpty
        else { return "" }
        let dots = entry.cloud.map { point in
            let (x, y) = frame.place(point)
            return "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"1.8\"/>"
        }
        func marks(_ pictures: [GalleryEntry.Picture], _ shape: (Double, Double) -> String) -> String {
            pictures.enumerated().map { index, picture in
                guard let point = picture.mining?.point else { return "" }
                let (x, y) = frame.place(point)
                return """
                    <g><title>\(HTML.escaped(picture.name))</title>\(shape(x, y))\
                    <text x="\(number(x))" y="\(number(y + 3.6))">\(index + 1)</text></g>
                    """
            }.joined()
        }
        let chance = marks(entry.random) { x, y in
            "<rect x=\"\(number(x - 7))\" y=\"\(number(y - 7))\" width=\"14\" height=\"14\" rx=\"2\"/>"
        }
        let picks = marks(entry.picks) { x, y in "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"8\"/>" }
        let shares = entry.shares.map { MiningGallery.number(100 * $0, 0) }
        let caption =
            "PC 1 (\(shares.first ?? "–") %), PC 2 (\(shares.last ?? "–") %); "
            + "\(entry.cloud.count) of \(entry.candidates) candidates"
        return """
            <svg viewBox="0 0 \(Int(width)) \(Int(height))" role="img" aria-label="Map of candidates and picks">
            <rect class="frame" x="0.5" y="0.5" width="\(Int(width) - 1)" height="\(Int(height) - 17)" rx="6"/>
            <g class="cloud">\(dots.joined())</g><g class="chance">\(chance)</g><g class="pick">\(picks)</g>
            <text class="axis" x="0" y="\(Int(height) - 3)">\(caption)</text></svg>
            """
    }

    /// Relative error over the steps.
    static func curve(_ steps: [AutoencoderStep]) -> String {
        let (width, height, left, bottom) = (340.0, 150.0, 34.0, 22.0)
        guard let last = steps.last, steps.count > 1 else { return "" }
        let top = max(1, steps.map(\.relativeError).max() ?? 1)
        func x(_ step: Int) -> Double { left + (width - left - 8) * Double(step) / Double(last.step) }
        func y(_ value: Double) -> Double { 8 + (height - bottom - 8) * (1 - value / top) }
        let path = steps.map { "\(number(x($0.step))),\(number(y($0.relativeError)))" }
        let grid = [0, 0.5, 1].map { value in
            """
            <line x1="\(number(left))" x2="\(number(width - 8))" y1="\(number(y(value)))" y2="\(number(y(value)))"/>\
            <text x="\(number(left - 6))" y="\(number(y(value) + 3.5))" text-anchor="end">\(number(value))</text>
            """
        }
        return """
            <svg viewBox="0 0 \(Int(width)) \(Int(height))" role="img" aria-label="Relative reconstruction error by \
            step">
            <g class="grid">\(grid.joined())</g><polyline class="curve" points="\(path.joined(separator: " "))"/>
            <g class="grid"><text x="\(number(left))" y="\(number(height - 6))">step 1</text>\
            <text x="\(number(width - 8))" y="\(number(height - 6))" text-anchor="end">\(last.step)</text>\
            <text x="\(number((left + width) / 2))" y="\(number(height - 6))" text-anchor="middle">relative \
            error</text></g></svg>
            """
    }

    /// Fits points into a rectangle, both axes on one scale.
    struct Frame {
        let scale, x, y: Double

        init?(_ points: [GalleryEntry.Point], width: Double, height: Double, margin: Double) {
            guard let left = points.map(\.x).min(), let right = points.map(\.x).max(),
                let low = points.map(\.y).min(), let high = points.map(\.y).max()
            else { return nil }
            let room = (width - 2 * margin, height - 2 * margin)
            scale = min(room.0 / max(right - left, 1e-9), room.1 / max(high - low, 1e-9))
            x = width / 2 - scale * (left + right) / 2
            y = height / 2 + scale * (low + high) / 2
        }

        func place(_ point: GalleryEntry.Point) -> (x: Double, y: Double) {
            (x + scale * point.x, y - scale * point.y)
        }
    }
}
