import Core
import Foundation
import TestSupport
import Testing

/// A run that cannot learn is refused before it begins; groups that teach little are listed.
@Suite(.serialized) struct LearningTests {
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: "optimizer: {steps: 1, groups_per_step: 2}")
    }

    private func write(_ rows: [String]) throws {
        try fixture.write(rows.joined(separator: "\n") + "\n", to: "groups.jsonl")
    }

    private func row(
        _ id: Int, _ more: String = "", chosen: String = "A cat.", image: String = "images/rgb.png"
    ) -> String {
        #"{"id": "g\#(id)", "prompt": "What?", "chosen": "\#(chosen)", "image": "\#(image)"\#(more)}"#
    }

    private func run(_ command: String, _ kind: String, ranks: Int? = nil, _ more: String...) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker",
            [
                command, "--config", fixture.folder["run.yaml"].path, "--set", "output=out", "data.train=groups.jsonl",
                "objective.kind=\(kind)",
            ] + more)
    }

    /// Objective, what rows have besides prompt, chosen and image, and what is said.
    private static let lacking: [(String, String, [String])] = [
        ("dpo", #", "rejcted": "A dog.""#, ["without rejected", "'rejcted' (did you mean rejected?)"]),
        ("dpo", #", "rejected": null"#, ["all are without rejected", "give the rows rejected"]),
        ("dpo", #", "rejected": "A cat.""#, ["with the same chosen and rejected"]),
        ("misp", "", ["without rejected and without negatives", "rejected or negatives"]),
        ("misp", #", "negative": [{"image": "images/wide.jpg"}]"#, ["'negative' (did you mean negatives?)"]),
        ("misp", #", "negatives": [{"image": "images/rgb.png"}]"#, ["with their own picture as the negative"]),
        ("sdpo", #", "rejected": "A dog.""#, ["sdpo compares: all are without negatives"]),
    ]

    @Test(arguments: Self.lacking)
    func nothingToLearnIsRefused(kind: String, more: String, said: [String]) throws {
        try write([row(0, more), row(1, more)])
        for command in ["check", "train", "plan"] {
            let run = try run(command, kind)
            #expect(run.status == 2, "\(command) \(run.errors)")
            for part in ["groups.jsonl: none of its 2 groups has anything"] + said {
                #expect(run.errors.contains(part), "\(command) \(part): \(run.errors)")
            }
            #expect(!FileManager.default.fileExists(atPath: fixture.folder["out"].path))
        }
    }

    @Test func whatCanLearnIsNotRefused() throws {
        try write([row(0), row(1)])
        for (kind, setting) in [
            ("sft", "seed=1"), ("mdpo", "seed=1"), ("chip", "seed=1"), ("misp", "objective.anchor_weight=0.5"),
        ] {
            let run = try run("check", kind, setting)
            #expect(run.status == 0, "\(kind): \(run.errors)")
        }
    }

    @Test func aShareWithNothingToLearnIsSaid() throws {
        try write([row(0, #", "rejected": "A dog.""#), row(1), row(2, #", "rejected": "A cat.", "sourc": 1"#), row(3)])
        for command in ["check", "train"] {
            for ranks in [nil, 2] {
                let run = try run(command, "dpo", ranks: ranks, "output=out\(ranks ?? 1)")
                #expect(run.status == 0, "\(run.errors)")
                let lines = run.errors.split(separator: "\n")
                let share = lines.filter { $0.contains("3 of 4 groups have nothing that dpo compares") }
                #expect(share.count == 1 && share[0].contains("2 without rejected"), "\(run.errors)")
                #expect(
                    lines.count { $0.contains("groups.jsonl:3: nothing reads the key 'sourc'") } == 1, "\(run.errors)")
            }
        }
    }

    @Test func unreadKeysAreNamedOnceAndHarmlessOnesNot() throws {
        let rejected = #", "rejected": "A dog.", "source": "x", "split": 3, "metadata": {"a": 1}"#
        try write([
            row(0, rejected + #", "zzz": 1, "ratings": [1]"#), row(1, rejected + #", "zzz": 2"#),
            row(2, rejected + #", "negatives": [{"image": "images/wide.jpg", "scor": 1, "probability": 0.5}]"#),
        ])
        let run = try run("check", "misp")
        #expect(run.status == 0)
        let lines = run.errors.split(separator: "\n").filter { $0.contains("nothing reads the key") }
        #expect(lines.count == 3, "\(run.errors)")
        #expect(lines.contains { $0.hasSuffix("groups.jsonl:1: nothing reads the key 'zzz', and 1 more row") })
        #expect(lines.contains { $0.contains("'negatives[].scor' (did you mean negatives[].score?)") })
    }

    @Test func oddGroupsAreListed() throws {
        let pictures = fixture.checkpoint.appending(path: "images")
        try FileManager.default.copyItem(
            at: pictures.appending(path: "rgb.png"), to: fixture.folder["copy.png"])
        let copy = fixture.folder["copy.png"].path
        let rejected = #", "rejected": "A dog.""#
        try write([
            row(0, rejected), row(1, #", "rejected": "A cat.""#),
            row(2, rejected + #", "negatives": [{"image": "images/wide.jpg"}, {"image": "\#(copy)"}]"#),
            row(3, rejected + #", "negatives": [{"image": "images/wide.jpg"}, {"image": "images/wide.jpg"}]"#),
            row(4, rejected + #", "negatives": [{"image": "images/tall.jpg"}, {"image": "images/wide.jpg"}]"#),
        ])
        for ranks in [nil, 2] {
            let run = try run("check", "misp", ranks: ranks)
            #expect(run.status == 0 && run.output.contains("memory:"), "\(run.errors)")
            let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix("misp: ") }
            #expect(lines.count == 4 && lines[0].hasSuffix("groups that teach little or nothing: 3"), "\(run.errors)")
            for (line, said) in [
                (2, "chosen and rejected are the same"), (3, "negative 2 is the group's own picture"),
                (4, "negative 2 is the same picture as negative 1"),
            ] {
                #expect(run.errors.contains("groups.jsonl:\(line): \(said)"), "\(run.errors)")
            }
        }
        // What the objective does not look at is not told.
        let sft = try run("check", "sft")
        #expect(sft.status == 0 && !sft.errors.contains("teach little"), "\(sft.errors)")
    }

    @Test func transparentPicturesAreCounted() throws {
        let goldens = golden("transparency")
        let names = ["rgba.webp", "opaque-rgba.png", "palette4-one.png", "grey8-key200.png"]
        try write(
            names.enumerated().map { index, name in
                row(index, #", "rejected": "A dog.""#, image: goldens.appending(path: name).path)
            })
        let white = try run("check", "dpo", "data.transparency=white")
        #expect(white.output.contains("pictures: 4, 3 of them with transparent pixels, which are laid over white"))
        let drop = try run("check", "dpo", "data.transparency=drop")
        #expect(drop.output.contains("3 of them with transparent pixels, which are read without their alpha"))
        let typo = try run("check", "dpo", "data.transparency=wite")
        #expect(typo.status == 2 && typo.errors.contains("did you mean white?"), "\(typo.errors)")
    }

    /// A picture's features, and what follows from them, are those of the setting, whatever the caches hold.
    @Test func transparencyChangesWhatIsSeen() throws {
        let picture = golden("transparency/rgba.webp").path
        try write([row(0, #", "rejected": "A dog.""#, image: picture), row(1, #", "rejected": "A dog.""#)])
        var losses: [String] = []
        for transparency in ["white", "drop", "white"] {
            let run = try run(
                "train", "sft", "data.transparency=\(transparency)", "output=out\(losses.count)", "data.shuffle=false")
            #expect(run.status == 0, "\(run.errors)")
            losses.append(try fixture.comparableMetrics("out\(losses.count)").joined())
        }
        #expect(losses[0] == losses[2] && losses[0] != losses[1])
        let resumed = try runRanks(
            nil, "misp-worker",
            [
                "train", "--config", fixture.folder["run.yaml"].path, "--resume", "--set", "output=out0",
                "data.train=groups.jsonl", "objective.kind=sft", "data.shuffle=false", "data.transparency=drop",
            ])
        #expect(resumed.status == 2 && resumed.errors.contains("transparency"), "\(resumed.errors)")
    }
}
