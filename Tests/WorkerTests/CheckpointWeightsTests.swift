import Core
import Foundation
import TestSupport
import Testing

/// What `generate`, `export` and `evaluate` make of a run's checkpoint, held to a run that ended there.
@Suite(.serialized) struct CheckpointWeightsTests {
    private static let settings = """
        seed: 3
        objective: {kind: sft}
        trainable: {language: lora, projector: full}
        lora: {r: 4, alpha: 32}
        optimizer: {learning_rate: 2e-2, groups_per_step: 6, steps: 4, warmup_ratio: 0, schedule: constant}
        checkpoint: {every: 2, keep: 9}
        """
    private let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false) }

    private func worker(_ command: String, _ arguments: String...) throws -> RankRun {
        try runRanks(nil, "misp-worker", [command, "--config", fixture.folder["run.yaml"].path] + arguments)
    }

    private func answer(_ arguments: [String], output: String = "long") throws -> String {
        let image = fixture.checkpoint.appending(path: "images/rgb.png").path
        let run = try runRanks(
            nil, "misp-worker",
            [
                "generate", "--config", fixture.folder["run.yaml"].path, "--set", "output=\(output)", "--prompt",
                "What is on the table?", "--image", image, "--max-tokens", "20",
            ] + arguments)
        #expect(run.status == 0, "\(run.errors)")
        return run.output
    }

    private func exported(_ name: String) throws -> Data { try fixture.bytes("\(name)/model.safetensors") }

    @Test func aCheckpointIsTheRunThatEndedThere() throws {
        #expect(try fixture.train(ranks: 2, output: "long").status == 0)
        #expect(try fixture.train(output: "short", ["optimizer.steps=2"]).status == 0)
        let steps = [2, 4].map { fixture.folder["long/checkpoints/step-00000\($0)"].path }

        let first = try answer(["--checkpoint", steps[0]])
        let last = try answer(["--checkpoint", steps[1]])
        #expect(try first == answer([], output: "short"))
        #expect(try last == answer([]))
        #expect(try first != last && first != answer(["--base"]) && last != answer(["--base"]))

        for (index, run) in ["short", "long"].enumerated() {
            let out = fixture.folder["export\(index)"].path
            let export = try worker("export", "--out", out, "--checkpoint", steps[index])
            #expect(export.status == 0 && export.errors.contains("after step \(2 * index + 2)"), "\(export.errors)")
            #expect(try exported("export\(index)") == exported("\(run)/model"))
        }
        #expect(try exported("export0") != exported("export1"))
        let onto = try worker("export", "--out", fixture.checkpoint.path, "--checkpoint", steps[0])
        #expect(onto.status == 2 && onto.errors.contains("--out: is what is exported"), "\(onto.errors)")
    }

    @Test func evaluation() throws {
        #expect(try fixture.train(output: "long").status == 0)
        try fixture.write(
            #"{"question_id": 1, "image": "rgb.png", "text": "Is there a dog?", "label": "no"}"# + "\n",
            to: "pope.jsonl")
        try fixture.write(
            """
            run: run.yaml
            answers: {max_tokens: 20}
            benchmarks:
              - {kind: pope, questions: pope.jsonl, images: \(fixture.checkpoint.path)/images}
            """, to: "eval.yaml")
        func evaluate(_ arguments: String...) throws -> RankRun {
            try runRanks(
                nil, "misp-worker", ["evaluate", "--config", fixture.folder["eval.yaml"].path, "--set"] + arguments)
        }
        var answers: [Data] = []
        for step in [2, 4] {
            let run = try evaluate("output=\(step)", "checkpoint=long/checkpoints/step-00000\(step)")
            #expect(run.status == 0, "\(run.errors)")
            answers.append(try fixture.bytes("\(step)/pope/answers.jsonl"))
        }
        #expect(answers[0] != answers[1])
        let mixed = try evaluate("output=2", "checkpoint=long/checkpoints/step-000004")
        #expect(mixed.status == 2 && mixed.errors.contains("another model's"), "\(mixed.errors)")
        let both = try evaluate("base=true", "checkpoint=long/checkpoints/step-000002")
        #expect(both.status == 2 && both.errors.contains("checkpoint: is given beside base"), "\(both.errors)")
    }

    @Test func whatDoesNotFit() throws {
        #expect(try fixture.train(output: "run").status == 0)
        let checkpoint = fixture.folder["run/checkpoints/step-000002"].path
        let layer = "language_model.layers.0.self_attn.q_proj.lora_A.weight"
        for (override, part) in [
            ("lora.r=5", "holds \(layer) with shape [4, 32], but the configuration asks for [5, 32]"),
            ("trainable.projector=frozen", "multi_modal_projector.linear_1.bias, which the configuration does not"),
            ("trainable.vision=full", "does not hold vision_tower."),
        ] {
            let run = try worker(
                "export", "--out", fixture.folder["x"].path, "--checkpoint", checkpoint, "--set", override)
            #expect(run.status == 2 && run.errors.contains(part), "\(override): \(run.errors)")
            #expect(run.errors.contains("state.json"))
        }
        let image = fixture.checkpoint.appending(path: "images/rgb.png").path
        func generate(_ folder: String, _ more: String...) throws -> RankRun {
            try runRanks(
                nil, "misp-worker",
                [
                    "generate", "--config", fixture.folder["run.yaml"].path, "--prompt", "What?", "--image", image,
                    "--checkpoint", folder,
                ] + more)
        }
        let whole = try generate(fixture.folder["run/checkpoints"].path)
        #expect(whole.status == 2 && whole.errors.contains("is no checkpoint"), "\(whole.errors)")
        let both = try generate(checkpoint, "--base")
        #expect(
            both.status == 2 && both.errors.contains("--base and --checkpoint exclude each other"), "\(both.errors)")
        var bytes = try fixture.bytes("run/checkpoints/step-000002/parameters.f32")
        bytes[100] ^= 1
        try bytes.write(to: fixture.folder["run/checkpoints/step-000002/parameters.f32"])
        let damaged = try generate(checkpoint)
        #expect(damaged.status == 2 && damaged.errors.contains("parameters.f32: is not what was"), "\(damaged.errors)")
    }
}
