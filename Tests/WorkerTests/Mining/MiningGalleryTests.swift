import Coordinator
import Core
import Foundation
import TestSupport
import Testing
import Worker

struct MiningGalleryTests {
    /// Pictures in one colour each, embeddings around a few centres, and an autoencoder trained on them for a moment.
    struct Fixture {
        let folder: TemporaryFolder
        let images, texts: Matrix<Float>
        let summary: AutoencoderSummary
        let autoencoder: SparseAutoencoder

        init(pictures: Int = 30) throws {
            folder = try TemporaryFolder()
            images = Self.unitRows(pictures, 24, "images")
            texts = Self.unitRows(2, 16, "texts")
            var settings = AutoencoderSettings()
            (settings.latents, settings.steps) = (12, 20)
            let training = try AutoencoderTraining(
                settings, images: images, texts: texts, prompts: [MiningPrompt(id: "a", positive: 0, text: 0)],
                duplicateLimit: 0.99, communicator: SoloCommunicator())
            summary = try training.run()
            try training.write(to: folder["sae.safetensors"])
            autoencoder = try SparseAutoencoder(contentsOf: folder["sae.safetensors"])
            for row in 0..<pictures {
                let colour = [UInt8(row * 8), 200, UInt8(255 - row * 8)]
                let image = RGBImage(
                    width: 300, height: 200, pixels: [[UInt8]](repeating: colour, count: 60_000).flatMap { $0 })
                try image.pngData().write(to: folder["\(row).png"])
            }
        }

        static func unitRows(_ count: Int, _ columns: Int, _ key: String) -> Matrix<Float> {
            let rows = Matrix<Float>(uninitialized: count, columns)
            for r in 0..<count {
                var random = KeyedRandom(8, key, "\(r)")
                for c in 0..<columns { rows[r, c] = Float(random.normal()) }
                let norm = Vector.sumOfSquares(rows.row(r), count: columns).squareRoot()
                Vector.scale(rows.row(r), by: Float(1 / norm), count: columns)
            }
            return rows
        }

        func entry(_ strategy: String, id: String = "g<1>") throws -> GalleryEntry {
            let prompt = MiningPrompt(id: id, positive: 2, text: 1)
            let candidates = CandidateRows.select(images, prompt, duplicateLimit: 0.99)
            let scores = PromptScorer.make(autoencoder, texts: texts)[1].scores(
                images, positive: 2, candidates: candidates)
            let context = SelectionContext(
                images: images, prompt: prompt, positivePath: folder["2.png"].path, candidates: scores, seed: 0)
            return try GalleryEntry(
                prompt: prompt, question: "Is a < b & \"c\"?", chosen: "Yes.", positivePath: folder["2.png"].path,
                path: { folder["\($0).png"].path }, images: images, scores: scores,
                picks: NegativeStrategies.named(strategy)?.choose(3, context) ?? [],
                random: RandomNegatives().choose(3, context))
        }
    }

    private static func count(_ part: String, in text: String) -> Int { text.components(separatedBy: part).count - 1 }

    @Test(arguments: ["misp", "perturb"]) func pageIsSelfContained(strategy: String) throws {
        let fixture = try Fixture()
        let file = fixture.folder["gallery.html"]
        // As it comes from another rank.
        let sent = try JSONEncoder().encode([try fixture.entry(strategy), try fixture.entry(strategy, id: "g2")])
        try MiningGallery.write(
            try JSONDecoder().decode([GalleryEntry].self, from: sent), training: fixture.summary,
            title: "Small gallery",
            strategy: strategy, total: 7, to: file)
        let page = try String(contentsOf: file, encoding: .utf8)
        #expect(page.contains("The first 2 of 7 prompts"))
        #expect(page.contains("Is a &lt; b &amp; &quot;c&quot;?") && page.contains("<code>g&lt;1&gt;</code>"))
        #expect(Self.count("<img ", in: page) == 14)
        #expect(Self.count("src=\"data:image/jpeg;base64,", in: page) == 14)
        for outside in ["http:", "https:", "<script", "url(", "@import"] { #expect(!page.contains(outside)) }
        for tag in ["article", "figure", "svg", "table", "div", "section", "g"] {
            let opened = Self.count("<\(tag)>", in: page) + Self.count("<\(tag) ", in: page)
            #expect(opened == Self.count("</\(tag)>", in: page), "\(tag)")
        }
        #expect(page.contains("of 12 latents dead"))
        #expect(Self.count("<svg ", in: page) == 3)
    }

    @Test func theMapMarksEveryPick() throws {
        let images = Fixture.unitRows(60, 24, "map")
        let map = PickMap(images: images, picks: [3, 3, 3, 7, 9], random: [7, 12, 40], threads: 2)
        #expect(map.svg == PickMap(images: images, picks: [3, 3, 3, 7, 9], random: [7, 12, 40], threads: 1).svg)
        // 60 pictures: 3 picked, 3 drawn, one of them both; the rest are dots.
        #expect(map.svg.components(separatedBy: "<circle").count - 1 == 3 + 3 + 55)
        let radius = String(format: "r=\"%.1f\"", 2.4 * 3.0.squareRoot())
        #expect(map.svg.components(separatedBy: radius).count == 2)
        #expect(map.section(strategy: "a<b").contains("a&lt;b"))
        #expect(PickMap(images: Fixture.unitRows(2, 8, "two"), picks: [0], random: [1], threads: 1).svg.isEmpty)
    }

    /// The bars, the score and the latents are the scores that were given.
    @Test func entriesSayWhatWasScored() throws {
        let fixture = try Fixture()
        let entry = try JSON(
            parsing: String(decoding: try JSONEncoder().encode(fixture.entry("misp")), as: UTF8.self))
        let field = JSONField(entry, file: "entry")
        #expect(try field["candidates"].int() == 29)
        #expect(try field["cloud"].array().count == 29)
        let prompt = MiningPrompt(id: "g<1>", positive: 2, text: 1)
        let candidates = CandidateRows.select(fixture.images, prompt, duplicateLimit: 0.99)
        let scores = PromptScorer.make(fixture.autoencoder, texts: fixture.texts)[1]
            .scores(fixture.images, positive: 2, candidates: candidates)
        let pick = GreedyDiverse().pick(1, scores)[0]
        let mining = field["picks"][0]["mining"]
        let (error, deviation) = (try mining["errorShare"].double(), try mining["deviationShare"].double())
        #expect(abs(error + deviation - scores.scores[pick]) < 1e-12)
        #expect(abs(error - Double(scores.errors[pick]) / Double(scores.errors.max() ?? 0)) < 1e-12)
        let latents = scores.latents.rows(pick..<pick + 1).elements
        #expect(try mining["latents"][0]["value"].double() == Double(latents.max() ?? 0))
        #expect(try field["picks"][0]["name"].string() == "\(candidates[pick]).png")
        #expect(try field["picks"][0]["width"].int() == 224 && field["picks"][0]["height"].int() == 149)
    }
}
