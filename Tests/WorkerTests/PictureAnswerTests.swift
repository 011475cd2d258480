import Core
import Foundation
import TestSupport
import Testing

/// What the model in training says about a few pictures, before and after (`evaluation.answers`).
@Suite(.serialized) struct PictureAnswerTests {
    private static let settings = """
        seed: 3
        negatives: {count: 1, sampling: importance}
        lora: {r: 2}
        optimizer: {learning_rate: 3e-2, groups_per_step: 4, schedule: constant, steps: 4}
        checkpoint: {every: 2, keep: 9}
        """
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
    }

    private func train(
        _ output: String, ranks: Int? = nil, resuming: Bool = false, _ settings: String...
    ) throws {
        let run = try fixture.train(ranks: ranks, output: output, settings, resuming: resuming)
        try #require(run.status == 0, "\(run.errors)")
    }

    private func answers(_ output: String) throws -> [JSONField] {
        try JSON.lines(contentsOf: fixture.folder["\(output)/answers.jsonl"]).map {
            JSONField($0.value, file: "answers.jsonl:\($0.line)")
        }
    }

    private func page(_ output: String) throws -> String {
        try String(contentsOf: fixture.folder["\(output)/report.html"], encoding: .utf8)
    }

    /// The same as `generate` answers with the model, and with what was trained.
    @Test func answersAreThoseOfGenerate() throws {
        try train("out")
        let answers = try answers("out")
        #expect(try answers.map { try $0["step"].int() } == [0, 0, 0, 0, 4, 4, 4, 4])
        let pictures = try answers.prefix(4).map { try $0["image"].string() }
        #expect(Set(pictures).count == 4)
        let questions = try answers.prefix(4).map { line -> String in
            let members: JSON = [
                "id": .string(try line["id"].string()), "prompt": .string(try line["prompt"].string()),
                "image": .string(try line["image"].string()),
            ]
            return members.description
        }
        try fixture.write(questions.joined(separator: "\n") + "\n", to: "questions.jsonl")
        for (part, base) in [(answers.prefix(4), ["--base"]), (answers.suffix(4), [])] {
            let file = fixture.folder["generated\(base.count).jsonl"]
            let run = try runRanks(
                nil, "misp-worker",
                [
                    "generate", "--config", fixture.folder["out/config.yaml"].path, "--input",
                    fixture.folder["questions.jsonl"].path, "--out", file.path, "--max-tokens", "64",
                    "--temperature", "0", "--ignore-generation-config",
                ] + base)
            try #require(run.status == 0, "\(run.errors)")
            let generated = try JSON.lines(contentsOf: file).map { $0.value["answer"]?.string }
            #expect(try generated == part.map { try $0["answer"].string() })
        }
        #expect(
            try answers.prefix(4).map { try $0["answer"].string() }
                != answers.suffix(4).map { try $0["answer"].string() }, "training changed no answer")
        let page = try page("out")
        #expect(page.components(separatedBy: "<article>").count == 5)
        #expect(page.components(separatedBy: "data:image/jpeg;base64,").count == 5)
        #expect(page.contains("before training") && page.contains("after 4 steps") && page.contains("training groups"))
    }

    @Test func areTheSameOnAnyNumberOfRanksAndAfterAnEnd() throws {
        let eval = "data.eval=\(fixture.checkpoint.path)/groups.jsonl"
        try train("one", eval)
        let expected = try fixture.bytes("one/answers.jsonl")
        let adapter = try fixture.bytes("one/adapter/adapter_model.safetensors")
        #expect(try page("one").contains("held-out groups"))
        for ranks in [2, 4, 8] {
            try train("many", ranks: ranks, eval)
            #expect(try fixture.bytes("many/answers.jsonl") == expected, "\(ranks) ranks")
            try FileManager.default.removeItem(at: fixture.folder["many"])
        }
        // As if it had been killed after its last step, amid the answers.
        for part in ["checkpoints/step-000004", "adapter"] {
            try FileManager.default.removeItem(at: fixture.folder["one/\(part)"])
        }
        try expected.dropLast(20).write(to: fixture.folder["one/answers.jsonl"])
        try FileManager.default.createDirectory(at: fixture.folder["one/evaluation"], withIntermediateDirectories: true)
        try fixture.write(#"{"benchmarks": [{"name": "another", "measures": 3}]}"#, to: "one/evaluation/results.json")
        try train("one", ranks: 2, resuming: true, eval)
        #expect(try fixture.bytes("one/answers.jsonl") == expected)
        #expect(try fixture.bytes("one/adapter/adapter_model.safetensors") == adapter)
        // What another model's evaluation left is no result of the run, and hinders none.
        #expect(try !page("one").contains("another"))
        // Nothing of training depends on it.
        try train("without", eval, "evaluation.answers=0")
        #expect(try fixture.bytes("without/adapter/adapter_model.safetensors") == adapter)
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["without/answers.jsonl"].path))
        #expect(try !page("without").contains("<article>"))
    }

    /// Several runs' answers to the same pictures, and a picture that is no longer there.
    @Test func runsSideBySide() throws {
        try train("a", "evaluation.answers=2")
        try train("b", "evaluation.answers=2", "optimizer.learning_rate=1e-1")
        let lines = try String(contentsOf: fixture.folder["b/answers.jsonl"], encoding: .utf8)
        let image = try answers("a")[0]["image"].string()
        for run in ["a", "b"] {
            try fixture.write(
                String(contentsOf: fixture.folder["\(run)/answers.jsonl"], encoding: .utf8)
                    .replacing(image, with: "/absent/<b>.png"), to: "\(run)/answers.jsonl")
        }
        #expect(lines.contains(image))
        let both = fixture.folder["both.html"]
        let run = try runRanks(
            nil, "misp-worker",
            ["report", fixture.folder["a"].path, fixture.folder["b"].path, "--out", both.path])
        #expect(run.status == 0, "\(run.errors)")
        let page = try String(contentsOf: both, encoding: .utf8)
        #expect(page.components(separatedBy: "<article>").count == 3)
        #expect(page.components(separatedBy: ">before training</b>").count == 3, "once, as both began alike")
        #expect(page.contains(">a, after 4 steps</b>") && page.contains(">b, after 4 steps</b>"))
        #expect(page.contains("&lt;b&gt;.png<br>cannot be read") && !page.contains("<b>.png"))
    }
}
