import Foundation
import TestSupport
import Testing

/// An output folder belongs to one run at a time.
@Suite(.serialized) struct OutputLockTests {
    private let fixture: TrainingFixture
    private let long = ["optimizer.steps=100000", "checkpoint.every=5", "checkpoint.keep=2"]

    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm", settings: "optimizer: {learning_rate: 1e-3, groups_per_step: 2}\nlora: {r: 2}",
            adapter: false)
    }

    private func metrics() -> String {
        (try? String(contentsOf: fixture.folder["out/metrics.jsonl"], encoding: .utf8)) ?? ""
    }

    private func wait(forSteps steps: Int) {
        for _ in 0..<3000 where metrics().count(where: { $0 == "\n" }) < steps { usleep(10_000) }
    }

    /// Whatever the second one is, the first goes on as if nothing had been.
    @Test(arguments: [nil, 2]) func aSecondRunIsRefusedAndTouchesNothing(ranks: Int?) throws {
        var refused: [RankRun] = []
        let first = try fixture.train(ranks: ranks, long) { process in
            wait(forSteps: 6)
            let mine = ["mine", "--config", fixture.folder["mine.yaml"].path]
            try? fixture.write(
                """
                output: out
                model: {path: '\(golden("clip/legacy").path)'}
                data: {prompts: '\(fixture.checkpoint.path)/groups.jsonl', images: '\(fixture.checkpoint.path)'}
                """, to: "mine.yaml")
            for arguments in [[], ["--overwrite"], ["--resume-if-any"], ["--resume"]] {
                if let run = try? fixture.train(["seed=7"], arguments: arguments) { refused.append(run) }
            }
            if let run = try? runRanks(nil, "misp-worker", mine) { refused.append(run) }
            kill(process, SIGUSR1)
        }
        #expect(refused.count == 5)
        for run in refused {
            #expect(run.status == 2 && run.seconds < 20, "\(run.errors)")
            #expect(run.errors.contains("out: is in use by another run: process "), "\(run.errors)")
            #expect(!run.errors.contains("replacing") && !run.errors.contains("passing over"))
        }
        #expect(first.status == 3, "\(first.errors)")
        for (index, line) in try fixture.metrics().enumerated() { #expect(try line["step"].int() == index + 1) }
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out/.lock"].path))
    }

    @Test func aDeadOwnersLockIsTakenOver() throws {
        let killed = try fixture.train(long) { process in
            wait(forSteps: 11)
            kill(process, SIGKILL)
        }
        #expect(killed.status != 0 && FileManager.default.fileExists(atPath: fixture.folder["out/.lock"].path))
        let next = try fixture.train(["optimizer.steps=12"], arguments: ["--overwrite"])
        #expect(next.status == 0, "\(next.errors)")
        #expect(try fixture.metrics().count == 12)
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out/.lock"].path))
    }

    /// A run that is refused before it writes leaves no folder behind.
    @Test func whatWasMadeForTheLockGoesWithIt() throws {
        for output in ["deep/in/it", "flat"] {
            let run = try fixture.train(ranks: 2, output: output, ["optimizer.steps=1", "lora.r=0"])
            let missing = try fixture.train(output: output, ["optimizer.steps=1", "model.path=nowhere"])
            #expect(run.status == 2 && missing.status == 2, "\(run.errors)\(missing.errors)")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: fixture.folder.url.path)
        #expect(left.sorted() == ["run.yaml"])
    }
}
