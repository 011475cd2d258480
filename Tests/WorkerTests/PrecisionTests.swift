import Core
import Foundation
import TestSupport
import Testing
import Worker

/// compute.precision: it reaches every command, and no value made in one precision is taken for one of another.
@Suite(.serialized) struct PrecisionTests {
    private static let settings = """
        seed: 3
        objective: {kind: misp}
        negatives: {count: 2, sampling: importance}
        optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 3, warmup_ratio: 0}
        checkpoint: {every: 1}
        """
    private static let bfloat16 = "compute.precision=bfloat16"
    private static let adapter = "adapter/adapter_model.safetensors"

    private let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings) }

    private func trained(_ output: String, ranks: Int? = nil, _ overrides: String...) throws -> Data {
        let run = try fixture.train(ranks: ranks, output: output, overrides)
        try #require(run.status == 0, "\(run.errors)")
        return try fixture.bytes("\(output)/\(Self.adapter)")
    }

    @Test(arguments: ["joint", "streaming"]) func ranksGiveTheSameBits(members: String) throws {
        let set = "compute={precision: bfloat16, members: \(members)}"
        let expected = try trained("1", set, "cache.enabled=false")
        let metrics = try fixture.comparableMetrics("1")
        #expect(metrics.count == 3)
        for ranks in [2, 4] {
            #expect(try trained("\(ranks)", ranks: ranks, set) == expected, "\(ranks) ranks")
            #expect(try fixture.comparableMetrics("\(ranks)") == metrics, "\(ranks) ranks")
        }
    }

    /// Features and the reference's log-probabilities.
    @Test func cachesAreApart() throws {
        func kept() throws -> Set<String> {
            let names = try FileManager.default.subpathsOfDirectory(atPath: fixture.folder["cache"].path)
            return Set(names.filter { $0.hasSuffix(".rows") })
        }
        let float32 = try trained("float32")
        let first = try kept()
        let bfloat16 = try trained("bfloat16", Self.bfloat16)
        let added = try kept().subtracting(first)
        for folder in ["features/", "references/"] {
            #expect(first.contains { $0.hasPrefix(folder) } && added.contains { $0.hasPrefix(folder) }, "\(folder)")
        }
        let both = try kept()
        #expect(try trained("float32 again") == float32)
        #expect(try trained("bfloat16 again", ranks: 2, Self.bfloat16) == bfloat16)
        #expect(try kept() == both, "nothing is computed again")
    }

    @Test func aRunGoesOnInItsOwnPrecision() throws {
        for (own, other) in [("float32", "bfloat16"), ("bfloat16", "float32")] {
            let expected = try trained(own, "compute.precision=\(own)")
            let last = fixture.folder["\(own)/checkpoints/step-000003"]
            try FileManager.default.removeItem(at: last)
            let refused = try fixture.train(output: own, ["compute.precision=\(other)"], resuming: true)
            #expect(refused.status == 2)
            #expect(
                refused.errors.contains(#"misp: compute.precision: is "\#(other)", but "\#(own)" in "#),
                "\(refused.errors)")
            #expect(refused.errors.contains("change it back, or start anew without --resume"))
            // The rest of `compute` may change.
            let resumed = try fixture.train(
                output: own, ["compute.precision=\(own)", "compute.threads=2"], resuming: true)
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try fixture.bytes("\(own)/\(Self.adapter)") == expected)
            let written = try String(contentsOf: fixture.folder["\(own)/config.yaml"], encoding: .utf8)
            #expect(written.contains("  precision: \(own)\n"), "\(written)")
        }
    }

    /// Before there was a precision and a dropout, checkpoints said nothing of them.
    @Test func anOlderCheckpointIsOfFloat32WithoutDropout() throws {
        let expected = try trained("out")
        try FileManager.default.removeItem(at: fixture.folder["out/checkpoints/step-000003"])
        let folder = "out/checkpoints/step-000002"
        let text = String(decoding: try fixture.bytes("\(folder)/state.json"), as: UTF8.self)
        var older = text
        for later in [#","compute":{"precision":"float32"}"#, #","dropout":0.0"#] {
            let before = older
            older = before.replacing(later, with: "")
            try #require(older != before, "\(text.prefix(2000))")
        }
        try fixture.write(older, to: "\(folder)/state.json")
        var checksum = Checksum()
        Data(older.utf8).withUnsafeBytes { checksum.add($0) }
        let manifest = String(decoding: try fixture.bytes("\(folder)/manifest.json"), as: UTF8.self).replacing(
            #/"state.json":\{[^}]*\}/#,
            with: #""state.json":{"bytes":\#(older.utf8.count),"checksum":"\#(checksum.hex)"}"#)
        try fixture.write(manifest, to: "\(folder)/manifest.json")
        let refused = try fixture.train([Self.bfloat16], resuming: true)
        #expect(
            refused.status == 2 && refused.errors.contains(#"compute.precision: is "bfloat16", but "float32" in "#),
            "\(refused.errors)")
        let dropping = try fixture.train(["lora.dropout=0.1"], resuming: true)
        #expect(
            dropping.status == 2 && dropping.errors.contains("lora.dropout: is 0.1, but 0.0 in "), "\(dropping.errors)")
        let resumed = try fixture.train(resuming: true)
        #expect(resumed.status == 0 && resumed.errors.contains("step-000002"), "\(resumed.errors)")
        #expect(try fixture.bytes("out/\(Self.adapter)") == expected)
    }

    /// Every command that computes with a model takes it, and says where it is no faster than float32.
    @Test func everyCommandTakesIt() throws {
        let image = fixture.checkpoint.appending(path: "images/rgb.png").path
        try fixture.write(
            """
            run: run.yaml
            base: true
            answers: {max_tokens: 3}
            benchmarks: [{kind: pope, questions: pope.jsonl, images: \(fixture.checkpoint.path)/images}]
            """, to: "eval.yaml")
        try fixture.write(
            #"{"question_id": 0, "image": "rgb.png", "text": "Is it?", "label": "yes"}"# + "\n", to: "pope.jsonl")
        let (run, eval) = (fixture.folder["run.yaml"].path, fixture.folder["eval.yaml"].path)
        let commands = [
            ["train", "--config", run], ["check", "--config", run],
            ["plan", "--config", run, "--ranks", "1,2"], ["evaluate", "--config", eval],
            ["score", "--config", run, "--out", fixture.folder["scores.jsonl"].path],
            ["generate", "--config", run, "--prompt", "What?", "--image", image, "--max-tokens", "2", "--base"],
        ]
        for command in commands {
            let set = ["--set", "output=\(command[0])", Self.bfloat16]
            let run = try runRanks(2, "misp-worker", command + set)
            #expect(run.status == 0, "\(command[0]): \(run.errors)")
            let notes = run.errors.components(separatedBy: "bfloat16 products are no faster").count - 1
            #expect(notes == (BFloat16.isFaster ? 0 : 1), "\(command[0]): \(run.errors)")
        }
        #expect((Precision.bfloat16.note == nil) == BFloat16.isFaster && Precision.float32.note == nil)
    }

    /// eval.yaml's own, else its run's; answers in one are not continued in another.
    @Test func evaluationsAreApart() throws {
        try fixture.write(
            """
            run: run.yaml
            base: true
            answers: {max_tokens: 3}
            benchmarks: [{kind: pope, questions: pope.jsonl, images: \(fixture.checkpoint.path)/images}]
            """, to: "eval.yaml")
        try fixture.write(
            #"{"question_id": 0, "image": "rgb.png", "text": "Is it?", "label": "yes"}"# + "\n", to: "pope.jsonl")
        func evaluate(_ set: String...) throws -> RankRun {
            try runRanks(
                nil, "misp-worker",
                ["evaluate", "--config", fixture.folder["eval.yaml"].path, "--set", "output=answers"] + set)
        }
        #expect(try evaluate().status == 0)
        let asked = try JSON(contentsOf: fixture.folder["answers/asked.json"])
        #expect(asked["precision"] == nil && asked["weights"] != nil)
        #expect(try evaluate("compute.precision=float32").status == 0)
        let other = try evaluate(Self.bfloat16)
        #expect(other.status == 2 && other.errors.contains("asked for differently"), "\(other.errors)")
        // The run's own.
        let text = String(decoding: try fixture.bytes("run.yaml"), as: UTF8.self)
        try fixture.write(text + "compute: {precision: bfloat16}\n", to: "run.yaml")
        #expect(try evaluate().status == 2)
        #expect(try evaluate("compute.precision=float32").status == 0)
    }

    @Test func miningsAreApart() throws {
        let mining = try MiningFixture()
        let first = try mining.mine()
        #expect(first.status == 0, "\(first.errors)")
        let prompts = try mining.statistics()["prompts"]["different"].int()
        let refused = try mining.mine(Self.bfloat16)
        #expect(
            refused.status == 2 && refused.errors.contains("was mined with another compute.precision"),
            "\(refused.errors)")
        let other = try mining.mine(ranks: 2, output: "other", Self.bfloat16)
        #expect(other.status == 0 && other.errors.contains("embeddings: \(10 + prompts) computed"), "\(other.errors)")
        let again = try mining.mine(output: "again", Self.bfloat16)
        #expect(again.status == 0 && again.errors.contains("embeddings: 0 computed"), "\(again.errors)")
        #expect(try mining.bytes("again/groups.jsonl") == mining.bytes("other/groups.jsonl"))
        let own = try mining.mine(output: "third")
        #expect(own.status == 0 && own.errors.contains("embeddings: 0 computed"), "\(own.errors)")
    }

    /// That the products are others, wherever a command has them; an export rounds nothing.
    @Test func resultsDiffer() throws {
        #expect(try trained("float32") != trained("bfloat16", Self.bfloat16))
        let run = ["--config", fixture.folder["run.yaml"].path]
        func bytes(_ command: String, _ file: String, _ set: String) throws -> Data {
            let place = fixture.folder["\(command) \(set)"]
            let run = try runRanks(
                nil, "misp-worker",
                [command, "--out", place.path] + run + ["--set", "output=float32", "compute.precision=\(set)"])
            try #require(run.status == 0, "\(run.errors)")
            return try Data(contentsOf: file.isEmpty ? place : place.appending(path: file))
        }
        #expect(try bytes("score", "", "float32") != bytes("score", "", "bfloat16"))
        #expect(
            try bytes("export", "model.safetensors", "float32") == bytes("export", "model.safetensors", "bfloat16"))
        let mining = try MiningFixture()
        for embedder in ["clip", "vision"] {
            let model = embedder == "vision" ? ["model.path=\(fixture.checkpoint.path)"] : []
            let rows = try ["float32", "bfloat16"].map { precision in
                let name = "\(embedder) \(precision)"
                let run = try runRanks(
                    nil, "misp-worker",
                    [
                        "mine", "--config", mining.folder["mine.yaml"].path, "--set", "output=\(name)",
                        "embedder=\(embedder)", "compute.precision=\(precision)", "strategy=random",
                    ] + model)
                try #require(run.status == 0, "\(run.errors)")
                return try mining.bytes("\(name)/embeddings.safetensors")
            }
            #expect(rows[0] != rows[1], "\(embedder)")
        }
    }

    @Test func otherWordsAreRefused() throws {
        for command in [["bench", "step"], ["bench", "generate", "--model", fixture.checkpoint.path]] {
            let run = try runRanks(nil, "misp-worker", command + ["--precision", "float16"])
            #expect(run.status == 2, "\(run.errors)")
            #expect(run.errors.contains("float32") && run.errors.contains("bfloat16"), "\(run.errors)")
        }
        let run = try runRanks(
            nil, "misp-worker",
            [
                "bench", "generate", "--model", fixture.checkpoint.path, "--precision", "bfloat16", "--prompt-tokens",
                "4", "--tokens", "2", "--repeats", "1",
            ])
        #expect(run.status == 0 && run.output.contains("tokens/s"), "\(run.errors)")
    }
}
