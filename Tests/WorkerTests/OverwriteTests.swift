import Foundation
import TestSupport
import Testing

/// What an earlier run has left is replaced where that was asked for, and nowhere else.
@Suite(.serialized) struct OverwriteTests {
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: "optimizer: {learning_rate: 1e-2, groups_per_step: 8, steps: 1}\nlora: {r: 2}", adapter: false)
    }

    private func names(_ folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: fixture.folder[folder].path).sorted()
    }

    /// Each kind of result by itself is enough.
    @Test func resultsOfAnEarlierRunAreNotReplacedUnasked() throws {
        #expect(try fixture.train(output: "whole").status == 0)
        for (name, keeping) in [
            ("a", "checkpoints"), ("b", "adapter"), ("c", "metrics.jsonl"), ("d", "model"), ("e", "eval.jsonl"),
        ] {
            try FileManager.default.createDirectory(at: fixture.folder[name], withIntermediateDirectories: true)
            let source = ["model": "adapter", "eval.jsonl": "metrics.jsonl"][keeping] ?? keeping
            try FileManager.default.copyItem(
                at: fixture.folder["whole/\(source)"], to: fixture.folder["\(name)/\(keeping)"])
            let before = try names(name)
            let refused = try fixture.train(ranks: name == "a" ? 2 : nil, output: name)
            #expect(refused.status == 2, "\(keeping): \(refused.errors)")
            #expect(
                refused.errors.contains("\(name): holds \(keeping) of an earlier run, which a new one would replace"),
                "\(refused.errors)")
            #expect(refused.errors.contains("--resume") && refused.errors.contains("--overwrite"))
            #expect(try names(name) == before)
            let replaced = try fixture.train(output: name, arguments: ["--overwrite"])
            #expect(replaced.status == 0, "\(replaced.errors)")
            #expect(replaced.errors.contains("replacing \(keeping) of an earlier run, as --overwrite was given"))
            #expect(
                try names(name).filter { !$0.contains("tfevents") }
                    == names("whole").filter { !$0.contains("tfevents") })
        }
        let both = try fixture.train(resuming: true, arguments: ["--overwrite"])
        #expect(both.status == 2 && both.errors.contains("exclude each other"), "\(both.errors)")
    }

    /// An empty file or folder is nobody's work.
    @Test func whatHoldsNothingIsNotInTheWay() throws {
        for name in ["checkpoints", "adapter"] {
            try FileManager.default.createDirectory(
                at: fixture.folder["out/\(name)"], withIntermediateDirectories: true)
        }
        try fixture.write("", to: "out/metrics.jsonl")
        let run = try fixture.train()
        #expect(run.status == 0, "\(run.errors)")
    }

    /// A run that trains on what it would replace.
    @Test func whatTheRunReadsIsNotReplaced() throws {
        #expect(try fixture.train().status == 0)
        try FileManager.default.copyItem(at: fixture.checkpoint, to: fixture.folder["out/model"])
        for (key, value) in [
            ("model.adapter", "out/adapter"), ("model.path", "out/model"), ("data.train", "out/model/groups.jsonl"),
        ] {
            let run = try fixture.train(["\(key)=\(value)"], arguments: ["--overwrite"])
            #expect(
                run.status == 2 && run.errors.contains("\(key): lies in what the run would replace"), "\(run.errors)")
            #expect(FileManager.default.fileExists(atPath: fixture.folder["out/adapter/adapter_config.json"].path))
        }
    }

    @Test func exportsAndScores() throws {
        #expect(try fixture.train().status == 0)
        func worker(_ command: String, _ out: String, _ more: String...) throws -> RankRun {
            try runRanks(
                nil, "misp-worker",
                [
                    command, "--config", fixture.folder["run.yaml"].path, "--out", fixture.folder[out].path,
                ] + more + ["--set", "output=out"])
        }
        try FileManager.default.createDirectory(at: fixture.folder["empty"], withIntermediateDirectories: true)
        for name in ["merged", "empty"] { #expect(try worker("export", name).status == 0) }
        try FileManager.default.copyItem(at: fixture.folder["out/adapter"], to: fixture.folder["adapter"])
        for name in ["merged", "empty", "adapter"] {
            let again = try worker("export", name)
            #expect(again.status == 2 && again.errors.contains("holds a model ("), "\(name): \(again.errors)")
        }
        let replaced = try worker("export", "merged", "--overwrite", "--shard-size", "20KB")
        #expect(replaced.status == 0, "\(replaced.errors)")
        #expect(try !names("merged").contains("model.safetensors"))

        #expect(try worker("score", "scores.jsonl").status == 0)
        let scores = try fixture.bytes("scores.jsonl")
        try fixture.write("somebody's", to: "other.jsonl")
        for name in ["scores.jsonl", "other.jsonl"] {
            let again = try worker("score", name)
            #expect(again.status == 2 && again.errors.contains("\(name): is there already"), "\(again.errors)")
        }
        #expect(try worker("score", "other.jsonl", "--overwrite").status == 0)
        #expect(try fixture.bytes("other.jsonl") == scores)
    }
}
