import Core
import Foundation
import TestSupport
import Testing
import Worker

/// latents.html and what it is made of.
struct LatentFactorTests {
    /// Pictures 0 to 9 have apples, 10 to 19 pears, of 20 to 29 nothing is said.
    private static let texts = (0..<20).reduce(into: [Int: [String]]()) { texts, picture in
        texts[picture] = ["What is it?", picture < 10 ? "A red <apple>." : "A pear & \(picture)."]
    }

    /// Latent 1 is high from apples to pears, latent 2 from pears to what nothing is said of.
    private static let pairs: StrongestPairs = {
        var pairs = StrongestPairs(latents: 4, limit: 8)
        for positive in 0..<20 {
            let rows = (0..<30).filter { $0 != positive }
            let codes = rows.flatMap { row -> [Float] in
                let (toPear, toSilent) = (positive < 10 && (10..<20).contains(row), positive >= 10 && row >= 20)
                return [0.05, toPear ? 0.9 : 0.05, toSilent ? 0.8 : 0.05, 0.01]
            }
            pairs.add(
                CandidateScores(
                    rows: rows, errors: rows.map { _ in 1 }, deviations: rows.map { _ in 1 },
                    latents: Matrix(rows.count, 4, codes)),
                prompt: positive, positive: positive)
        }
        return pairs
    }()

    private func factors() -> LatentFactors {
        LatentFactors(
            Self.pairs, deciding: [2, 1, 1, 1, 2, 0, 0], randomDeciding: [1, 3, 3, 3], positives: Self.texts,
            gallery: Self.texts)
    }

    @Test func namesComeFromBothSides() throws {
        let factors = factors()
        // Most negatives first, ties to the lower index; latent 3 decides none.
        #expect(factors.factors.map(\.index) == [1, 0, 2])
        #expect(factors.factors.map(\.decided) == [3, 2, 2] && factors.factors.map(\.randomDecided) == [1, 0, 0])
        #expect(factors.deciding == 3 && factors.latents == 4)
        // All eight positives are apples; the negative is the first pear each time.
        #expect(factors.factors[0].pairs.map(\.positive) == Array(0..<8))
        #expect(factors.factors[0].pairs.allSatisfy { $0.negative == 10 && $0.value == 0.9 })
        // By hand: apple and red score 2.64; 10 scores 3.18, pear with 1.93 too little.
        #expect(factors.names[1] == "apple red → 10")
        #expect(factors.factors[2].describedNegatives == 0 && factors.factors[2].negativeWords.isEmpty)
        #expect(factors.names[2] == "pear")
    }

    /// A word that all positives have and no other picture does says nothing of a positive.
    @Test func eachSideIsScoredAgainstItsOwnKind() {
        let captions = (20..<60).reduce(into: [Int: [String]]()) { $0[$1] = [$1 == 20 ? "grass" : "sky"] }
        let factors = LatentFactors(
            Self.pairs, deciding: [1, 2], randomDeciding: [], positives: Self.texts,
            gallery: captions.merging(Self.texts) { $1 })
        #expect(factors.factors[0].positiveWords.map(\.text) == ["apple", "red"])
        // Beside 39 pictures of the sky, pears and their question are rare enough.
        #expect(Set(factors.factors[0].negativeWords.map(\.text)).isSuperset(of: ["10", "pear", "what"]))
        #expect(factors.factors[1].negativeWords.map(\.text) == ["grass"])
    }

    @Test func thePageShowsThem() throws {
        let folder = try TemporaryFolder()
        for row in 0..<30 {
            let colour = [UInt8(row * 8), 90, UInt8(255 - row * 8)]
            try RGBImage(width: 300, height: 200, pixels: [[UInt8]](repeating: colour, count: 60_000).flatMap { $0 })
                .pngData().write(to: folder["\(row).png"])
        }
        let file = folder["latents.html"]
        try LatentPage(
            factors(), title: "Latents of <x>", path: { folder["\($0).png"].path }, prompt: { "Q & \($0)" }
        ).write(to: file)
        let page = try String(contentsOf: file, encoding: .utf8)
        func count(_ part: String) -> Int { page.components(separatedBy: part).count - 1 }
        #expect(count("<article ") == 3 && count("<figure>") == 18)
        #expect(count("<img ") == 36 && count("src=\"data:image/jpeg;base64,") == 36)
        #expect(page.contains("Latents of &lt;x&gt;") && page.contains("Q &amp; 0"))
        #expect(page.contains("decides 42.9 % of the negatives, 25.0 % of random draws"))
        #expect(page.contains("nothing is said of them") && page.contains("3 of 4 latents decide the 7 negatives"))
        for outside in ["http:", "https:", "<script", "url(", "@import"] { #expect(!page.contains(outside)) }
        for tag in ["article", "figure", "div", "p", "span", "header"] {
            #expect(count("<\(tag)>") + count("<\(tag) ") == count("</\(tag)>"), "\(tag)")
        }
    }
}
