import Core
import Foundation

/// reproduction.html: tables and figures of the comparison. One file that needs nothing else.
struct ReproductionPage {
    let result: ReproductionResult
    let size: DemoSize
    /// The map of picks of the first seed, as SVG; empty where there is none.
    let map: String
    /// The charts of the sampling laboratory, as the body of its page; empty where there is none.
    let laboratory: String
    /// Where the pages of the first seed lie, from this one.
    let first: String

    var html: String {
        let body = """
            <style>\(Self.style)</style>
            <header><h1>MISP-DPO in miniature</h1></header>
            \(introduction)
            <h2>Table 1. Objectives</h2>
            <p class="note">Means over \(seeds) ± half of their 95 % intervals (Student’s t). An anchor is named \
            wherever there is one; mDPO has one by its definition. CHAIRi is the share of named shapes and colours \
            that are not there: less is better. All else: more is better.</p>
            \(armTable([("warm-up", ReproductionResult.warmup)] + arms(.objectives)))
            <h2>What each thing adds</h2>
            <p class="note">Differences on the same seeds, with their intervals and p of the paired t test. Each pair \
            differs in what the first column says. \(ReproductionResult.pairs.count * Self.tested.count) tests are \
            made here: at p &lt; 0.05 one in twenty is expected to look like a difference where there is none.</p>
            \(pairTable)
            <h2>Table 2. Where negatives come from</h2>
            <p class="note">The first three of each source (<code>subset</code>, K = 3), no anchor.</p>
            \(armTable(arms(.negatives)))
            <h2>Figure 2. Picks, and the number of negatives</h2>
            \(map)
            <p class="note">The gallery by t-SNE of its CLIP embeddings (seed \(result.seeds.first ?? 0)): filled, \
            the negatives that were mined; rings, as many random draws; a mark’s area grows with the number of \
            prompts.</p>
            \(figure("Scores by K (pool of \(ReproductionArm.pool), importance)", figures.byCount))
            <h2>Figure 3. What a negative makes wrong</h2>
            <p>The <a href="\(first)/mining-misp/gallery.html">gallery</a> shows each prompt with its negatives, and \
            colours the phrases whose CLIP similarity drops most; <a \
            href="\(first)/mining-misp/latents.html">latents</a> says what the autoencoder’s latents stand for.</p>
            <h2>Figure 4. β</h2>
            \(figure("Scores by β (K = 3, importance)", figures.byBeta))
            <h2>Figure 5. Answers side by side</h2>
            <p><a href="compare.html">Answers</a> of the warm-up, DPO, random negatives and MISP-DPO to the same \
            questions, those on which they differ first.</p>
            <h2>Sampling</h2>
            <p class="note">The same pool of \(ReproductionArm.pool), drawn in different ways. <code>published</code> \
            is the formula as the paper prints it, which is biased.</p>
            \(armTable(arms(.draws)))
            \(laboratory)
            <h2>Costs</h2>
            \(costs)
            """
        return PageStyle.page("MISP-DPO in miniature", body)
    }

    private var figures: ReproductionFigures { ReproductionFigures(result: result) }

    private var seeds: String { result.seeds.count == 1 ? "one seed" : "\(result.seeds.count) seeds" }

    private var introduction: String {
        """
        <p>A small world, made anew for every seed: pictures of two coloured shapes; a model of LLaVA’s shape with \
        some 224,000 parameters, warmed up on labels of an annotator who in \(DemoLabel.carelessness) % of them \
        writes down each shape’s usual colour, not the one to be seen; a CLIP of its own, trained on \(size.gallery) \
        pictures with captions; negatives mined from these by the sparse autoencoder, for descriptions; groups that \
        ask for yes or no have none. Every arm continues the same warm-up on the same \(size.groups) groups for \
        \(size.epochs.preference) epochs with LoRA (r 8), learning rate 2e-3 (one for all arms: none was searched for \
        any), β 0.5 unless said. Benchmarks are made from scenes that no training saw, in the files’ published \
        formats.</p>
        <p><b>What was not reproduced:</b> the paper’s backbones, data and scores. This is the method at work, not \
        its numbers. MMVP is left out (letters as options, JPEG pictures); its measure, pairs both of which are \
        right, is the twins’ qAcc.</p>
        """
    }

    /// In the pages' tables.
    private static let shown = ReproductionBenchmarks.measures
    /// Of which differences are tested.
    private static let tested = shown.filter { $0.measure != "precision" && $0.measure != "recall" }

    private func arms(_ place: ReproductionArm.Place) -> [(String, String)] {
        ReproductionArm.all.filter { $0.places.contains(place) }.map { arm in
            let name =
                switch place {
                case .negatives: arm.negatives.words
                case .draws: arm.key == "misp" ? "importance" : arm.name
                default: arm.name
                }
            return (name, arm.key)
        }
    }

    private func armTable(_ arms: [(name: String, key: String)]) -> String {
        HTML.table(
            [""] + Self.shown.map(\.title),
            arms.map { name, key in [name] + Self.shown.map { result.text(key, $0.title) } })
    }

    private var pairTable: String {
        let columns = Self.tested
        let rows = ReproductionResult.pairs.map { pair in
            [pair.difference]
                + columns.map { measure in
                    guard let found = result.difference(pair, measure.title) else { return "–" }
                    let p = found.p.map { $0 < 0.001 ? "\np < 0.001" : String(format: "\np %.3f", $0) } ?? ""
                    return ReproductionResult.text(found.values, sign: true) + p
                }
        }
        return HTML.table([""] + columns.map(\.title), rows)
    }

    private func figure(_ title: String, _ figures: [FigureSheet.Figure]) -> String {
        "<p class=\"note\">\(title); whiskers are 95 % intervals.</p><section class=\"charts\">"
            + figures.map { "<figure><h2>\($0.title)</h2>\($0.svg)</figure>" }.joined() + "</section>"
    }

    /// Of every arm of table 1, and of the negatives.
    private var costs: String {
        let base = result.arms[ReproductionResult.warmup]?.measures["POPE accuracy"] ?? []
        let rows = ReproductionArm.all.filter { $0.places.contains(.objectives) }.map { arm -> [String] in
            let values = result.arms[arm.key] ?? .init()
            let seconds = StudentT.mean(values.seconds).value
            let before = result.preparation(of: arm)
            let gain = zip(values.measures["POPE accuracy"] ?? [], base).map { 100 * ($0 - $1) }
            let mean = gain.isEmpty ? .nan : StudentT.mean(gain).value
            return [
                arm.name, String(format: "%.1f ms", 1000 * StudentT.mean(values.secondsOfGroup).value),
                String(format: "%.1f s", seconds), String(format: "%.1f s", before),
                gain.isEmpty ? "–" : ReproductionResult.text(gain, digits: 1, sign: true),
                String(format: "%+.0f", mean / (seconds + before) * 60),
            ]
        }
        return HTML.table(
            ["", "a group", "training", "CLIP and mining", "points of POPE accuracy", "points a minute"], rows)
                + """
                <p class="note">Seconds on this machine, means over seeds. “CLIP and mining” is what negatives \
                cost before the first step; a CLIP that is there already costs nothing. CLIP took \
                \(String(format: "%.1f", StudentT.mean(result.clip).value)) s. “Points a minute” counts both, \
                over the warm-up.</p>
                """
    }

    private static let style = """
        a{color:var(--s0)}header+p{max-width:72ch}main>p{max-width:86ch}
        main>h2{font-size:19px;margin:36px 0 6px}
        svg.picks{max-width:680px;margin:8px 0}
        svg.picks .frame{fill:none;stroke:var(--line)}
        svg.picks .cloud circle{fill:var(--soft);opacity:.55}
        svg.picks .chance circle{fill:none;stroke:var(--s0);stroke-width:1.2}
        svg.picks .pick circle{fill:var(--s1);opacity:.75}
        main{max-width:1280px}
        .wide table{font-size:13.5px}.wide td{white-space:nowrap}.wide th,.wide td{padding-left:16px}
        .wide tbody th{padding-left:0;min-width:15em}
        @media(max-width:700px){.wide tbody th{min-width:9em}}
        @media print{main{max-width:none;padding:0}.wide{overflow:visible}table{font-size:8.5px}
        th,td{padding:2px 0 2px 6px}.wide td{white-space:normal}figure,table{break-inside:avoid}}
        """
}
