import Core
import Foundation

/// latents.html: what the autoencoder's latents mean, in pictures and words. One file that needs nothing else.
package struct LatentPage {
    /// Pairs of a latent that are shown.
    private static let shown = 6
    private static let side = 160

    let factors: LatentFactors
    let title: String
    /// By picture its path, by prompt its text.
    let path: (Int) -> String
    let prompt: (Int) -> String
    let transparency: Transparency

    package init(
        _ factors: LatentFactors, title: String, transparency: Transparency = .white, path: @escaping (Int) -> String,
        prompt: @escaping (Int) -> String
    ) {
        (self.factors, self.title, self.transparency) = (factors, title, transparency)
        (self.path, self.prompt) = (path, prompt)
    }

    /// - Throws: `MISPError` that names a picture which cannot be read
    package func write(to url: URL) throws {
        var thumbnails: [Int: String] = [:]
        let articles = try factors.factors.map { factor in
            let pairs = factor.pairs.prefix(Self.shown)
            for row in pairs.flatMap({ [$0.positive, $0.negative] }) where thumbnails[row] == nil {
                thumbnails[row] = try thumbnail(row)
            }
            return article(factor, pairs.map { figure($0, thumbnails) })
        }
        try FileOutput.write(MiningGallery.page(title, ([head] + articles).joined(separator: "\n")), to: url)
    }

    private var head: String {
        let shown =
            factors.factors.count < factors.deciding
            ? "the \(factors.factors.count) that decide most of them" : "all of them"
        return """
            <header><h1>\(HTML.escaped(title))</h1>
            <p>\(factors.deciding) of \(factors.latents) latents decide the \(factors.negatives) negatives; here are \
            \(shown), each with the pairs of a <b class="pick">positive</b> and another picture that activate it \
            most.</p></header>
            <p class="legend">A latent decides a negative where it lifts its semantic deviation most above the \
            candidates’ mean. Words: what prompts, chosen responses and captions of the strongest pairs’ pictures \
            have in common and those of other pictures have less often, with how many of the pairs have them. z: the \
            latent’s value, 0 to 1.</p>
            """
    }

    private func article(_ factor: LatentFactors.Factor, _ figures: [String]) -> String {
        """
        <article class="latent" id="z\(factor.index)"><header><h2><code>z<sub>\(factor.index)</sub></code> \
        \(factor.name.map(HTML.escaped) ?? "<span class=\"soft\">no words in common</span>")</h2>\
        <p>decides \(Self.share(factor.decided, of: factors.negatives)) of the negatives\
        \(factors.random > 0 ? ", \(Self.share(factor.randomDecided, of: factors.random)) of random draws" : "")</p>\
        \(words("positives", factor.positiveWords, factor.describedPositives, factor))\
        \(words("negatives", factor.negativeWords, factor.describedNegatives, factor))</header>
        <div class="pairs">\(figures.joined())</div></article>
        """
    }

    private func words(
        _ side: String, _ words: [CommonWords.Word], _ described: Int, _ factor: LatentFactors.Factor
    ) -> String {
        let list = words.map {
            "<span title=\"score \(MiningGallery.number($0.score))\">\(HTML.escaped($0.text)) "
                + "<small>\($0.count)</small></span>"
        }
        let some = described < factor.pairs.count ? " with texts" : ""
        let text =
            described == 0
            ? "nothing is said of them" : words.isEmpty ? "none in common" : list.joined(separator: " ")
        return """
            <p class="words"><b>words of the \(side)</b> <small>\(described) pairs\(some)</small> \(text)</p>
            """
    }

    private func figure(_ pair: StrongestPairs.Pair, _ thumbnails: [Int: String]) -> String {
        """
        <figure><span class="pair">\(thumbnails[pair.positive] ?? "")\(thumbnails[pair.negative] ?? "")</span>\
        <figcaption>z \(MiningGallery.number(Double(pair.value))) · \
        \(HTML.escaped(prompt(pair.prompt)))</figcaption></figure>
        """
    }

    private func thumbnail(_ row: Int) throws -> String {
        try Thumbnail(contentsOf: URL(filePath: path(row)), transparency: transparency, side: Self.side).html
    }

    private static func share(_ count: Int, of all: Int) -> String {
        String(format: "%.1f %%", all > 0 ? 100 * Double(count) / Double(all) : 0)
    }
}
