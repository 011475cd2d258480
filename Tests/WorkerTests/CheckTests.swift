import Core
import Foundation
import TestSupport
import Testing
import Worker

/// `check`: a report where nothing is wrong, and whole classes of problems where something is.
@Suite(.serialized) struct CheckTests {
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: "optimizer: {epochs: 2, groups_per_step: 4}")
    }

    private func check(ranks: Int? = nil, _ overrides: String...) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker",
            ["check", "--config", fixture.folder["run.yaml"].path, "--set", "output=out"] + overrides)
    }

    /// Runs check on groups of its own, with the checkpoint's pictures; returns the lines of the listing.
    private func problems(_ groups: [String], ranks: Int? = nil) throws -> [String] {
        try fixture.write(groups.joined(separator: "\n") + "\n", to: "groups.jsonl")
        let run = try check(ranks: ranks, "data.train=groups.jsonl")
        #expect(run.status == 2 && run.output.isEmpty, "\(run.output)\(run.errors)")
        return run.errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("misp: ") }
    }

    private func group(_ id: String, prompt: String = "What?", image: String = "images/rgb.png") -> String {
        #"{"id": "\#(id)", "prompt": "\#(prompt)", "chosen": "A cat.", "rejected": "A dog.", "image": "\#(image)"}"#
    }

    @Test func reportsAndLeavesNothing() throws {
        let run = try check()
        try #require(run.status == 0, "\(run.errors)")
        let groups = try JSON.lines(contentsOf: fixture.checkpoint.appending(path: "groups.jsonl"))
        for part in [
            "groups: \(groups.count) in", "trained parameters", "reads at most 256 tokens", "memory:", "time:",
        ] {
            #expect(run.output.contains(part), "\(part): \(run.output)")
        }
        #expect(run.errors.isEmpty, "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out"].path))
    }

    /// What depends on neither the clock nor the number of ranks is the same for any number of them.
    @Test func ranksShareTheWork() throws {
        func stable(_ run: RankRun) -> [String] {
            let varying = ["memory:", "  trained", "time:", "  a step", "steps:"]
            return run.lines.filter { line in !varying.contains { line.contains($0) } }
        }
        let alone = try check()
        let three = try check(ranks: 3)
        try #require(three.status == 0, "\(three.errors)")
        #expect(stable(alone) == stable(three) && stable(alone).count > 8)
    }

    @Test func countsTheTermsOfTheObjective() throws {
        let negatives = #""negatives": [{"image": "images/wide.jpg"}], "image""#
        try fixture.write(
            [
                group("a"), group("b").replacing(#""rejected": "A dog.", "#, with: ""),
                group("c").replacing(#""image""#, with: negatives),
            ].joined(separator: "\n"), to: "groups.jsonl")
        let run = try check("data.train=groups.jsonl")
        #expect(run.output.contains("2 with a text term, 1 without"), "\(run.output)\(run.errors)")
        #expect(run.output.contains("1 with an image term, 2 without"), "\(run.output)")
        let dpo = try check("data.train=groups.jsonl", "objective.kind=dpo")
        #expect(dpo.output.contains("2 with a text term") && !dpo.output.contains("image term"), "\(dpo.output)")
    }

    @Test func listsEveryMalformedLine() throws {
        for ranks in [nil, 2] {
            let lines = try problems(
                [group("a"), "{", group("b", prompt: " "), group("c", image: "images/absent.png"), "[]"], ranks: ranks)
            #expect(lines.count == 4 && lines.first?.hasSuffix(": 3") == true, "\(lines)")
            for (line, place) in zip(lines.dropFirst(), ["groups.jsonl:2", "groups.jsonl:3", "groups.jsonl:5"]) {
                #expect(line.contains(place), "\(line)")
            }
        }
    }

    @Test func listsRepeatedIDs() throws {
        let lines = try problems([group("a"), group("b"), group("a"), group("b"), group("b")])
        #expect(lines.count == 4, "\(lines)")
        #expect(lines.last?.contains("groups.jsonl:5: id: 'b' is the id of line 2 too") == true, "\(lines)")
    }

    @Test func listsPicturesMissingAndUnreadable() throws {
        try fixture.write("no picture", to: "text.png")
        let text = fixture.folder["text.png"].path
        let lines = try problems(
            [group("a"), group("b", image: "images/absent.png"), group("c", image: text), group("d", image: text)],
            ranks: 2)
        #expect(lines.count == 3, "\(lines)")
        #expect(lines[1].contains("groups.jsonl:2") && lines[1].contains("absent.png does not exist"), "\(lines)")
        #expect(lines[2].contains("groups.jsonl:3") && lines[2].contains("not a PNG, JPEG or WebP"), "\(lines)")
    }

    @Test func listsSequencesThatAreTooLong() throws {
        let long = String(repeating: "long ", count: 400)
        let lines = try problems([group("a"), group("b", prompt: long), group("c"), group("d", prompt: long)])
        #expect(lines.count == 3, "\(lines)")
        #expect(lines[1].contains("groups.jsonl: b: has") && lines[1].contains("at most 256"), "\(lines)")
        #expect(lines[2].contains("groups.jsonl: d: has"), "\(lines)")
    }

    @Test func listsAtMostTwenty() {
        let lines = InputCheck.listing("pictures", (0..<25).map { MISPError("x", at: "\($0)") })
        #expect(lines.count == 22)
        #expect(lines.first == "misp: pictures: 25" && lines[20] == "misp: 19: x")
        #expect(lines.last == "misp: … and 5 more")
    }

    @Test func aModelThatIsWrongIsTheFirstClass() throws {
        let run = try check(ranks: 2, "model.path=nowhere")
        #expect(run.status == 2 && run.errors.contains("nowhere: is not a folder"), "\(run.errors)")
    }

    @Test func quantities() {
        #expect(Quantity.bytes(512) == "512 bytes" && Quantity.bytes(3 * 0x1p30) == "3.0 GiB")
        #expect(Quantity.seconds(90) == "90 s" && Quantity.seconds(180) == "3.0 min")
        #expect(Quantity.spread([9, 3, 5]).hasPrefix("3 … 5 … 9"))
        let bins = Quantity.histogram([1, 1, 2, 17])
        #expect(bins.count == 6 && bins[0].hasSuffix("# 3") && bins[1].hasSuffix(" 0") && bins[5].hasSuffix("# 1"))
        #expect(Quantity.histogram([]).isEmpty)
    }
}
