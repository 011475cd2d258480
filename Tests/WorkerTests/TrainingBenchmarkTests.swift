import Core
import Foundation
import TestSupport
import Testing

/// Benchmarks that the model in training answers (`evaluation.benchmarks`).
@Suite(.serialized) struct TrainingBenchmarkTests {
    private static let settings = """
        seed: 3
        negatives: {count: 1, sampling: importance}
        lora: {r: 2}
        optimizer: {learning_rate: 3e-2, groups_per_step: 4, schedule: constant, steps: 4}
        checkpoint: {every: 1, keep: 9}
        evaluation: {every: 2, benchmarks: eval.yaml}
        """
    private static let adapter = "adapter/adapter_model.safetensors"
    private static let answers = "pope/answers.jsonl"

    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        let names = try FileManager.default.contentsOfDirectory(
            atPath: fixture.checkpoint.appending(path: "images").path
        ).filter { $0.hasSuffix(".png") }.sorted()
        let questions = (0..<20).map { index in
            #"{"question_id": \#(index), "image": "\#(names[index % names.count])", "#
                + #""text": "Is there a dog\#(index)?", "label": "\#(index % 2 == 0 ? "yes" : "no")"}"#
        }
        try fixture.write(questions.joined(separator: "\n") + "\n", to: "pope.jsonl")
        try evaluation()
    }

    /// Writes eval.yaml.
    private func evaluation(_ more: String = "", source: String = "") throws {
        try fixture.write(
            """
            run: run.yaml
            resamples: 20
            answers: {max_tokens: 5, temperature: 0.7}
            \(more)
            benchmarks:
              - {kind: pope, questions: pope.jsonl, images: \(fixture.checkpoint.path)/images\(source)}
            """, to: "eval.yaml")
    }

    private func train(_ output: String, ranks: Int? = nil, resuming: Bool = false, _ settings: String...) throws {
        let run = try fixture.train(ranks: ranks, output: output, settings, resuming: resuming)
        try #require(run.status == 0, "\(run.errors)")
    }

    private func lines(_ output: String) throws -> Data { try fixture.bytes("\(output)/benchmarks.jsonl") }

    /// Before the first step and after every second one; the last answers are those of `evaluate`.
    @Test func answersAreThoseOfEvaluate() throws {
        try train("out")
        let steps = try JSON.lines(contentsOf: fixture.folder["out/benchmarks.jsonl"]).map { $0.value["step"]?.int }
        #expect(steps == [0, 2, 4])
        let answers = try ["000000", "000002", "000004"].map {
            try fixture.bytes("out/benchmarks/step-\($0)/\(Self.answers)")
        }
        #expect(Set(answers).count == 3)
        for (checkpoint, expected) in [("null", answers[2]), ("out/checkpoints/step-000002", answers[1])] {
            let evaluated = try runRanks(
                2, "misp-worker",
                [
                    "evaluate", "--config", fixture.folder["eval.yaml"].path, "--set",
                    "output=evaluated-\(expected == answers[2])",
                    "checkpoint=\(checkpoint)",
                    "run=\(fixture.folder["out/config.yaml"].path)",
                ])
            try #require(evaluated.status == 0, "\(evaluated.errors)")
            #expect(try fixture.bytes("evaluated-\(expected == answers[2])/\(Self.answers)") == expected)
        }
        let results = try fixture.bytes("out/benchmarks/step-000004/results.json")
        #expect(try fixture.bytes("evaluated-true/results.json") == results)
        let last = try #require(try JSON.lines(contentsOf: fixture.folder["out/benchmarks.jsonl"]).last).value
        let measures = try JSONField(JSON(parsing: results), file: "results")["benchmarks"].array()[0]["measures"]
        for measure in try measures.array() {
            let (name, value) = (try measure["name"].string(), try measure["value"].double())
            #expect(last["pope/\(name)"]?.double == value, "\(name)")
        }
        #expect(try String(contentsOf: fixture.folder["out/report.html"], encoding: .utf8).contains("pope: accuracy"))
        // Nothing of training depends on it.
        try train("without", "evaluation.benchmarks=null", "evaluation.every=0")
        #expect(try fixture.bytes("without/\(Self.adapter)") == fixture.bytes("out/\(Self.adapter)"))
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["without/benchmarks.jsonl"].path))
    }

    @Test func areTheSameOnAnyNumberOfRanksAndAfterAnEnd() throws {
        try train("one")
        let expected = try lines("one")
        for ranks in [2, 4] {
            try train("many", ranks: ranks, "evaluation.keep_best=false")
            #expect(try lines("many") == expected, "\(ranks) ranks")
            try FileManager.default.removeItem(at: fixture.folder["many"])
        }
        // As if it had been killed while it answered after step 2: the line is not there, the answers are in part.
        let file = "one/benchmarks/step-000002/\(Self.answers)"
        let answers = try fixture.bytes(file)
        for part in ["checkpoints/step-000002", "checkpoints/step-000003", "checkpoints/step-000004", "adapter"] {
            try FileManager.default.removeItem(at: fixture.folder["one/\(part)"])
        }
        try answers.prefix(answers.count / 2).write(to: fixture.folder[file])
        let resumed = try fixture.train(ranks: 2, output: "one", resuming: true)
        #expect(resumed.status == 0 && resumed.errors.contains("resuming after"), "\(resumed.errors)")
        #expect(try lines("one") == expected && fixture.bytes(file) == answers)
        // Answers of other parameters are replaced.
        try FileManager.default.removeItem(at: fixture.folder["one/benchmarks.jsonl"])
        for step in [3, 4] {
            try FileManager.default.removeItem(at: fixture.folder["one/checkpoints/step-00000\(step)"])
        }
        let asked = "one/benchmarks/step-000004/asked.json"
        let text = String(decoding: try fixture.bytes(asked), as: UTF8.self)
        try fixture.write(text.replacing(#/"weights":"[0-9a-f]+"/#, with: #""weights":"00""#), to: asked)
        try fixture.write(
            #"{"id":"0","answer":"no","tokens":1}"# + "\n", to: "one/benchmarks/step-000004/\(Self.answers)")
        try train("one", resuming: true)
        let rest = expected.split(separator: UInt8(ascii: "\n")).suffix(2).map { Data($0) + [10] }.reduce(Data(), +)
        #expect(try lines("one") == rest)
    }

    /// While questions are answered a signal ends the run with a checkpoint of the step.
    @Test func endsWithACheckpoint() throws {
        let run = try fixture.train(["evaluation.every=1", "optimizer.steps=100000", "checkpoint.every=100000"]) {
            let file = fixture.folder["out/benchmarks/step-000001/\(Self.answers)"]
            let end = ContinuousClock.now + .seconds(60)
            while !FileManager.default.fileExists(atPath: file.path), ContinuousClock.now < end { usleep(2000) }
            kill($0, SIGTERM)
        }
        #expect(run.status == 3 && run.errors.contains("with a checkpoint"), "\(run.errors)")
        let names = try FileManager.default.contentsOfDirectory(atPath: fixture.folder["out/checkpoints"].path)
        #expect(names.count == 1, "\(names)")
    }

    /// What was trained outlives a benchmark that fails.
    @Test func aFailureLeavesACheckpoint() throws {
        let settings = ["evaluation.every=50", "optimizer.steps=1000", "checkpoint.every=100000"]
        let questions = try fixture.bytes("pope.jsonl")
        let run = try fixture.train(ranks: 2, settings) { _ in
            let end = ContinuousClock.now + .seconds(60)
            while (try? lines("out").isEmpty) ?? true, ContinuousClock.now < end { usleep(2000) }
            try? fixture.write("{\n", to: "pope.jsonl")
        }
        #expect(run.status == 2 && run.errors.contains("pope.jsonl:1"), "\(run.errors)")
        let kept = try FileManager.default.contentsOfDirectory(atPath: fixture.folder["out/checkpoints"].path)
        let taken = try fixture.metrics().count
        #expect(kept == ["step-\(String(repeating: "0", count: 6 - "\(taken)".count))\(taken)"] && taken % 50 == 0)
        try questions.write(to: fixture.folder["pope.jsonl"])
        let shorter = settings + ["optimizer.steps=\(taken)"]
        let resumed = try fixture.train(shorter, resuming: true)
        #expect(resumed.status == 0, "\(resumed.errors)")
        let steps = try JSON.lines(contentsOf: fixture.folder["out/benchmarks.jsonl"]).compactMap {
            $0.value["step"]?.int
        }
        #expect(steps.last == taken, "\(steps)")
    }

    @Test func refusesWhatItCannotAsk() throws {
        func refused(_ expected: String, _ settings: String...) throws {
            for command in ["train", "check"] {
                let run = try runRanks(
                    nil, "misp-worker",
                    [command, "--config", fixture.folder["run.yaml"].path, "--set", "output=none"] + settings)
                #expect(run.status == 2 && run.errors.contains(expected), "\(command): \(run.errors)")
            }
            #expect(!FileManager.default.fileExists(atPath: fixture.folder["none/metrics.jsonl"].path))
        }
        try refused("nowhere.yaml", "evaluation.benchmarks=nowhere.yaml")
        try evaluation(source: ", answers: pope.jsonl")
        try refused("benchmark pope: has the answers of another model")
        try evaluation("compute: {precision: bfloat16}")
        try refused("compute.precision: is bfloat16, but float32 in the run whose model answers")
        try evaluation("data: {transparency: white}")
        try refused("data.transparency: is white, but drop in the run whose model answers")
        try evaluation(source: "/none")
        try refused("does not exist")
    }
}
