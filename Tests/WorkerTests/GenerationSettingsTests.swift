import Core
import Foundation
import TestSupport
import Testing

/// `generate` and `evaluate` under a generation_config.json, held to transformers
/// (Tests/Goldens/generation_settings.py).
@Suite(.serialized) struct GenerationSettingsTests {
    /// A copy of a small checkpoint, whose files are links, and questions about its first pictures.
    private struct Model {
        let folder: TemporaryFolder
        let fixture: TrainingFixture

        init(_ name: String) throws {
            fixture = try TrainingFixture(name, settings: "seed: 0", adapter: false)
            folder = try TemporaryFolder()
            for file in try FileManager.default.contentsOfDirectory(atPath: fixture.checkpoint.path)
            where file != "generation_config.json" {
                try FileManager.default.createSymbolicLink(
                    at: folder[file], withDestinationURL: fixture.checkpoint.appending(path: file))
            }
            let rows = try JSONField(contentsOf: folder["generation.json"])["groups"].array().prefix(2)
            let lines = try rows.map { row in
                let line: JSON = [
                    "prompt": .string(try row["prompt"].string()), "image": .string(try row["image"].string()),
                ]
                return line.description
            }
            try fixture.write(lines.joined(separator: "\n") + "\n", to: "questions.jsonl")
        }

        func set(_ settings: JSON) throws {
            try Data(settings.description.utf8).write(to: folder["generation_config.json"])
        }

        func run(_ arguments: [String]) throws -> (run: RankRun, answers: [[Int]]) {
            let out = fixture.folder["answers.jsonl"]
            try? FileManager.default.removeItem(at: out)
            let run = try runRanks(
                nil, "misp-worker",
                [
                    "generate", "--config", fixture.folder["run.yaml"].path, "--base", "--token-ids", "--input",
                    fixture.folder["questions.jsonl"].path, "--out", out.path,
                ] + arguments + ["--set", "model.path=\(folder.url.path)"])
            guard run.status == 0 else { return (run, []) }
            return (
                run, try JSON.lines(contentsOf: out).map { $0.value["token_ids"]?.array?.compactMap(\.int) ?? [] }
            )
        }
    }

    @Test(arguments: ["llama-clip-spm", "qwen2-siglip"]) func tokensAreThoseOfGenerate(name: String) throws {
        let model = try Model(name)
        for row in try JSONField(contentsOf: golden("generation_settings.json"))[name].array() {
            try model.set(try #require(row["settings"].value))
            let (run, answers) = try model.run([])
            let expected = try row["answers"].array().map { try $0.array().map { try $0.int() } }
            #expect(run.status == 0 && answers == expected, "\(row.path): \(run.errors)")
            for key in try row["settings"].object().keys
            where !["eos_token_id", "max_length", "min_length"].contains(key) {
                let isGreedyAlone = ["temperature", "top_k", "top_p", "typical_p"].contains(key)
                #expect(run.errors.contains(key) != isGreedyAlone, "\(key): \(run.errors)")
            }
        }
    }

    /// The command line goes before the file, and the file before the defaults.
    @Test func precedence() throws {
        let model = try Model("llama-clip-spm")
        try model.set(["repetition_penalty": 1.3, "max_new_tokens": 9, "eos_token_id": 2])
        let followed = try model.run([]).answers
        #expect(followed.allSatisfy { $0.count == 9 })
        let plain = try model.run(["--ignore-generation-config", "--max-tokens", "9"]).answers
        #expect(plain != followed)
        #expect(try model.run(["--repetition-penalty", "1"]).answers == plain)
        #expect(try model.run(["--max-tokens", "5"]).answers == followed.map { Array($0.prefix(5)) })
        // Draws where the file asks for them; none where the command line says so.
        try model.set(["do_sample": true, "temperature": 3.0, "max_new_tokens": 9])
        let drawn = try model.run([])
        #expect(drawn.answers != plain && drawn.run.errors.contains("do_sample=true"), "\(drawn.run.errors)")
        #expect(try model.run([]).answers == drawn.answers)
        #expect(try model.run(["--seed", "1"]).answers != drawn.answers)
        #expect(try model.run(["--temperature", "0"]).answers == plain)
        try model.set(["eos_token_id": 7, "max_new_tokens": 2])
        #expect(try model.run([]).run.errors.contains("eos_token_id"))
    }

    @Test func evaluationFollowsTheFileToo() throws {
        let model = try Model("llama-clip-spm")
        try model.set(["max_new_tokens": 3, "repetition_penalty": 1.3])
        try model.fixture.write(
            #"{"question_id": 1, "image": "rgb.png", "text": "Is there a dog?", "label": " No"}"# + "\n",
            to: "pope.jsonl")
        func tokens(_ answers: String) throws -> Int {
            try model.fixture.write(
                """
                model: {path: '\(model.folder.url.path)'}
                output: out\(answers.utf8.count)
                answers: {\(answers)}
                benchmarks: [{kind: pope, questions: pope.jsonl, images: '\(model.folder.url.path)/images'}]
                """, to: "eval.yaml")
            let run = try runRanks(
                nil, "misp-worker", ["evaluate", "--config", model.fixture.folder["eval.yaml"].path])
            #expect(run.status == 0, "\(run.errors)")
            let file = model.fixture.folder["out\(answers.utf8.count)/pope/answers.jsonl"]
            return try #require(try JSON.lines(contentsOf: file).first?.value["tokens"]?.int)
        }
        #expect(try tokens("") == 3)
        #expect(try tokens("max_tokens: 2") == 2)
        #expect(try tokens("generation_config: false, max_tokens: 7") == 7)
    }

    @Test(arguments: [
        ("{\"num_beams\": 4}", [], "generation_config.json: num_beams"),
        ("{\"guidance_scale\": 1.5}", [], "generation_config.json: guidance_scale"),
        ("{\"repetition_penality\": 1.5}", [], "did you mean repetition_penalty?"),
        ("{\"max_length\": 3}", [], "max_length of generation_config.json is 3"),
        ("{\"suppress_tokens\": [99999999999]}", [], "generation_config.json: suppress_tokens[0]"),
        ("{}", ["--max-tokens", "9223372036854775807"], "--max-tokens"),
        ("{}", ["--max-tokens", "16000000"], "do not fit"),
        ("{}", ["--temperature", "inf"], "--temperature"), ("{}", ["--temperature", "nan"], "--temperature"),
        ("{}", ["--top-k", "9223372036854775807"], "--top-k"), ("{}", ["--top-p", "nan"], "--top-p"),
        ("{}", ["--repetition-penalty", "inf"], "--repetition-penalty"),
    ])
    func refusals(settings: String, arguments: [String], part: String) throws {
        let model = try Model("llama-clip-spm")
        try model.set(JSON(parsing: settings))
        let run = try model.run(arguments).run
        #expect(run.status == 2 && run.errors.contains(part), "\(run.status): \(run.errors)")
    }

    /// A run without adapter, model and checkpoint answers with the base model only where that is asked for.
    @Test func aRunThatHasTrainedNothing() throws {
        let model = try Model("llama-clip-spm")
        let fixture = model.fixture
        let image = fixture.checkpoint.appending(path: "images/rgb.png").path
        try fixture.write(
            #"{"question_id": 1, "image": "\#(image)", "text": "?", "label": "no"}"# + "\n", to: "pope.jsonl")
        let eval = "run: run.yaml\nanswers: {max_tokens: 2}\nbenchmarks: [{kind: pope, questions: pope.jsonl}]\n"
        try fixture.write(eval, to: "eval.yaml")
        func worker(_ command: String, _ config: String, _ arguments: String...) throws -> RankRun {
            try runRanks(nil, "misp-worker", [command, "--config", fixture.folder[config].path] + arguments)
        }
        let ask = ["--prompt", "What?", "--image", image, "--max-tokens", "2"]
        func generate(_ more: String...) throws -> RankRun {
            try runRanks(
                2, "misp-worker", ["generate", "--config", fixture.folder["run.yaml"].path] + ask + more)
        }
        for run in [
            try generate(), try worker("evaluate", "eval.yaml"),
            try worker("export", "run.yaml", "--out", fixture.folder["merged"].path),
        ] {
            #expect(run.status == 2 && run.errors.contains("has trained nothing"), "\(run.errors)")
            #expect(run.errors.contains("--base") && run.errors.contains("train first"), "\(run.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["merged"].path))
        #expect(try generate("--base").status == 0)
        #expect(try worker("evaluate", "eval.yaml", "--set", "base=true").status == 0)
        #expect(
            try generate("--set", "model.adapter=\(fixture.checkpoint.path)/adapter-final").status == 0)
        try FileManager.default.createDirectory(
            at: fixture.folder["runs/run/checkpoints/step-000004"], withIntermediateDirectories: true)
        let kept = try generate()
        #expect(kept.status == 2 && kept.errors.contains("--checkpoint"), "\(kept.errors)")
        #expect(kept.errors.contains("checkpoints/step-000004"), "\(kept.errors)")
    }
}
