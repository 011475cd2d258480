import Foundation
import TestSupport
import Testing

/// A signal ends every phase within seconds, and what was computed is found again.
@Suite(.serialized) struct StoppingTests {
    private let fixture: TrainingFixture

    /// More groups than can be computed while the test lasts.
    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm", settings: "optimizer: {learning_rate: 1e-3, groups_per_step: 8, epochs: 1}",
            adapter: false)
        let groups = try String(contentsOf: fixture.checkpoint.appending(path: "groups.jsonl"), encoding: .utf8)
        try fixture.write(
            (0..<1500).map { groups.replacing("\"id\": \"", with: "\"id\": \"\($0)-") }.joined(), to: "many.jsonl")
    }

    private func there(_ name: String) {
        for _ in 0..<3000 where !FileManager.default.fileExists(atPath: fixture.folder[name].path) { usleep(10_000) }
    }

    private func stopped(
        _ run: (@escaping (Int32) -> Void) throws -> RankRun, after wait: @escaping () -> Void, signal: Int32 = SIGUSR1
    ) throws -> RankRun {
        var asked = ContinuousClock.now
        let run = try run { process in
            wait()
            asked = .now
            kill(process, signal)
        }
        #expect(ContinuousClock.now - asked < .seconds(10), "\(run.errors)")
        return run
    }

    /// With a cache what was computed is kept: status 3; without one nothing is: 143.
    @Test(arguments: [nil, 2]) func references(ranks: Int?) throws {
        /// Stopped so many seconds after it has begun to write.
        func references(_ output: String, _ setting: String, seconds: UInt32 = 2) throws -> RankRun {
            try stopped { meanwhile in
                try fixture.train(
                    ranks: ranks, output: output,
                    ["data.train=many.jsonl", "optimizer.groups_per_step=12000", setting],
                    meanwhile: meanwhile)
            } after: {
                there("\(output)/config.yaml")
                // Features of pictures come first, and are kept too.
                if setting.hasPrefix("cache.folder") { there("store/features") }
                sleep(seconds)
            }
        }
        func kept() -> Int {
            let place = fixture.folder["store/references"].path
            return ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).count
        }
        let lost = try references("lost", "cache.enabled=false")
        #expect(lost.status == 143 && lost.errors.contains("nothing was kept"), "\(lost.errors)")
        // A fast machine is at its first steps by then.
        let run = try references("kept", "cache.folder=store")
        let said = ["computed so far are kept", "with a checkpoint"].contains { run.errors.contains($0) }
        #expect(run.status == 3 && said, "\(run.errors)")
        #expect(kept() > 0)
    }

    @Test func heldOutGroups() throws {
        let run = try stopped { meanwhile in
            try fixture.train(
                ["data.eval=many.jsonl", "objective.kind=sft", "optimizer.epochs=null", "optimizer.steps=2"],
                meanwhile: meanwhile)
        } after: {
            there("out/config.yaml")
            sleep(1)
        }
        #expect(run.status == 3 && run.errors.contains("stopped after step 0 of 2, with a checkpoint"), "\(run.errors)")
        // The last evaluation is made up for.
        let groups = try String(contentsOf: fixture.checkpoint.appending(path: "groups.jsonl"), encoding: .utf8)
        try fixture.write(groups, to: "few.jsonl")
        let next = try fixture.train(
            ["data.eval=few.jsonl", "objective.kind=sft", "optimizer.epochs=null", "optimizer.steps=2"], resuming: true)
        #expect(next.status == 0, "\(next.errors)")
        let lines = try fixture.bytes("out/eval.jsonl")
        try Data(lines.prefix { $0 != 10 } + [10]).write(to: fixture.folder["out/eval.jsonl"])
        let last = try fixture.train(
            ["data.eval=few.jsonl", "objective.kind=sft", "optimizer.epochs=null", "optimizer.steps=2"], resuming: true)
        #expect(last.status == 0, "\(last.errors)")
        #expect(try fixture.bytes("out/eval.jsonl") == lines)
    }

    @Test(arguments: ["score", "generate"]) func answersAndScores(command: String) throws {
        let questions = (0..<4000).map { #"{"id": "\#($0)", "prompt": "What?", "image": "images/rgb.png"}"# }
        try fixture.write(questions.joined(separator: "\n"), to: "questions.jsonl")
        let own = command == "score" ? [] : ["--input", fixture.folder["questions.jsonl"].path, "--base"]
        let out = fixture.folder["answers.jsonl"]
        let run = try stopped { meanwhile in
            try runRanks(
                2, "misp-worker",
                [command, "--config", fixture.folder["run.yaml"].path, "--out", out.path] + own
                    + ["--set", "data.train=many.jsonl"], meanwhile: meanwhile)
        } after: {
            if command == "score" {
                sleep(4)
            } else {
                for _ in 0..<3000 where ((try? Data(contentsOf: out)) ?? Data()).isEmpty { usleep(10_000) }
            }
        }
        #expect(run.status == (command == "score" ? 143 : 3), "\(run.errors)")
        #expect(
            run.errors.contains(command == "score" ? "nothing was kept" : "answers so far are kept"), "\(run.errors)")
    }
}
