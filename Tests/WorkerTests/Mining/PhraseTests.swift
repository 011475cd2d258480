import Core
import Foundation
import TestSupport
import Testing
import Worker

/// Which phrase of a response a negative makes wrong, by CLIP (the paper's figure 3).
@Suite(.serialized) struct PhraseTests {
    private static let responses = [
        "A red square, a blue line and a tall tower.", "Nothing; or a cat", "...", "One phrase",
        "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a, short",
    ]

    private func fixture() throws -> MiningFixture {
        let fixture = try MiningFixture()
        let pictures = ["rgb.png", "tall.jpg", "grey.jpg", "wide.jpg", "rgba.png"]
        let lines = zip(pictures, Self.responses).map { picture, response in
            #"{"id": "\#(picture)", "prompt": "What?", "chosen": "\#(response)", "image": "images/\#(picture)"}"#
        }
        try fixture.write(lines.joined(separator: "\n"), to: "groups.jsonl")
        return fixture
    }

    /// Every similarity anew, from CLIP itself, one phrase and one picture after the other.
    @Test(arguments: [1, 2, 4]) func againstCLIPItself(ranks: Int) throws {
        let fixture = try fixture()
        // Centring changes what is mined, not what CLIP says of phrases.
        let run = try fixture.mine(ranks: ranks, "centered=true")
        try #require(run.status == 0, "\(run.errors)")
        let clip = try ClipModel(folder: golden("clip/legacy"))
        let section = try fixture.statistics()["phrases"]
        let shown = try section["groups"].array()
        let groups = try fixture.groups()
        #expect(shown.count == groups.count)
        var falls: [Double] = []
        for (group, found) in zip(groups, shown) {
            let phrases = Phrases.pieces(of: group.chosen).filter(\.isPhrase).map(\.text)
            #expect(try found["phrases"].array().map { try $0.string() } == phrases)
            func similarities(_ path: String) throws -> [Double] {
                let image = clip.embed(try RGBImage(contentsOf: URL(filePath: path))).elements
                return try phrases.map { phrase in
                    var tokens = try clip.tokens(of: phrase)
                    if tokens.count > clip.configuration.text.maximumLength { tokens = clip.cut(tokens) }
                    return zip(image, clip.embed(tokens: tokens).elements).reduce(0) { $0 + Double($1.0 * $1.1) }
                }
            }
            let positive = try similarities(group.image)
            for (negative, said) in zip(group.negatives, try found["negatives"].array()) {
                let drops = zip(positive, try similarities(negative.image)).map { $0 - $1 }
                guard let greatest = drops.max(), greatest > 1e-6 else {
                    #expect(said.value == .null || phrases.count > 0)
                    falls += phrases.isEmpty ? [] : [0]
                    continue
                }
                #expect(abs(try said["fall"].double() - greatest) < 1e-5, "\(group.id)")
                #expect(abs(drops[try said["phrase"].int()] - greatest) < 1e-5, "\(group.id)")
                falls.append(greatest)
            }
        }
        #expect(falls.contains { $0 > 1e-3 } && falls.count == 12)
        #expect(abs(try section["greatest_fall"].double() - falls.reduce(0, +) / 12) < 1e-5)
        #expect(try section["different"].int() == 8)
        // What CLIP cannot read whole is named.
        #expect(try section["cut"].array().map { try $0.string() } == ["rgba.png"])
        #expect(run.output.contains("phrases       8 different, cut in: rgba.png"), "\(run.output)")
    }

    @Test func thePageColoursThem() throws {
        let fixture = try fixture()
        try #require(try fixture.mine().status == 0)
        let page = String(decoding: try fixture.bytes("out/gallery.html"), as: UTF8.self)
        let groups = try fixture.statistics()["phrases"]["groups"].array()
        var marks = 0
        for group in groups {
            let phrases = try group["phrases"].array().map { try $0.string() }
            var numbers: [Int: [Int]] = [:]
            for (place, negative) in try group["negatives"].array().enumerated() where negative.value != .null {
                numbers[try negative["phrase"].int(), default: []].append(place + 1)
            }
            for (phrase, picks) in numbers {
                #expect(page.contains("\(phrases[phrase])<sup>\(MiningGallery.runs(picks))</sup></mark>"))
                marks += 1
            }
        }
        // And the legend's.
        #expect(marks > 2)
        #expect(page.components(separatedBy: "</mark>").count - 1 == marks + 1)
        #expect(page.contains("Greatest fall of a phrase"))
        #expect(MiningGallery.runs([1, 2, 4, 6, 7, 8, 9]) == "1, 2, 4, 6–9")
        // Pictures and texts of a model's own parts lie in different spaces.
        let model = golden("checkpoints/llama-clip-spm").path
        try #require(try fixture.mine(output: "own", "embedder=vision", "model.path=\(model)").status == 0)
        let other = String(decoding: try fixture.bytes("own/gallery.html"), as: UTF8.self)
        #expect(!other.contains("<mark") && !other.contains("Greatest fall"))
        #expect(try fixture.statistics("own")["phrases"].isPresent == false)
        try #require(try fixture.mine(output: "none", "page_groups=0").status == 0)
        #expect(try fixture.statistics("none")["phrases"].isPresent == false)
        #expect(try !fixture.files("none").contains { $0.hasSuffix(".html") })
    }
}
