import Core
import Foundation

/// Where the negatives of all prompts lie in the gallery, and where random draws do: a map by t-SNE of the pictures'
/// embeddings (the paper's figure 2).
package struct PickMap {
    /// More pictures than this are not drawn: the map takes time with their square.
    package static let limit = 2000

    private struct Picture {
        let place: GalleryEntry.Point
        /// How many prompts have it as a negative, and how many drew it at random.
        let picks, draws: Int
    }

    private let pictures: [Picture]
    private let gallery: Int

    /// - Parameters:
    ///   - images: n × d, the gallery's embeddings
    ///   - picks, random: rows of `images`, once for each prompt that has them
    package init(images: Matrix<Float>, picks: [Int], random: [Int], threads: Int) {
        let (own, chance) = (Self.counts(picks), Self.counts(random))
        let marked = Set(own.keys).union(chance.keys).sorted()
        let rest = (0..<images.rows).filter { own[$0] == nil && chance[$0] == nil }
        let rows =
            Self.spread(marked, Self.limit)
            + Self.spread(rest, Self.limit - min(marked.count, Self.limit))
        let embeddings = images.gathered(rows)
        let plane = PrincipalPlane(embeddings)
        let start = (0..<rows.count).map { row in
            let place = plane.place(embeddings.row(row))
            return SIMD2(place.x, place.y)
        }
        var map = NeighbourMap(squaredDistances: Self.squaredDistances(embeddings), start: start, threads: threads)
        map.settle { _ in }
        gallery = images.rows
        pictures = zip(rows, map.places).map { row, place in
            Picture(
                place: GalleryEntry.Point(x: place.x, y: place.y), picks: own[row] ?? 0, draws: chance[row] ?? 0)
        }
    }

    private static func counts(_ rows: [Int]) -> [Int: Int] {
        rows.reduce(into: [:]) { counts, row in counts[row, default: 0] += 1 }
    }

    /// At most `count` of the elements, evenly.
    private static func spread(_ elements: [Int], _ count: Int) -> [Int] {
        guard elements.count > count else { return elements }
        return (0..<count).map { elements[$0 * elements.count / count] }
    }

    private static func squaredDistances(_ rows: Matrix<Float>) -> Matrix<Float> {
        let products = Vector.product(rows, transposed: rows)
        let squares = (0..<rows.rows).map { products[$0, $0] }
        for i in squares.indices {
            for j in squares.indices { products[i, j] = max(squares[i] + squares[j] - 2 * products[i, j], 0) }
        }
        return products
    }

    /// So that the figure can stand alone; a page has the same with its own colours.
    private static let style =
        ":where(.picks .frame){fill:none;stroke:#c8cacd}:where(.picks .cloud circle){fill:#8a9099;opacity:.55}"
        + ":where(.picks .chance circle){fill:none;stroke:#1f5fbf;stroke-width:1.2}"
        + ":where(.picks .pick circle){fill:#b8400a;opacity:.75}"

    /// Area grows with the number of prompts.
    package var svg: String {
        let (width, height) = (680.0, 460.0)
        let points = pictures.map(\.place)
        guard pictures.count > 2,
            let frame = GalleryFigures.Frame(points, width: width, height: height, margin: 22)
        else { return "" }
        func number(_ value: Double) -> String { MiningGallery.number(value, 1) }
        func marks(_ count: (Picture) -> Int, _ shape: (String, String, Double) -> String) -> String {
            // Large marks first, so that small ones lie on top.
            pictures.filter { count($0) > 0 }.sorted { count($0) > count($1) }.map { picture in
                let (x, y) = frame.place(picture.place)
                return shape(number(x), number(y), min(2.4 * Double(count(picture)).squareRoot(), 20))
            }.joined()
        }
        let dots = pictures.filter { $0.picks == 0 && $0.draws == 0 }.map { picture in
            let (x, y) = frame.place(picture.place)
            return "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"1.6\"/>"
        }
        let draws = marks(\.draws) { "<circle cx=\"\($0)\" cy=\"\($1)\" r=\"\(number($2))\"/>" }
        let picks = marks(\.picks) { "<circle cx=\"\($0)\" cy=\"\($1)\" r=\"\(number($2))\"/>" }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" class="picks" viewBox="0 0 \(Int(width)) \(Int(height))" \
            role="img" aria-label="Map of the gallery with picks and random draws">
            <style>\(Self.style)</style><rect class="frame" x="0.5" y="0.5" width="\(Int(width) - 1)" \
            height="\(Int(height) - 1)" rx="6"/>
            <g class="cloud">\(dots.joined())</g><g class="chance">\(draws)</g><g class="pick">\(picks)</g></svg>
            """
    }

    /// The figure with its caption, for the page.
    package func section(strategy: String) -> String {
        guard !svg.isEmpty else { return "" }
        let shown = pictures.count < gallery ? "\(pictures.count) of \(gallery)" : "\(gallery)"
        return """
            <section class="facts one"><div><h2>All prompts</h2>\(svg)<p class="note">\(shown) pictures of the \
            gallery by t-SNE of their embeddings: near pictures look alike to the embedder. <b class="pick">\
            \(HTML.escaped(strategy))</b>: negatives; <b class="chance">rings</b>: as many random draws. A mark’s \
            area grows with the number of prompts.</p></div></section>
            """
    }
}
