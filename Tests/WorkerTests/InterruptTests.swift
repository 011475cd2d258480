import Foundation
import TestSupport
import Testing

/// Ctrl-C, which a terminal sends to a launch script.
@Suite(.serialized, .enabled(if: isReleaseBuilt, "no release build")) struct InterruptTests {
    @Test(arguments: ["launch/local", "launch/supervise"]) func endsWithACheckpoint(script: String) throws {
        let output = try TemporaryFolder()
        let run = try runScript(
            script,
            [
                "-n", "2", "--", "train", "--config", repository.appending(path: "examples/first.yaml").path, "--set",
                "optimizer.epochs=100000", "output=\(output["run"].path)",
            ]
        ) { process in
            for _ in 0..<3000 {
                let metrics = try? String(contentsOf: output["run/metrics.jsonl"], encoding: .utf8)
                if (metrics ?? "").count(where: { $0 == "\n" }) > 2 { break }
                usleep(10_000)
            }
            kill(process, SIGINT)
        }
        #expect(run.status == 3, "\(run.errors)")
        #expect(run.errors.contains("with a checkpoint; resume with --resume"), "\(run.errors)")
    }

    /// A command with nothing to save just ends, and nobody complains of a signal.
    @Test func endsOthers() throws {
        let run = try runScript("launch/local", ["-n", "2", "--", "bench", "step"]) { process in
            sleep(4)
            kill(process, SIGINT)
        }
        #expect(run.status == 130 && !run.errors.contains("signal"), "\(run.status): \(run.errors)")
    }
}
