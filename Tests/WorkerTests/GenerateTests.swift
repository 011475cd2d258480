import Core
import Foundation
import TestSupport
import Testing
import Worker

/// `generate` as a user starts it.
@Suite(.serialized) struct GenerateTests {
    private func fixture() throws -> TrainingFixture {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "seed: 0", adapter: false)
        let rows = try JSONField(contentsOf: fixture.checkpoint.appending(path: "generation.json"))["groups"].array()
        let lines = try rows.map { row -> String in
            let line: JSON = [
                "id": .string(try row["id"].string()), "prompt": .string(try row["prompt"].string()),
                "image": .string(try row["image"].string()),
            ]
            return line.description
        }
        try fixture.write(lines.joined(separator: "\n") + "\n", to: "questions.jsonl")
        return fixture
    }

    private func generate(_ fixture: TrainingFixture, ranks: Int? = nil, _ arguments: String...) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker", ["generate", "--config", fixture.folder["run.yaml"].path, "--base"] + arguments)
    }

    /// Any number of ranks writes the same file; a stopped run is continued; answers to other questions are kept safe.
    @Test func sheets() throws {
        let fixture = try fixture()
        let questions = fixture.folder["questions.jsonl"].path
        func sheet(_ ranks: Int?, _ name: String) throws -> RankRun {
            try generate(
                fixture, ranks: ranks, "--input", questions, "--out", fixture.folder[name].path, "--max-tokens", "12",
                "--token-ids")
        }
        #expect(try sheet(nil, "one").status == 0)
        let whole = try fixture.bytes("one")
        let lines = try JSON.lines(contentsOf: fixture.folder["one"])
        #expect(lines.count == 8 && lines.allSatisfy { $0.value["tokens"]?.int == 12 })
        let golden = try JSONField(contentsOf: fixture.checkpoint.appending(path: "generation.json"))["groups"].array()
        for (line, row) in zip(lines, golden) {
            let tokens = line.value["token_ids"]?.array?.map(\.int)
            #expect(tokens == (try row["greedy"].array().prefix(12).map { try $0.int() }))
        }
        for ranks in [2, 3] {
            #expect(try sheet(ranks, "\(ranks)").status == 0)
            #expect(try fixture.bytes("\(ranks)") == whole, "\(ranks) ranks")
        }
        try whole.prefix(whole.count * 2 / 3).write(to: fixture.folder["cut"])
        let resumed = try sheet(2, "cut")
        #expect(resumed.status == 0 && resumed.errors.contains("resuming after 5 answers"), "\(resumed.errors)")
        #expect(try fixture.bytes("cut") == whole)
        try fixture.write(#"{"id": "else", "answer": "x", "tokens": 1}"# + "\n", to: "cut")
        let refused = try sheet(nil, "cut")
        #expect(refused.status == 2 && refused.errors.contains("other questions"), "\(refused.errors)")
        #expect(try String(contentsOf: fixture.folder["cut"], encoding: .utf8).contains("else"))
    }

    /// What `generate` prints token by token is the text, with characters that several tokens make up.
    @Test(arguments: ["smollm2", "llama", "mistral", "qwen2"]) func growingText(name: String) throws {
        let tokenizer = try Tokenizer(contentsOf: golden("tokenizers/\(name).tokenizer.json"))
        for text in ["A red apple.", "Zwölf Äpfel 🍎👩🏽‍🚀, e\u{0301}!", "日本語 und\n\n  mehr"] {
            let tokens = tokenizer.encode(text, addSpecialTokens: false)
            var answer = AnswerText(tokenizer)
            var pieces = tokens.map { answer.append($0) }
            pieces.append(answer.finish())
            let whole = tokenizer.decode(tokens, skipSpecialTokens: true)
            #expect(Array(pieces.joined().unicodeScalars) == Array(whole.unicodeScalars), "\(text)")
            #expect(pieces.count { !$0.isEmpty } > 2)
        }
    }

    @Test func theTerminal() throws {
        let fixture = try fixture()
        let row = try JSONField(contentsOf: fixture.checkpoint.appending(path: "generation.json"))["groups"].array()[0]
        let image = fixture.checkpoint.appending(path: try row["image"].string()).path
        let arguments = ["--prompt", try row["prompt"].string(), "--image", image, "--max-tokens"]
        func run(_ arguments: [String]) throws -> RankRun {
            try runRanks(
                nil, "misp-worker", ["generate", "--config", fixture.folder["run.yaml"].path, "--base"] + arguments)
        }
        let one = try run(arguments + ["7"])
        #expect(one.status == 0, "\(one.errors)")
        let tokens = try row["greedy"].array().prefix(7).map { Int32(try $0.int()) }
        let tokenizer = try Tokenizer(contentsOf: fixture.checkpoint.appending(path: "tokenizer.json"))
        #expect(one.output == tokenizer.decode(tokens, skipSpecialTokens: true) + "\n")
        let long = try run(arguments + ["100000"])
        #expect(long.status == 2 && long.errors.contains("do not fit"), "\(long.errors)")
    }

    @Test func badInput() throws {
        let fixture = try fixture()
        for (arguments, part) in [
            (["--prompt", "What?"], "--image"), (["--image", "a.png"], "--prompt"),
            (["--prompt", "What?", "--image", "absent.png"], "absent.png"),
            (["--prompt", "What?", "--image", "a.png", "--temperature", "-1"], "--temperature"),
            (["--input", "absent.jsonl"], "--out"), (["--input", "absent.jsonl", "--out", "x"], "absent.jsonl"),
        ] {
            let run = try runRanks(
                nil, "misp-worker", ["generate", "--config", fixture.folder["run.yaml"].path, "--base"] + arguments)
            #expect(run.status == 2 && run.errors.contains(part), "\(arguments): \(run.errors)")
        }
    }
}
