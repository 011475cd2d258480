import Foundation
import TestSupport
import Testing

/// The program by itself, as daemons, full disks, pipes and closed terminals leave its standard streams.
@Suite(.serialized) struct StandardStreamTests {
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                negatives: {count: 2}
                optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 2}
                """, adapter: false)
    }

    /// Runs commands of bash in which `train` is a training, with further settings behind it.
    private func bash(_ commands: String) throws -> ScriptRun {
        let train = "exec '\(try builtProduct("misp-worker").path)' train --config run.yaml --set output=out"
        return try runBash("train() { \(train) \"$@\"; }; \(commands)", in: fixture.folder.url)
    }

    /// What was told to people and stands in a file of the run.
    private func strayLines() throws -> [String] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: fixture.folder["out"].path)
        return names.filter { name in
            guard !name.hasSuffix(".html"), let data = try? fixture.bytes("out/\(name)") else { return false }
            return data.range(of: Data("misp on ".utf8)) != nil || data.range(of: Data("step 2/2".utf8)) != nil
        }
    }

    @Test(arguments: ["2>&-", "<&- >&- 2>&-", "<&- 2>&-", "2>/dev/full", ">/dev/full 2>&1", "2> >(exec true)"])
    func streamsThatTakeNothingHarmNoFile(streams: String) throws {
        let whole = try fixture.train(output: "whole")
        #expect(whole.status == 0)
        let run = try bash("train \(streams)")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try strayLines().isEmpty)
        let adapter = "adapter/adapter_model.safetensors"
        #expect(try fixture.bytes("out/\(adapter)") == fixture.bytes("whole/\(adapter)"))
    }

    @Test func outputThatIsLostIsAnError() throws {
        let worker = try builtProduct("misp-worker").path
        for command in ["--help", "check --config run.yaml", "plan --config run.yaml"] {
            let full = try runBash("'\(worker)' \(command) >/dev/full", in: fixture.folder.url)
            #expect(full.status == 2, "\(command): \(full.errors)")
            #expect(full.errors.contains("standard output: cannot be written: No space left"), "\(full.errors)")
            // A reader that has enough is none.
            let closed = try runBash("set -o pipefail; '\(worker)' \(command) | true", in: fixture.folder.url)
            #expect(closed.status == 0 && !closed.errors.contains("misp-worker: "), "\(command): \(closed.errors)")
        }
    }

    /// The terminal was closed: the run ends with a checkpoint, but for one under nohup.
    @Test func aHangupEndsWithACheckpoint() throws {
        let wait = "for ((i = 0; i < 1000; i++)); do [[ ! -s out/metrics.jsonl ]] || break; sleep 0.02; done"
        let run = try bash("train optimizer.steps=100000 & \(wait); kill -HUP $!; wait $!")
        #expect(run.status == 3, "\(run.errors)")
        #expect(run.errors.contains("resume with --resume"), "\(run.errors)")
        let kept = try bash(
            "rm -rf out; (trap '' HUP; train optimizer.steps=40 & \(wait); kill -HUP $!; wait $!)")
        #expect(kept.status == 0, "\(kept.errors)")
    }
}
