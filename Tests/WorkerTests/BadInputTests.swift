import Core
import Foundation
import TestSupport
import Testing

/// Whatever is wrong with the input: one line that says what and where, exit status 2, and no results.
@Suite(.serialized) struct BadInputTests {
    /// A run on copies of the checkpoint's files, which a test then damages.
    private struct Copy {
        let fixture: TrainingFixture

        init(_ settings: String = "optimizer: {steps: 1, groups_per_step: 2}\n") throws {
            fixture = try TrainingFixture("llama-clip-spm", settings: settings)
            let names = [
                "config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json",
                "model.safetensors", "groups.jsonl", "images",
            ]
            for name in names {
                try FileManager.default.copyItem(
                    at: fixture.checkpoint.appending(path: name), to: fixture.folder[name])
            }
            try fixture.write(
                """
                model: {path: .}
                data: {train: groups.jsonl, shuffle: false}
                \(settings)
                """, to: "run.yaml")
        }

        func edit(_ name: String, _ body: (String) -> String) throws {
            try fixture.write(body(String(contentsOf: fixture.folder[name], encoding: .utf8)), to: name)
        }

        func truncate(_ name: String, to share: Double) throws {
            let data = try fixture.bytes(name)
            try data.prefix(Int(Double(data.count) * share)).write(to: fixture.folder[name])
        }

        /// The run fails with status 2, says each of `expected` in one line of its own, and leaves no result.
        func expectRefusal(_ expected: String..., set: [String] = [], ranks: Int? = nil) throws {
            let before = try contents()
            let run = try fixture.train(ranks: ranks, set)
            #expect(run.status == 2, "\(run.errors)")
            let lines = run.errors.split(separator: "\n")
                .filter { $0.hasPrefix("misp: ") || $0.hasPrefix("misp-worker: ") }
            #expect(lines.count == 1, "\(run.errors)")
            for part in expected { #expect(lines.first?.contains(part) == true, "\(run.errors)") }
            #expect(!run.errors.contains("Fatal error") && run.output.isEmpty, "\(run.errors)")
            #expect(try contents() == before)
            for name in ["adapter", "model"] {
                #expect(!FileManager.default.fileExists(atPath: fixture.folder["out/\(name)"].path))
            }
            if FileManager.default.fileExists(atPath: fixture.folder["out/metrics.jsonl"].path) {
                #expect(try fixture.metrics().isEmpty)
            }
            // One process alone says that line and nothing of a launcher's.
            if ranks == nil { #expect(run.errors.split(separator: "\n").last == lines.last) }
        }

        /// The folder but for the output, and for the cache, which is not the run's own.
        private func contents() throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: fixture.folder.url.path)).subtracting([
                "out", "cache",
            ])
        }
    }

    @Test func theCopyItselfTrains() throws {
        let run = try Copy().fixture.train()
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test func configuration() throws {
        let copy = try Copy()
        try copy.expectRefusal(
            "optimizer.learning_rat", "did you mean learning_rate", set: ["optimizer.learning_rat=1"])
        try copy.expectRefusal("lora.r", "not a whole number", set: ["lora.r=many"])
        try copy.expectRefusal("model.prompt", "llava-1.5", set: ["model.prompt=llava-1.6"])
        try copy.expectRefusal("objective.kind", "did you mean misp", set: ["objective.kind=mips"])
        try copy.edit("run.yaml") { $0.replacing("model: {path: .}", with: "model: {}") }
        try copy.expectRefusal("run.yaml:", "model.path: is missing")
        try copy.edit("run.yaml") { _ in "model: {path: .\n" }
        try copy.expectRefusal("run.yaml")
        try FileManager.default.removeItem(at: copy.fixture.folder["run.yaml"])
        try copy.expectRefusal("run.yaml")
    }

    @Test func weights() throws {
        let copy = try Copy()
        let (file, backup) = (copy.fixture.folder["model.safetensors"], try copy.fixture.bytes("model.safetensors"))
        let entries = try SafetensorsFile(contentsOf: copy.fixture.checkpoint.appending(path: "model.safetensors"))
            .tensors.values.map {
                SafetensorsWriter.Entry(
                    name: $0.name, shape: $0.shape, matrix: $0.widened(rows: 1, columns: $0.count))
            }
        let name = "language_model.model.norm.weight"
        let others = entries.filter { $0.name != name }
        try SafetensorsWriter.write(others, to: file)
        try copy.expectRefusal("language_model.norm.weight is missing")
        try SafetensorsWriter.write(
            others + [.init(name: name, shape: [31], matrix: Matrix(zeros: 1, 31))], to: file)
        try copy.expectRefusal("\(name) has shape [31]", "[32]")
        for share in [0, 0.00001, 0.01, 0.99] {
            try backup.write(to: file)
            try copy.truncate("model.safetensors", to: share)
            try copy.expectRefusal("model.safetensors")
        }
        try FileManager.default.removeItem(at: file)
        try copy.expectRefusal("has no model.safetensors")
    }

    @Test func modelFiles() throws {
        for (name, old, new, expected) in [
            ("config.json", #""model_type": "llava""#, #""model_type": "bert""#, "config.json: model_type: is bert"),
            ("config.json", "{", "", "config.json"),
            ("tokenizer.json", #""type":"BPE""#, #""type":"Unigram""#, "tokenizer.json"),
            (
                "preprocessor_config.json", #""do_center_crop": true"#, #""do_center_crop": false"#,
                "set do_center_crop"
            ),
        ] {
            let copy = try Copy()
            try copy.edit(name) {
                #expect($0.contains(old), "\(name)")
                return $0.replacing(old, with: new, maxReplacements: 1)
            }
            try copy.expectRefusal(expected)
            try FileManager.default.removeItem(at: copy.fixture.folder[name])
            try copy.expectRefusal(name)
        }
    }

    @Test func groups() throws {
        let line = #"{"prompt": "What?", "chosen": "A cat.", "image": "images/rgb.png"}"#
        for (text, expected) in [
            ("", "groups.jsonl: holds no preference groups"),
            ("\n  \n", "groups.jsonl: holds no preference groups"),
            ("\(line)\n{\"prompt\": \n", "groups.jsonl:2"),
            ("\(line)\n\(line.replacing("A cat.", with: " "))\n", "groups.jsonl:2: chosen: is empty"),
            ("\(line)\n\n\(line.replacing("chosen", with: "chsen"))\n", "groups.jsonl:3: chosen"),
            (line.replacing("A cat.", with: "A <image>."), "groups.jsonl:1: chosen"),
            (line.replacing("rgb.png", with: "absent.png"), "absent.png does not exist"),
            (line.replacing("What?", with: String(repeating: "long ", count: 400)), "the model reads at most 256"),
        ] {
            let copy = try Copy()
            try copy.fixture.write(text, to: "groups.jsonl")
            try copy.expectRefusal(expected)
        }
    }

    @Test func pictures() throws {
        let copy = try Copy()
        try copy.truncate("images/rgb.png", to: 0.5)
        try copy.expectRefusal("images/rgb.png")
        try copy.fixture.write("no picture", to: "images/rgb.png")
        try copy.expectRefusal("images/rgb.png")
        try copy.fixture.write("", to: "images/rgb.png")
        try copy.expectRefusal("images/rgb.png")
    }

    /// The picture of one rank's group alone is damaged: both ranks leave, one speaks.
    @Test func underTheLauncherOneLineForAllRanks() throws {
        let copy = try Copy()
        try copy.expectRefusal("optimizer.learning_rat", set: ["optimizer.learning_rat=1"], ranks: 2)
        try copy.truncate("images/wide.jpg", to: 0.3)
        try copy.expectRefusal("images/wide.jpg", ranks: 2)
        try copy.fixture.write("{}\n", to: "groups.jsonl")
        try copy.expectRefusal("groups.jsonl:1", ranks: 2)
    }

    @Test func moreRanksThanGroups() throws {
        let copy = try Copy()
        try copy.fixture.write(
            #"{"prompt": "What?", "chosen": "A cat.", "rejected": "No cat.", "image": "images/rgb.png"}"# + "\n",
            to: "groups.jsonl")
        let run = try copy.fixture.train(ranks: 3)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try copy.fixture.metrics().count == 1)
    }

    @Test func anOutputThatCannotBeMade() throws {
        let copy = try Copy()
        try copy.fixture.write("in the way", to: "out")
        let run = try copy.fixture.train()
        #expect(run.status == 2)
        #expect(run.errors.contains("out: cannot be made"), "\(run.errors)")
    }
}
