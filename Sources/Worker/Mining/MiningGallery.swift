import Core
import Foundation

/// gallery.html: what was mined, to be looked at. One file that needs nothing else.
package enum MiningGallery {
    /// - Parameters:
    ///   - entries: the prompts to show, in order
    ///   - training: of the autoencoder; nil where none was needed
    ///   - strategy: whose choices `picks` are
    ///   - total: prompts mined, where the page shows fewer
    ///   - map: of the negatives of all prompts
    ///   - hubs: how the negatives of all prompts spread over the gallery
    ///   - names: of latents
    package static func write(
        _ entries: [GalleryEntry], training: AutoencoderSummary?, title: String, strategy: String = "misp",
        total: Int? = nil, hubs: (own: Hubs, random: Hubs?)? = nil,
        map: PickMap? = nil, names: [Int: String] = [:], to url: URL
    ) throws {
        let prompts = total ?? entries.count
        let shown = entries.count < prompts ? "The first \(entries.count) of \(prompts) prompts" : "\(prompts) prompts"
        let body = [
            "<header><h1>\(HTML.escaped(title))</h1>",
            "<p>\(shown): the positive image, the negatives that <b class=\"pick\">\(HTML.escaped(strategy))</b> chose",
            ", and as many drawn at <b class=\"chance\">random</b> from the same candidates.</p></header>",
            "<section class=\"facts\">", comparison(entries, strategy, hubs), training.map(autoencoder) ?? "",
            "</section>", map?.section(strategy: strategy) ?? "",
            legend(entries, names), entries.map { article($0, strategy, names) }.joined(separator: "\n"),
        ].joined()
        try FileOutput.write(page(title, body), to: url)
    }

    /// A whole page with the style of minings.
    ///
    /// - Parameter body: HTML
    static func page(_ title: String, _ body: String) -> String {
        HTML.page(title, body, style: galleryStyle)
    }

    // MARK: The head

    /// Means over the prompts, with standard deviations.
    private static func comparison(
        _ entries: [GalleryEntry], _ strategy: String, _ hubs: (own: Hubs, random: Hubs?)?
    ) -> String {
        func minings(_ pictures: [GalleryEntry.Picture]) -> [GalleryEntry.Mining] { pictures.compactMap(\.mining) }
        func mean(_ values: [Double]) -> Double? {
            values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        let measures: [(String, String, (GalleryEntry, Bool) -> Double?)] = [
            (
                "Distance between picks", "1 − cos, latents",
                { $1 ? $0.pickDistance.latents : $0.randomDistance.latents }
            ),
            (
                "Distance between picks", "1 − cos, images",
                { $1 ? $0.pickDistance.images : $0.randomDistance.images }
            ),
            (
                "Similarity to the positive", "cos, images",
                { mean(minings($1 ? $0.picks : $0.random).map(\.similarity)) }
            ),
            (
                "Mining score", "0 to 2",
                { mean(minings($1 ? $0.picks : $0.random).map { $0.errorShare + $0.deviationShare }) }
            ),
            ("Greatest fall of a phrase", "cos, CLIP", { GalleryEntry.meanFall($1 ? $0.picks : $0.random) }),
        ]
        let isAbsent = entries.allSatisfy { $0.pieces == nil }
        let rows = measures.dropLast(isAbsent ? 1 : 0).map { name, unit, value in
            let cells = [true, false].map { isPick in
                "<td>\(spread(entries.compactMap { value($0, isPick) }))</td>"
            }
            return "<tr><th scope=\"row\">\(name) <small>\(unit)</small></th>\(cells.joined())</tr>"
        }
        let hubRows = hubs.map { hubs in
            """
            <tr><th scope="row">Different pictures <small>all prompts</small></th><td>\(hubs.own.different)</td>\
            <td>\(hubs.random.map { "\($0.different)" } ?? "–")</td></tr>\
            <tr><th scope="row">Ten commonest pictures <small>share of all negatives</small></th>\
            <td>\(hubs.own.percent)</td><td>\(hubs.random?.percent ?? "–")</td></tr>
            """
        }
        return """
            <div><h2>Picks</h2><table><thead><tr><td></td><th scope="col" class="pick">\(HTML.escaped(strategy))</th>\
            <th scope="col" class="chance">random</th></tr></thead>\
            <tbody>\(rows.joined())\(hubRows ?? "")</tbody></table>
            <p class="note">Mean ± standard deviation over the prompts shown.</p></div>
            """
    }

    private static func spread(_ values: [Double]) -> String {
        guard !values.isEmpty else { return "–" }
        let mean = values.reduce(0, +) / Double(values.count)
        let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = (square / Double(max(values.count - 1, 1))).squareRoot()
        return number(mean) + (values.count > 1 ? "<small> ± \(number(deviation))</small>" : "")
    }

    private static func autoencoder(_ summary: AutoencoderSummary) -> String {
        guard let last = summary.steps.last else { return "" }
        return """
            <div><h2>Sparse autoencoder</h2>\(GalleryFigures.curve(summary.steps))
            <p class="note">Of the differences’ squared length \(number(last.relativeError)) is left after \
            \(last.step) steps. Mean activation \(number(last.meanActivation, 3)), asked for \
            \(number(summary.sparsity, 3)); \(summary.deadLatents) of \(summary.latents) latents dead.</p></div>
            """
    }

    private static func legend(_ entries: [GalleryEntry], _ names: [Int: String]) -> String {
        let isNamed = entries.contains { entry in
            (entry.picks + entry.random).contains { $0.mining?.latents.contains { names[$0.index] != nil } ?? false }
        }
        let naming =
            isNamed ? ", named by words of the pairs that activate them most, positive → negative (latents.html)" : ""
        let colours = """
            <mark style="--w:40%">Coloured</mark>: for each negative (its number) the phrase of the response whose CLIP
            similarity to the picture falls most from the positive to that negative, and below it by how much; the more
            negatives, the stronger the colour.
            """
        return """
            <p class="legend"><span class="bar"><i style="width:34%"></i><i style="width:26%"></i></span>
            score = <b>reconstruction error</b> / its maximum + <span>semantic deviation</span> / its maximum (the \
            bar’s two
            parts; full width is 2). cos: similarity to the positive. z: strongest latents\(naming). \
            \(entries.contains { $0.pieces != nil } ? colours : "")
            Map: principal components of the latents of the candidates.</p>

            """
    }

    // MARK: A prompt

    private static func article(_ entry: GalleryEntry, _ strategy: String, _ names: [Int: String]) -> String {
        """
        <article><header><code>\(HTML.escaped(entry.id))</code><h2>\(HTML.escaped(entry.question))</h2>\
        \(answer(entry))</header>
        <div class="positive"><h3>positive</h3><figure>\(image(entry.positive))</figure></div>
        <div class="choices"><h3 class="pick">\(HTML.escaped(strategy))\(distance(entry.pickDistance))</h3>
        \(row(entry.picks, "pick", entry, names))
        <h3 class="chance">random\(distance(entry.randomDistance))</h3>
        \(row(entry.random, "chance", entry, names))</div>
        <div class="map">\(GalleryFigures.map(entry))</div></article>
        """
    }

    /// The response, each phrase coloured by the share of the negatives for which it falls most, with their numbers.
    private static func answer(_ entry: GalleryEntry) -> String {
        guard let pieces = entry.pieces else { return "<p>\(HTML.escaped(entry.answer))</p>" }
        var phrase = -1
        let text = pieces.map { piece -> String in
            let text = HTML.escaped(piece.text)
            guard piece.isPhrase else { return text }
            phrase += 1
            let picks = entry.picks.indices.filter { entry.picks[$0].fallen?.phrase == phrase }
            guard !picks.isEmpty else { return text }
            let share = number(15 + 50 * Double(picks.count) / Double(entry.picks.count), 0)
            return "<mark style=\"--w:\(share)%\">\(text)<sup>\(runs(picks.map { $0 + 1 }))</sup></mark>"
        }
        return "<p class=\"answer\">\(text.joined())</p>"
    }

    /// `1–4, 7`.
    package static func runs(_ numbers: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = runs.last, last.upperBound + 1 == number {
                runs[runs.count - 1] = last.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        return runs.map { run in
            switch run.count {
            case 1: "\(run.lowerBound)"
            case 2: "\(run.lowerBound), \(run.upperBound)"
            default: "\(run.lowerBound)–\(run.upperBound)"
            }
        }.joined(separator: ", ")
    }

    /// Below a picture, the phrase that falls most.
    private static func fall(_ picture: GalleryEntry.Picture, _ entry: GalleryEntry) -> String {
        guard let pieces = entry.pieces, let (phrase, fall) = picture.fallen else { return "" }
        let text = pieces.filter(\.isPhrase)[phrase].text
        return "<span class=\"fall\">\(HTML.escaped(text)) <small>−\(number(fall))</small></span>"
    }

    private static func distance(_ distance: GalleryEntry.Distance) -> String {
        distance.latents.map { "<small> mutual distance \(number($0))</small>" } ?? ""
    }

    /// On a phone as many columns as leave the last row full, if there is such a number.
    private static func row(
        _ pictures: [GalleryEntry.Picture], _ kind: String, _ entry: GalleryEntry, _ names: [Int: String]
    ) -> String {
        let columns = pictures.count <= 3 ? max(pictures.count, 1) : pictures.count % 3 == 0 ? 3 : 2
        return "<div class=\"row \(kind)\" style=\"--n:\(columns)\">\(tiles(pictures, entry, names))</div>"
    }

    private static func tiles(
        _ pictures: [GalleryEntry.Picture], _ entry: GalleryEntry, _ names: [Int: String]
    ) -> String {
        pictures.enumerated().map { index, picture in
            guard let mining = picture.mining else {
                return "<figure>\(image(picture))<figcaption>\(HTML.escaped(picture.name))</figcaption></figure>"
            }
            let latents = mining.latents.map { latent in
                let name = names[latent.index].map { " \(HTML.escaped($0))" } ?? ""
                return "<span>z<sub>\(latent.index)</sub> \(number(latent.value))\(name)</span>"
            }
            let (error, deviation) = (number(50 * mining.errorShare, 1), number(50 * mining.deviationShare, 1))
            return """
                <figure>\(image(picture))<figcaption><b>\(index + 1)</b> \
                \(number(mining.errorShare + mining.deviationShare))
                <span class="bar" title="error \(number(mining.errorShare)), deviation \
                \(number(mining.deviationShare))">\
                <i style="width:\(error)%"></i><i style="width:\(deviation)%"></i></span>
                <span class="latents"><span>cos \(number(mining.similarity))</span> \
                \(latents.joined(separator: " "))</span>\
                \(fall(picture, entry))</figcaption></figure>
                """
        }.joined()
    }

    private static func image(_ picture: GalleryEntry.Picture) -> String {
        """
        <img src="data:image/jpeg;base64,\(picture.thumbnail)" width="\(picture.width)" height="\(picture.height)" \
        alt="\(HTML.escaped(picture.name))" title="\(HTML.escaped(picture.name))" loading="lazy">
        """
    }

    static func number(_ value: Double, _ digits: Int = 2) -> String {
        value.isFinite ? String(format: "%.\(digits)f", value) : "–"
    }
}
