import Core
import Foundation
import TestSupport
import Testing

/// Runs that end early and go on, held to runs that were left alone.
@Suite(.serialized) struct ResumeTests {
    /// Adapters of rank 64 by default: enough parameters that several ranks own a slice.
    private static let settings = """
        seed: 3
        objective: {kind: misp}
        negatives: {count: 2, sampling: importance}
        optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 6, warmup_ratio: 0}
        checkpoint: {every: 2, keep: 9}
        """

    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        // Evaluated on what it is trained on.
        let data = try String(contentsOf: fixture.folder["run.yaml"], encoding: .utf8)
            .replacing("data: {", with: "data: {eval: '\(fixture.checkpoint.path)/groups.jsonl', ")
        try fixture.write(data, to: "run.yaml")
    }

    private func checkpoints(_ output: String = "out") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: fixture.folder["\(output)/checkpoints"].path).sorted()
    }

    private func finished(_ run: RankRun) throws { try #require(run.status == 0, "\(run.errors)") }

    /// Everything but clock readings is the same.
    private func expectSameResults(_ a: String, _ b: String, _ comment: Comment) throws {
        #expect(try fixture.comparableMetrics(a) == fixture.comparableMetrics(b), comment)
        for file in ["adapter/adapter_model.safetensors", "eval.jsonl"] {
            #expect(try fixture.bytes("\(a)/\(file)") == fixture.bytes("\(b)/\(file)"), "\(comment): \(file)")
        }
    }

    /// As if the machine had stopped after step 4 or 5 of a copy of the finished run.
    private func cut(_ name: String) throws {
        try FileManager.default.copyItem(at: fixture.folder["whole"], to: fixture.folder[name])
        for part in ["checkpoints/step-000006", "adapter"] {
            try FileManager.default.removeItem(at: fixture.folder["\(name)/\(part)"])
        }
    }

    @Test func goesOnToTheSameBitsOnAnyNumberOfRanks() throws {
        try finished(fixture.train(output: "whole"))
        #expect(try checkpoints("whole") == ["step-000002", "step-000004", "step-000006"])
        for ranks in [1, 2, 4, 8] {
            let name = "after\(ranks)"
            try cut(name)
            let run = try fixture.train(ranks: ranks, output: name, resuming: true)
            try finished(run)
            #expect(run.errors.contains("resuming from") && run.errors.contains("step-000004"))
            try expectSameResults(name, "whole", "\(ranks) ranks")
            // The checkpoint holds the same bytes too.
            for file in try FileManager.default.contentsOfDirectory(
                atPath: fixture.folder["whole/checkpoints/step-000006"].path)
            {
                let path = "checkpoints/step-000006/\(file)"
                #expect(try fixture.bytes("\(name)/\(path)") == fixture.bytes("whole/\(path)"), "\(path)")
            }
        }
        // From many ranks to one, from the beginning of what a run of eight left; and a finished run stays as it is.
        try finished(fixture.train(ranks: 8, output: "eight"))
        try FileManager.default.removeItem(at: fixture.folder["eight/checkpoints/step-000006"])
        try FileManager.default.removeItem(at: fixture.folder["eight/checkpoints/step-000004"])
        for _ in 1...2 {
            try finished(fixture.train(output: "eight", resuming: true))
            try expectSameResults("eight", "whole", "from 8 ranks to 1")
        }
    }

    @Test func passesOverDamageAndKeepsTheLatest() throws {
        try finished(fixture.train(output: "whole"))
        let names = ["first_moment.f32", "manifest.json", "parameters.f32", "second_moment.f32", "state.json"]
        #expect(
            try FileManager.default.contentsOfDirectory(
                atPath: fixture.folder["whole/checkpoints/step-000004"].path
            ).sorted() == names)
        for file in names {
            try cut(file)
            let path = "\(file)/checkpoints/step-000004/\(file)"
            var bytes = try fixture.bytes(path)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: fixture.folder[path])
            let run = try fixture.train(output: file, ["checkpoint.keep=1"], resuming: true)
            try finished(run)
            #expect(run.errors.contains("damaged") && run.errors.contains("step-000002"), "\(run.errors)")
            try expectSameResults(file, "whole", "\(file)")
            #expect(try checkpoints(file) == ["step-000006"])
        }
        // Cut short, and what an end in the midst of writing leaves.
        try cut("short")
        for file in ["state.json", "parameters.f32"] {
            let (from, to) = ("short/checkpoints/step-000004/\(file)", fixture.folder["short/checkpoints"])
            try fixture.bytes(from).dropLast(5).write(to: fixture.folder[from])
            try FileManager.default.createDirectory(
                at: to.appending(path: "step-000005.partial"), withIntermediateDirectories: true)
        }
        try finished(fixture.train(ranks: 2, output: "short", ["checkpoint.keep=2"], resuming: true))
        try expectSameResults("short", "whole", "cut short")
        #expect(try checkpoints("short") == ["step-000004", "step-000006"])
    }

    @Test func refusesAnotherRun() throws {
        try finished(fixture.train(["optimizer.steps=1"]))
        func refused(_ expected: String..., ranks: Int? = nil, output: String = "out", set: [String]) throws {
            let run = try fixture.train(ranks: ranks, output: output, ["optimizer.steps=1"] + set, resuming: true)
            #expect(run.status == 2)
            for part in expected { #expect(run.errors.contains(part), "\(run.errors)") }
        }
        try refused("misp: seed: is 4, but 3 in", set: ["seed=4"])
        try refused("misp: objective.beta: is 0.25, but 0.5 in", ranks: 2, set: ["objective.beta=0.25"])
        try refused("misp: optimizer.learning_rate: ", set: ["optimizer.learning_rate=1e-3"])
        let adapter = fixture.checkpoint.appending(path: "adapter-init").path
        try refused("misp: model.adapter: ", "is there, but was not when ", set: ["model.adapter=\(adapter)"])
        try refused("misp: trainable.projector: ", set: ["trainable.projector=full"])
        let groups = try String(
            contentsOf: fixture.checkpoint.appending(path: "groups.jsonl"), encoding: .utf8)
        try fixture.write(groups + "\n", to: "other.jsonl")
        try refused("misp: data.train: ", set: ["data.train=other.jsonl"])
        try refused("no/checkpoints: there is no whole checkpoint to resume from; ", output: "no", set: [])
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["no"].path))
        // Where it may it starts anew, and says what it replaces.
        let run = try fixture.train(["optimizer.steps=1", "seed=4"], arguments: ["--overwrite"])
        try finished(run)
        #expect(run.errors.contains("replacing checkpoints, metrics.jsonl, eval.jsonl and adapter of an earlier run"))
    }

    @Test(arguments: [(SIGUSR1, 2), (SIGUSR1, nil), (SIGTERM, nil)] as [(Int32, Int?)])
    func endsWithACheckpointWhenAsked(signal: Int32, ranks: Int?) throws {
        let long = ["optimizer.steps=100000", "checkpoint.every=100000"]
        let file = fixture.folder["out/metrics.jsonl"]
        let run = try fixture.train(ranks: ranks, long) { process in
            for _ in 0..<3000 {
                if ((try? String(contentsOf: file, encoding: .utf8)) ?? "").count(where: { $0 == "\n" }) > 2 { break }
                usleep(10_000)
            }
            kill(process, signal)
        }
        #expect(run.status == 3, "\(run.errors)")
        #expect(run.errors.contains("misp: ") && run.errors.contains("resume with --resume"), "\(run.errors)")
        let steps = try fixture.metrics().count
        let name = "step-" + String(repeating: "0", count: 6 - "\(steps)".count) + "\(steps)"
        #expect(try checkpoints() == [name])
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out/adapter"].path))
        // It goes on from there, until asked again.
        let next = try fixture.train(ranks: ranks == nil ? 2 : nil, long, resuming: true) { process in
            for _ in 0..<3000 {
                if ((try? fixture.metrics().count) ?? 0) > steps { break }
                usleep(10_000)
            }
            kill(process, SIGUSR1)
        }
        #expect(next.status == 3, "\(next.errors)")
        let metrics = try fixture.metrics()
        #expect(metrics.count > steps)
        for (index, line) in metrics.enumerated() { #expect(try line["step"].int() == index + 1) }
    }
}
