import Core
import Foundation

/// What led to the demonstration's table, for its page: pictures with careless labels, a group with its negatives,
/// and the trainings' curves.
struct DemoStory {
    let runs: DemoRuns
    let data: DemoData

    /// Of each kind on the page.
    private static let shown = 4
    /// Negatives of a group on the page.
    private static let negatives = 8

    /// - Throws: `MISPError` where the demonstration's files are not there
    var html: String {
        get throws {
            """
            <h2 class="part">The pictures</h2>
            <p>\(data.labels.count) pictures of two coloured shapes, and what the annotator wrote. The model learns \
            from that to say what is usual.</p>
            <div class="strip">\(try labels.joined())</div>
            <h2 class="part">The negatives</h2>
            <p>A preference group has a picture with a true and a false answer, and \(DemoArm.pool) other pictures \
            for which the true answer is wrong: at random, or found by the autoencoder in CLIP space. \
            <a href="mining/gallery.html">All that was mined</a>, and <a href="mining/latents.html">what the \
            autoencoder’s latents mean</a>.</p>
            \(try groups.joined())
            <h2 class="part">The trainings</h2>
            <p>The reward is β times how much likelier an answer has become than it was to the warmed-up model; \
            accuracy is the share of groups whose true answer has the greater one. Smoothed over steps. Whole \
            reports: \(links).</p>
            <p class="legend">\(legend)</p>
            <section class="charts">\(try curves.joined())</section>
            """
        }
    }

    /// Captions, the first true and the first false ones.
    private var labels: [String] {
        get throws {
            let captions = data.labels.indices.filter { data.labels[$0].prompt == DemoLanguage.captionPrompt }
            let isTrue = { (index: Int) in data.labels[index].answer == data.labels[index].scene.caption }
            let chosen =
                captions.filter(isTrue).prefix(Self.shown / 2)
                + captions.filter { !isTrue($0) }.prefix(Self.shown / 2)
            return try chosen.map { index in
                let verdict = isTrue(index) ? "right" : "wrong"
                return try figure(DemoData.labelPicture(index), data.labels[index].answer, verdict)
            }
        }
    }

    /// The first groups with negatives, those at random and the mined ones.
    private var groups: [String] {
        get throws {
            let tables = try [DemoArm.Negatives.random, .mined].map { kind in
                (kind.rawValue, try DemoData.read(runs.file("groups-\(kind.rawValue).jsonl")))
            }
            let taking = tables[0].1.indices.filter { !negatives(tables[0].1[$0]).isEmpty }
            return try taking.prefix(Self.shown / 2).map { index in
                let row = tables[0].1[index]
                let strips = try tables.map { name, rows in
                    let pictures = try negatives(rows[index]).prefix(Self.negatives).map { try picture($0) }
                    return "<dt>\(name)</dt><dd>\(pictures.joined())</dd>"
                }
                return """
                    <div class="group">\(try picture(row["image"]?.string ?? ""))<div><p><b>\
                    \(text(row, "prompt"))</b><br><span class="right">\(text(row, "chosen"))</span><br>\
                    <span class="wrong">\(text(row, "rejected"))</span></p><dl>\(strips.joined())</dl></div></div>
                    """
            }
        }
    }

    private func negatives(_ row: JSON) -> [String] {
        row["negatives"]?.array?.compactMap { $0["image"]?.string } ?? []
    }

    private func text(_ row: JSON, _ key: String) -> String { HTML.escaped(row[key]?.string ?? "") }

    private func figure(_ path: String, _ text: String, _ verdict: String) throws -> String {
        "<div>\(try picture(path))<span class=\"\(verdict)\">\(HTML.escaped(text))</span></div>"
    }

    /// A PNG of the demonstration's, as it is.
    private func picture(_ path: String) throws -> String {
        let url = path.hasPrefix("/") ? URL(filePath: path) : runs.file(path)
        guard let png = try? Data(contentsOf: url) else { throw MISPError("cannot be read", at: url.relativePath) }
        return "<img src=\"data:image/png;base64,\(png.base64EncodedString())\" alt=\"\" loading=\"lazy\">"
    }

    private var legend: String {
        DemoArm.all.enumerated().map { "<b class=\"s\($0)\">\(HTML.escaped($1.name))</b>" }.joined(separator: " ")
    }

    private var links: String {
        DemoArm.all.map { "<a href=\"\($0.key)/report.html\">\(HTML.escaped($0.name))</a>" }.joined(separator: ", ")
    }

    private var curves: [String] {
        get throws {
            let records = try DemoArm.all.map { (name: $0.name, record: try RunRecord(runs.file($0.key))) }
            return [("Reward accuracy", "rewards/accuracies"), ("Reward margin", "rewards/margins")].map {
                title, metric in
                let lines = records.map { LineChart.Line(name: $0.name, points: $0.record.series[metric] ?? []) }
                let chart = LineChart(lines: lines, startsAtZero: true, smoothing: 0.8)
                return "<section class=\"chart\"><h2>\(title)</h2>\(chart.svg)</section>"
            }
        }
    }

    static let style = """
        .strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(220px,100%),1fr));gap:12px;margin:12px 0}
        .strip div,.group{display:grid;grid-template-columns:64px minmax(0,1fr);gap:12px;align-items:start}
        .strip img,.group>img{width:64px;height:64px;border-radius:6px;image-rendering:pixelated}
        .group{margin:12px 0}.group p{margin:0 0 6px}.group dl{margin:0;display:grid;\
        grid-template-columns:auto minmax(0,1fr);gap:6px 12px}
        .group dt{color:var(--soft);font-size:13px}.group dd{margin:0;display:flex;flex-wrap:wrap;gap:4px}
        .group dd img{width:40px;height:40px;border-radius:4px;image-rendering:pixelated}
        .chart{min-width:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px}
        h2.part{font-size:20px;margin:28px 0 4px}
        """
}
