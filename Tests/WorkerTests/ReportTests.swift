import Core
import Foundation
import TestSupport
import Testing
import Worker

/// What people watch runs with.
@Suite(.serialized) struct ReportTests {
    /// The bytes that TensorBoard's own writer makes.
    @Test func events() throws {
        let golden = try JSONField(contentsOf: golden("events.json"))
        let folder = try TemporaryFolder()
        let time = Date(timeIntervalSince1970: try golden["time"].double())
        let file = try EventFile(in: folder["events"], continuingAfter: try golden["step"].int(), time: time)
        try file.append(
            [("loss", 0.69314718), ("absent", .nan), ("rewards/margins", -1.5e-7)], step: 300, time: time)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder["events"].path)
        #expect(names.count == 1 && names[0].hasPrefix("events.out.tfevents.1700000000."))
        let bytes = try Data(contentsOf: folder["events"].appending(path: names[0]))
        #expect(bytes.map { String(format: "%02x", $0) }.joined() == (try golden["bytes"].string()))
    }

    /// A run that goes on after step 2 leaves nothing of what an earlier start did after it.
    @Test func eventsOfLaterStepsGo() throws {
        let folder = try TemporaryFolder()
        func write(_ steps: ClosedRange<Int>, at time: Double) throws {
            let file = try EventFile(
                in: folder["events"], continuingAfter: steps.lowerBound - 1, time: Date(timeIntervalSince1970: time))
            for step in steps {
                try file.append([("loss", 0.5)], step: step, time: Date(timeIntervalSince1970: time))
            }
        }
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder["events"].path).sorted()
        }
        try write(1...2, at: 1000)
        let first = try #require(try names().first)
        let whole = try Data(contentsOf: folder["events/\(first)"])
        try FileManager.default.removeItem(at: folder["events"])
        try write(1...300, at: 1000)
        let handle = try FileHandle(forWritingTo: folder["events/\(first)"])
        try handle.seekToEnd()
        try handle.write(contentsOf: whole.prefix(20))
        try handle.close()
        try write(200...201, at: 2000)
        #expect(try names().count == 2)
        try write(3...3, at: 3000)
        // Of the second file's steps none is left.
        #expect(try names().map { $0.split(separator: ".")[3] } == ["1000", "3000"])
        #expect(try Data(contentsOf: folder["events/\(first)"]) == whole)
    }

    /// Every run leaves both; a resumed run adds an event file; several runs are laid side by side.
    @Test func runs() throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                optimizer: {learning_rate: 1e-2, groups_per_step: 4, steps: 4, warmup_ratio: 0}
                checkpoint: {every: 2, keep: 3}
                """, adapter: false)
        for (name, kind) in [("first", "misp"), ("second", "dpo")] {
            let run = try fixture.train(ranks: 2, output: name, ["objective.kind=\(kind)"])
            try #require(run.status == 0, "\(run.errors)")
            let page = try String(contentsOf: fixture.folder["\(name)/report.html"], encoding: .utf8)
            #expect(page.contains("Reward margin") && page.contains("<polyline") && !page.contains("nan"))
            // Self-contained.
            #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"))
        }
        func events() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: fixture.folder["first/tensorboard"].path)
        }
        #expect(try events().count == 1)
        try FileManager.default.removeItem(at: fixture.folder["first/checkpoints/step-000004"])
        let resumed = try fixture.train(output: "first", ["objective.kind=misp"], resuming: true)
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try events().count == 2)

        let folders = ["first", "second"].map { fixture.folder[$0].path }
        let both = try runRanks(
            nil, "misp-worker", ["report"] + folders + ["--out", fixture.folder["both.html"].path])
        #expect(both.status == 0 && both.output.contains("misp") && both.output.contains("dpo"), "\(both.errors)")
        let page = try String(contentsOf: fixture.folder["both.html"], encoding: .utf8)
        #expect(page.contains("What differs") && page.contains("objective.kind") && !page.contains("lora.r<"))
    }

    /// Terms that an objective does not have are no lines of its chart.
    @Test func onlyTermsThatThereAre() throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm", settings: "optimizer: {groups_per_step: 4, steps: 2}", adapter: false)
        for (kind, terms) in [("sft", []), ("dpo", []), ("misp", ["image term", "text term"])] {
            let run = try fixture.train(output: kind, ["objective.kind=\(kind)"])
            try #require(run.status == 0, "\(run.errors)")
            let page = try String(contentsOf: fixture.folder["\(kind)/report.html"], encoding: .utf8)
            #expect(page.contains(">total</b>"))
            #expect(["image term", "text term"].filter { page.contains(">\($0)</b>") } == terms, "\(kind)")
        }
        let both = try runRanks(
            nil, "misp-worker",
            ["report"] + ["sft", "dpo"].map { fixture.folder[$0].path } + ["--out", fixture.folder["both.html"].path])
        #expect(both.status == 0, "\(both.errors)")
        let page = try String(contentsOf: fixture.folder["both.html"], encoding: .utf8)
        #expect(page.contains("Loss: total") && page.contains("Loss: text term") && !page.contains("Loss: image term"))
    }

    @Test func badInput() throws {
        let folder = try TemporaryFolder()
        let absent = try runRanks(nil, "misp-worker", ["report", folder["absent"].path])
        #expect(absent.status == 2 && absent.errors.contains("metrics.jsonl"))
        try FileManager.default.createDirectory(at: folder["empty"], withIntermediateDirectories: true)
        try Data().write(to: folder["empty/metrics.jsonl"])
        let empty = try runRanks(nil, "misp-worker", ["report", folder["empty"].path])
        #expect(empty.status == 2 && empty.errors.contains("no step yet"))
    }
}
