import Core
import Foundation
import TestSupport
import Testing

/// `evaluate` as a user starts it.
@Suite(.serialized) struct EvaluateTests {
    private func evaluate(_ fixture: TrainingFixture, ranks: Int? = nil, _ arguments: String...) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker", ["evaluate", "--config", fixture.folder["eval.yaml"].path] + arguments)
    }

    private func write(_ rows: [JSON], to name: String, _ fixture: TrainingFixture) throws {
        try fixture.write(rows.map(\.description).joined(separator: "\n") + "\n", to: name)
    }

    /// Values by benchmark and measure.
    private func results(_ fixture: TrainingFixture, _ folder: String) throws -> [String: Double] {
        let root = try JSONField(contentsOf: fixture.folder[folder].appending(path: "results.json"))
        var values: [String: Double] = [:]
        for benchmark in try root["benchmarks"].array() {
            for measure in try benchmark["measures"].array() {
                values["\(try benchmark["name"].string()) \(try measure["name"].string())"] =
                    measure["value"].value?.double ?? .nan
            }
        }
        return values
    }

    /// Asks a small model; any number of ranks gives the same answers, a stopped evaluation goes on, and answers of
    /// another model are not mixed in.
    @Test func aModelAnswers() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "seed: 0", adapter: false)
        let images = ["rgb.png", "grey.jpg", "wide.jpg", "tall.jpg", "rgba.png"]
        try write(
            images.enumerated().map { index, image in
                [
                    "question_id": .integer(index), "image": .string(image), "text": "Is there a dog?",
                    "label": .string(index % 2 == 0 ? "yes" : "no"),
                ]
            }, to: "pope.jsonl", fixture)
        try write(
            [
                [
                    "category": "VS", "subcategory": "map", "set_id": "0", "figure_id": "0", "question_id": "0",
                    "visual_input": "0", "question": "Is it so?", "gt_answer": "1",
                ]
            ], to: "hallusion.jsonl", fixture)
        try fixture.write(
            """
            run: run.yaml
            base: true
            resamples: 50
            answers: {max_tokens: 6}
            benchmarks:
              - {kind: pope, questions: pope.jsonl, images: \(fixture.checkpoint.path)/images}
              - {kind: hallusionbench, questions: hallusion.jsonl}
            """, to: "eval.yaml")
        func run(_ ranks: Int?, _ name: String, _ more: String...) throws -> RankRun {
            try runRanks(
                ranks, "misp-worker",
                ["evaluate", "--config", fixture.folder["eval.yaml"].path, "--set", "output=\(name)"] + more)
        }
        let one = try run(nil, "one")
        #expect(one.status == 0 && one.output.contains("yes_ratio"), "\(one.errors)")
        let answers = try fixture.bytes("one/pope/answers.jsonl")
        let values = try results(fixture, "one")
        let accuracy = try #require(values["pope accuracy"])
        #expect((0...1).contains(accuracy) && values["hallusionbench aAcc"] != nil)
        for ranks in [2, 3] {
            #expect(try run(ranks, "\(ranks)").status == 0)
            for file in ["pope/answers.jsonl", "hallusionbench/answers.jsonl", "results.json"] {
                #expect(
                    try fixture.bytes("\(ranks)/\(file)") == fixture.bytes("one/\(file)"), "\(ranks) ranks, \(file)")
            }
        }
        try answers.prefix(answers.count / 2).write(to: fixture.folder["one/pope/answers.jsonl"])
        let resumed = try run(2, "one")
        #expect(resumed.status == 0 && resumed.errors.contains("resuming after"), "\(resumed.errors)")
        #expect(try fixture.bytes("one/pope/answers.jsonl") == answers)
        let other = try run(nil, "one", "answers.max_tokens=7")
        #expect(other.status == 2 && other.errors.contains("another model's"), "\(other.errors)")
    }

    /// Answers that were made elsewhere, with counts worked out by hand.
    @Test func answersFromElsewhere() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "seed: 0", adapter: false)
        let truths = [true, true, true, false, false, false, false, true]
        let said = ["Yes.", "no", "Yes", "No", "Yes", "not so", "No, no", "Yes"]
        try write(
            truths.enumerated().map { index, truth in
                [
                    "question_id": .integer(index), "image": .string("\(index / 2).jpg"), "text": "?",
                    "label": .string(truth ? "yes" : "no"),
                ]
            }, to: "pope.jsonl", fixture)
        for (name, said) in [("a", said), ("b", said.map { _ in "Yes" })] {
            try write(
                said.enumerated().map { ["question_id": .integer($0), "text": .string($1)] }, to: "\(name).jsonl",
                fixture)
            try fixture.write(
                """
                output: \(name)
                benchmarks:
                  - {kind: pope, questions: pope.jsonl, answers: \(name).jsonl}
                """, to: "eval.yaml")
            #expect(try evaluate(fixture, ranks: 2).status == 0)
        }
        let values = try results(fixture, "a")
        // 3 of 4 true, 1 of 4 false taken for yes.
        #expect(values["pope accuracy"] == 0.75 && values["pope precision"] == 0.75 && values["pope recall"] == 0.75)
        #expect(values["pope f1"] == 0.75 && values["pope yes_ratio"] == 0.5)
        #expect(try results(fixture, "b")["pope yes_ratio"] == 1)

        let compared = try runRanks(
            nil, "misp-worker",
            [
                "evaluate", "--compare", fixture.folder["a"].path, fixture.folder["b"].path, "--resamples", "4000",
                "--out", fixture.folder["c.json"].path,
            ])
        #expect(compared.status == 0 && compared.output.contains("accuracy"), "\(compared.errors)")
        let measure = try JSONField(contentsOf: fixture.folder["c.json"]).array()[0]["measures"].array()[0]
        #expect(try measure["first"].double() == 0.75 && measure["second"].double() == 0.5)
        // By picture B − A in right answers is 1, −1, −1, −1 of 8: of the 16 exchanges, 6 have the sum 0.
        #expect(abs(try measure["p"].double() - 0.625) < 0.03)
    }

    @Test func judges() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "seed: 0", adapter: false)
        try write(
            (0..<3).map {
                [
                    "question_type": .string($0 < 2 ? "attribute" : "other"), "image_src": "https://a/b.jpg",
                    "question": "?", "gt_answer": "x", "model_answer": "",
                ]
            }, to: "mmhal.jsonl", fixture)
        try write((1...3).map { ["id": .string("\($0)"), "answer": "An answer"] }, to: "answers.jsonl", fixture)
        let config = """
            output: out
            benchmarks:
              - {kind: mmhal, questions: mmhal.jsonl, answers: answers.jsonl%}
            """
        try fixture.write(config.replacing("%", with: ""), to: "eval.yaml")
        let first = try evaluate(fixture)
        #expect(first.status == 0 && first.output.contains("waits for ratings"), "\(first.errors)")
        let sent = try JSONField(contentsOf: fixture.folder["out/mmhal/mmhal_responses.json"]).array()
        #expect(try sent.count == 3 && sent[0]["model_answer"].string() == "An answer")
        try fixture.write(#"[5, "I rate it.\nRating: 2", {"rating": 3}]"#, to: "ratings.json")
        try fixture.write(config.replacing("%", with: ", ratings: ratings.json"), to: "eval.yaml")
        #expect(try evaluate(fixture).status == 0)
        let values = try results(fixture, "out")
        #expect(abs((values["mmhal score"] ?? 0) - 10.0 / 3) < 1e-12)
        #expect(abs((values["mmhal hallucination rate"] ?? 0) - 1.0 / 3) < 1e-12)
        #expect(values["mmhal score (attribute)"] == 3.5)
    }

    @Test(arguments: [
        ("", "benchmarks"), ("benchmarks: [{kind: popes, questions: q.jsonl}]", "pope"),
        ("benchmarks: [{kind: pope}]", "questions"), ("benchmarks: [{kind: pope, questions: q.jsonl}]", "set run"),
        ("compute: {precision: half}", "compute.precision: unknown value 'half'; known: float32, bfloat16"),
        ("compute: {threads: 2}", "compute.threads: unknown key"),
        ("benchmark: []", "did you mean benchmarks?"),
        ("benchmarks: [{kind: pope, questions: absent.jsonl, answers: a.jsonl}]", "absent.jsonl"),
        ("benchmarks: [{kind: pope, questions: q.jsonl, answers: short.jsonl}]", "no answer to question 2"),
        ("benchmarks: [{kind: pope, questions: q.jsonl, answer: a.jsonl}]", "did you mean answers?"),
        ("benchmarks: [{kind: amber, questions: q.jsonl, answers: a.jsonl}]", "annotations"),
        ("benchmarks: [{kind: mmvp, questions: q.jsonl, answers: a.jsonl}]", "Questions.csv"),
    ])
    func badInput(text: String, part: String) throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "seed: 0", adapter: false)
        try write(
            [1, 2].map { ["question_id": .integer($0), "image": "x.jpg", "text": "?", "label": "no"] }, to: "q.jsonl",
            fixture)
        try write([["id": 1, "answer": "no"]], to: "short.jsonl", fixture)
        try fixture.write(text + "\n", to: "eval.yaml")
        let run = try evaluate(fixture)
        #expect(run.status == 2 && run.errors.contains(part), "\(run.status): \(run.errors)")
    }
}
