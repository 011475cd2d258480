import Core
import Foundation
import TestSupport
import Testing

/// Runs on the small checkpoints of every family against PyTorch and PEFT (Tests/Goldens/families.py, training.json).
@Suite(.serialized) struct FamilyTrainingTests {
    private static let families = [
        "qwen2.5-vl-flat", "qwen2.5-vl-nested", "qwen2-vl", "smolvlm-tiles", "idefics3-whole", "llava-interleave",
    ]

    /// LoRA on the language model from `adapter-init`, on the tower too from `adapter-vision-init`, and all weights.
    @Test(arguments: families, ["misp", "dpo", "mdpo", "chip", "vision-lora", "full"])
    func stepsAndResult(name: String, kind: String) throws {
        let file = kind == "chip" ? "chip" : "training"
        let json = try JSONField(contentsOf: golden("families/\(name)/\(file).json"))[kind]
        var settings = try TrainingGoldenTests.settings(json["settings"])
        var adapter: String? = "adapter-init"
        if kind == "full" {
            settings += "\ntrainable: {language: full, projector: full, vision: full}"
            adapter = nil
        } else if kind == "vision-lora" {
            settings += "\ntrainable: {vision: lora}"
            adapter = "adapter-vision-init"
        }
        let fixture = try TrainingFixture(family: name, settings: settings, adapter: adapter)
        let run = try fixture.train(["data.shuffle=false"])
        try #require(run.status == 0, "\(run.errors)")

        let steps = try json["steps"].array()
        let metrics = try fixture.metrics()
        #expect(steps.count == 4 && metrics.count == 4)
        for (own, expected) in zip(metrics, steps) {
            #expect(try own["step"].int() == expected["step"].int())
            // Relative, and absolute for what is 0 or nearly; the same runs in float64 differ by a third of it.
            func check(_ key: String, _ tolerance: Double) throws {
                let (a, b) = (try own[key].double(), try expected[key].double())
                #expect(abs(a - b) <= tolerance * max(abs(b), 1), "\(own.file) \(key): \(a), not \(b)")
            }
            try check("loss", 1e-4)
            if kind != "mdpo" && kind != "chip" { for key in ["loss/image", "loss/text"] { try check(key, 1e-4) } }
            try check("logps/chosen", 1e-4)
            try check("grad_norm", 2e-4)
            try check("learning_rate", 1e-9)
            // Without a reference there are no rewards.
            #expect(own["rewards/chosen"].isPresent == (kind != "full"))
            if kind != "full" { try check("rewards/chosen", 1e-4) }
        }
        switch kind {
        case "misp": try checkAdapter(fixture, "adapter-final")
        case "vision-lora": try checkAdapter(fixture, "adapter-vision-final")
        case "full": try TrainingGoldenTests.checkModel(fixture, json["final"])
        default: break
        }
    }

    /// Single elements whose gradient is nearly 0 go their own way: AdamW makes whole steps of their rounding.
    private func checkAdapter(_ fixture: TrainingFixture, _ final: String) throws {
        let file = "adapter_model.safetensors"
        let url = fixture.checkpoint.appending(path: "\(final)/\(file)")
        let (own, expected) = (try fixture.adapter(), try TrainingFixture.tensors(url))
        #expect(TrainingFixture.difference(own, expected) < 3e-4)
        #expect(TrainingFixture.meanDifference(own, expected) < 5e-6)
        // As PEFT names them.
        #expect(try TrainingFixture.names(fixture.folder["out/adapter/\(file)"]) == TrainingFixture.names(url))
    }

    /// What `score` says of every group, before and after training, is what transformers and PEFT say; so the whole way
    /// from files to log-probabilities is theirs.
    @Test(arguments: families, [false, true]) func scores(name: String, hasTower: Bool) throws {
        let settings = hasTower ? "trainable: {vision: lora}" : ""
        let adapter = hasTower ? "adapter-vision-final" : "adapter-final"
        let fixture = try TrainingFixture(family: name, settings: settings, adapter: adapter)
        let run = try runRanks(
            2, "misp-worker",
            ["score", "--config", fixture.folder["run.yaml"].path, "--out", fixture.folder["scores.jsonl"].path])
        try #require(run.status == 0, "\(run.errors)")
        let golden = try JSONField(contentsOf: fixture.checkpoint.appending(path: "golden.json"))["groups"].array()
        let adapted = try JSONField(
            contentsOf: fixture.checkpoint.appending(path: hasTower ? "adapted-vision.json" : "adapted.json"))
        let lines = try JSON.lines(contentsOf: fixture.folder["scores.jsonl"])
        #expect(lines.count == golden.count)
        for (line, group) in zip(lines, golden) {
            let (line, id) = (JSONField(line.value, file: "scores.jsonl:\(line.line)"), try group["id"].string())
            #expect(try line["id"].string() == id)
            for (key, expected) in [("reference", group["logps"]), ("policy", adapted[id])] {
                let members = try expected.object().members
                #expect(Set(try line[key].object().keys) == Set(members.map(\.key)))
                for (sequence, value) in members {
                    let error = abs(try line[key][sequence].double() - (value.double ?? .nan))
                    #expect(error < 3e-4, "\(id) \(key) \(sequence): \(error)")
                }
            }
            #expect(try line["tokens"]["prompt"].int() == group["prompts"][0].array().count, "\(id)")
        }
    }

    /// Answers of `generate` are those of transformers, for as many as are asked at once.
    @Test(arguments: families) func answers(name: String) throws {
        let fixture = try TrainingFixture(family: name, settings: "seed: 0")
        let rows = try JSONField(contentsOf: fixture.checkpoint.appending(path: "generation.json"))["groups"].array()
            .filter { $0["image"].isPresent }
        let lines = try rows.map { row -> String in
            let line: JSON = [
                "id": .string(try row["id"].string()), "prompt": .string(try row["prompt"].string()),
                "image": .string(try row["image"].string()),
            ]
            return line.description
        }
        try fixture.write(lines.joined(separator: "\n") + "\n", to: "questions.jsonl")
        for ranks in [nil, 2] {
            let out = fixture.folder["answers \(ranks ?? 1)"]
            let run = try runRanks(
                ranks, "misp-worker",
                [
                    "generate", "--config", fixture.folder["run.yaml"].path, "--base", "--input",
                    fixture.folder["questions.jsonl"].path, "--out", out.path, "--max-tokens", "24", "--token-ids",
                    "--ignore-generation-config",
                ])
            try #require(run.status == 0, "\(run.errors)")
            let answers = try JSON.lines(contentsOf: out)
            #expect(answers.count == 4)
            for (line, row) in zip(answers, rows) {
                let tokens = line.value["token_ids"]?.array?.map(\.int)
                #expect(tokens == (try row["greedy"].array().prefix(24).map { try $0.int() }), "\(row.path)")
            }
        }
    }
}
