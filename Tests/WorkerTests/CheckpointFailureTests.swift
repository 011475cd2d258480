import Core
import Foundation
import TestSupport
import Testing

/// Runs whose checkpoints cannot be written or are not there.
@Suite(.serialized) struct CheckpointFailureTests {
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                negatives: {count: 2}
                optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 4}
                checkpoint: {every: 1, keep: 9}
                """, adapter: false)
    }

    private func checkpoints(_ output: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: fixture.folder["\(output)/checkpoints"].path).sorted()
    }

    #if os(Linux)
        @Test func aFullDiskIsToldAndTheRunGoesOnLater() throws {
            #expect(try fixture.train(output: "whole").status == 0)
            #expect(try fixture.train(output: "out", ["optimizer.steps=4"]).status == 0)
            for step in [3, 4] {
                try FileManager.default.removeItem(at: fixture.folder["out/checkpoints/step-00000\(step)"])
            }
            let full = try fixture.train(resuming: true) { process in
                let limit = Process()
                limit.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                limit.arguments = ["prlimit", "--pid", "\(process)", "--fsize=20000"]
                try? limit.run()
                limit.waitUntilExit()
            }
            #expect(full.status == 2)
            #expect(full.errors.contains("out/checkpoints: the checkpoint of step 3 cannot be written ("))
            #expect(full.errors.contains("File too large); those before it are as they were: make room there"))
            #expect(try checkpoints("out") == ["step-000001", "step-000002"])
            let again = try fixture.train(ranks: 2, resuming: true)
            #expect(again.status == 0, "\(again.errors)")
            #expect(again.errors.contains("resuming from") && again.errors.contains("step-000002"))
            let name = "adapter/adapter_model.safetensors"
            #expect(try fixture.bytes("out/\(name)") == fixture.bytes("whole/\(name)"))
        }
    #endif

    @Test func aFolderThatCannotBeMadeEndsAllRanks() throws {
        try FileManager.default.createDirectory(at: fixture.folder["out"], withIntermediateDirectories: true)
        try fixture.write("in the way", to: "out/checkpoints")
        let run = try fixture.train(ranks: 2, ["optimizer.steps=100000"], resuming: false)
        #expect(run.status == 2, "\(run.errors)")
        #expect(run.errors.contains("out/checkpoints: the checkpoint of step 1 cannot be written"), "\(run.errors)")
        #expect(run.errors.components(separatedBy: "misp:").count == 2)
        // Told at the step after, not at the end.
        #expect(try fixture.metrics().count < 1000)
    }

    @Test func resumingWithoutACheckpointIsRefusedUnlessItNeedNotBeThere() throws {
        let refused = try fixture.train(resuming: true)
        #expect(refused.status == 2)
        #expect(
            refused.errors.contains(
                "out/checkpoints: there is no whole checkpoint to resume from; "
                    + "start the run without --resume, or with --resume-if-any"), "\(refused.errors)")
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out"].path))
        let first = try fixture.train(ranks: 2, arguments: ["--resume-if-any"])
        #expect(first.status == 0, "\(first.errors)")
        #expect(try fixture.metrics().count == 4)
        // Then there is one; and where all are damaged it starts anew.
        let second = try fixture.train(arguments: ["--resume-if-any"])
        #expect(second.errors.contains("resuming from") && second.errors.contains("step-000004"))
        for name in try checkpoints("out") {
            try FileManager.default.removeItem(at: fixture.folder["out/checkpoints/\(name)/manifest.json"])
        }
        let third = try fixture.train(["optimizer.steps=1"], arguments: ["--resume-if-any"])
        #expect(third.status == 0, "\(third.errors)")
        #expect(
            third.errors.contains("passing over a damaged checkpoint")
                && third.errors.contains("as no checkpoint of it is whole"))
        #expect(try checkpoints("out") == ["step-000001"])
    }
}
