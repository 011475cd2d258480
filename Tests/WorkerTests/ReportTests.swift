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

    /// What `evaluate` found stands beside the curves: of a run's own folder, and of others.
    @Test func evaluations() throws {
        let folder = try TemporaryFolder()
        func write(_ text: String, to name: String) throws {
            let url = folder[name]
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        func results(_ value: String) -> String {
            #"{"benchmarks": [{"name": "pope", "measures": [{"name": "accuracy", "value": \#(value), "low": 0.25, "#
                + #""high": 0.75}, {"name": "of <none>", "value": null, "low": null, "high": null}]}]}"#
        }
        try write(#"{"step": 1, "loss": 1.5}"# + "\n", to: "runs/a/metrics.jsonl")
        try write(results("0.625"), to: "runs/a/evaluation/results.json")
        try write(results("0.375"), to: "eval-other/results.json")
        try write("<html>", to: "eval-other/compare.html")
        let run = try runRanks(nil, "misp-worker", ["report", folder["runs/a"].path, folder["eval-other"].path])
        #expect(run.status == 0, "\(run.errors)")
        let line = run.lines.first { $0.hasPrefix("pope accuracy") } ?? ""
        #expect(line.contains("0.625  0.25 to 0.75") && line.contains("0.375"), "\(run.output)")
        let page = try String(contentsOf: folder["runs/a/report.html"], encoding: .utf8)
        #expect(page.contains("<th>eval-other</th>") && page.contains("<td>0.625<br>0.25 to 0.75</td>"))
        #expect(page.contains("<a href=\"../../eval-other/compare.html\">eval-other</a>"))
        #expect(!page.contains("of &lt;none&gt;"), "a measure without a value")
        try write(#"{"benchmarks": [{"name": "pope"}]}"#, to: "eval-other/results.json")
        let malformed = try runRanks(nil, "misp-worker", ["report", folder["eval-other"].path])
        #expect(malformed.status == 2 && malformed.errors.contains("eval-other/results.json"), "\(malformed.errors)")
    }

    /// A loss is one of something: others' stand in pictures of their own, with what they differ in.
    @Test func lossesOfDifferentObjectivesAreNotLaidOverEachOther() throws {
        let folder = try TemporaryFolder()
        let runs = [("a", "dpo", "0.1"), ("b", "misp", "0.1"), ("c", "misp", "0.1"), ("d", "misp", "0.5")]
        for (name, kind, beta) in runs {
            try FileManager.default.createDirectory(at: folder[name], withIntermediateDirectories: true)
            let lines = (1...3).map { #"{"step": \#($0), "loss": \#($0), "rewards/margins": \#($0)}"# + "\n" }
            try Data(lines.joined().utf8).write(to: folder["\(name)/metrics.jsonl"])
            try Data("objective: {kind: \(kind), beta: \(beta)}\n".utf8).write(to: folder["\(name)/config.yaml"])
        }
        let page = folder["page.html"]
        let run = try runRanks(
            nil, "misp-worker", ["report"] + runs.map { folder[$0.0].path } + ["--out", page.path])
        #expect(run.status == 0, "\(run.errors)")
        let figures = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "<figure>").dropFirst()
        let losses = figures.filter { $0.contains("<h2>Loss") }
        #expect(losses.map { $0.components(separatedBy: "<polyline").count - 1 } == [1, 2, 1])
        #expect(losses[1].contains("objective.beta 0.1, objective.kind misp"))
        // Each keeps its colour; what means the same for all is one picture.
        #expect(losses[0].contains("class=\"s0\"") && losses[2].contains("class=\"s3\""))
        let margins = figures.filter { $0.contains("<h2>Reward margin") }
        #expect(margins.map { $0.components(separatedBy: "<polyline").count - 1 } == [4])
    }

    /// At the first step the policy is the reference: no answer's reward is greater than the other's, and none wrong.
    @Test func tiesAreNotCountedAsWrong() throws {
        let folder = try TemporaryFolder()
        let lines = [(1, 0.0, 0.0), (2, 0.5, 0.25), (3, 0.75, -0.5)].map { step, accuracy, margin in
            #"{"step": \#(step), "loss": 1, "rewards/accuracies": \#(accuracy), "rewards/margins": \#(margin)}"#
        }
        func accuracy(_ lines: some Sequence<String>) throws -> String? {
            try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: folder["metrics.jsonl"])
            let run = try runRanks(nil, "misp-worker", ["report", folder.url.path])
            return run.lines.first { $0.hasPrefix("reward accuracy") }?.split(separator: " ").last.map(String.init)
        }
        #expect(try accuracy(lines.prefix(1)) == nil)
        #expect(try accuracy(lines.prefix(2)) == "0.5")
        #expect(try accuracy(lines) == "0.75")
        let page = try String(contentsOf: folder["report.html"], encoding: .utf8)
        let figure = page.components(separatedBy: "<figure>").first { $0.contains("<h2>Reward accuracy") } ?? ""
        #expect(
            figure.components(separatedBy: "points=\"").last?.prefix { $0 != "\"" }.split(separator: " ").count == 2)
    }

    @Test func smoothing() throws {
        // By hand: weights 1; 1/3, 2/3; 1/7, 2/7, 4/7.
        let smooth = LineChart.smoothed([(2, 3), (4, 6), (8, 14)], 0.5)
        #expect(smooth.map(\.step) == [2, 4, 8])
        for (value, expected) in zip(smooth.map(\.value), [3, 5, 71.0 / 7]) { #expect(abs(value - expected) < 1e-12) }
        let folder = try TemporaryFolder()
        let lines = (1...4).map { #"{"step": \#($0), "loss": \#($0 % 2)}"# + "\n" }
        try Data(lines.joined().utf8).write(to: folder["metrics.jsonl"])
        func pale(_ more: [String]) throws -> Int {
            let run = try runRanks(nil, "misp-worker", ["report", folder.url.path] + more)
            #expect(run.status == 0, "\(run.errors)")
            return try String(contentsOf: folder["report.html"], encoding: .utf8).components(separatedBy: " pale\"")
                .count - 1
        }
        #expect(try pale([]) == 0)
        #expect(try pale(["--smooth", "0.9"]) == 1)
        for share in ["1", "-0.1", "nan"] {
            let run = try runRanks(nil, "misp-worker", ["report", folder.url.path, "--smooth", share])
            #expect(run.status == 2 && run.errors.contains("--smooth"), "\(share): \(run.errors)")
        }
    }

    @Test(arguments: [
        (0, 0, [0]), (3, 3, [3]), (0, 1, [0, 1]), (1, 4, [1, 2, 3, 4]), (1, 12, [2, 4, 6, 8, 10, 12]),
        (1, 150, [50, 100, 150]), (0, 1000, [0, 200, 400, 600, 800, 1000]), (97, 103, [98, 100, 102]),
        (999_999, 1_000_007, [1_000_000, 1_000_002, 1_000_004, 1_000_006]), (1, .max, [1, .max]),
    ])
    func stepsAreMarkedAtRoundNumbers(first: Int, last: Int, ticks: [Int]) {
        let found = ChartScale.wholeTicks(from: first, to: last)
        if last < .max { #expect(found == ticks) } else { #expect(found.count > 1) }
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
