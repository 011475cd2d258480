import Core
import Foundation
import TestSupport
import Testing

/// One line, exit status 2 and no results, where a run asks of a family what it does not have.
@Suite(.serialized) struct FamilyInputTests {
    private func refusal(
        _ family: String, adapter: String? = nil, _ overrides: String..., groups: String? = nil
    ) throws -> String {
        let fixture = try TrainingFixture(
            family: family, settings: "optimizer: {steps: 1, groups_per_step: 2}", adapter: adapter)
        var overrides = overrides
        if let groups {
            try fixture.write(groups, to: "groups.jsonl")
            overrides.append("data.train=groups.jsonl")
        }
        let run = try fixture.train(overrides)
        #expect(run.status == 2, "\(run.errors)")
        let lines = run.errors.split(separator: "\n")
            .filter { $0.hasPrefix("misp: ") || $0.hasPrefix("misp-worker: ") }
        #expect(lines.count == 1 && run.output.isEmpty, "\(run.errors)")
        for name in ["adapter", "model"] {
            #expect(!FileManager.default.fileExists(atPath: fixture.folder["out/\(name)"].path))
        }
        return lines.first.map(String.init) ?? ""
    }

    @Test func settingsOfPictures() throws {
        for (family, setting, part) in [
            ("llava-interleave", "model.min_pixels=3136", "model.min_pixels: is set, but models of the LLaVA family"),
            ("llava-interleave", "model.image_splitting=true", "model.image_splitting: is set, but"),
            ("qwen2.5-vl-flat", "model.image_splitting=false", "model.image_splitting: is set, but models of"),
            ("smolvlm-tiles", "model.max_pixels=100000", "model.max_pixels: is set, but models of the SmolVLM family"),
            ("qwen2-vl", "model.max_pixels=100", "a cell has 784"),
            ("qwen2-vl", "model.max_pixels=0", "model.max_pixels"),
            ("qwen2-vl", "model.min_pixels=100000001", "model.min_pixels"),
            ("smolvlm-tiles", "model.image_splitting=7", "model.image_splitting"),
        ] {
            let line = try refusal(family, setting)
            #expect(line.contains(part), "\(line)")
        }
    }

    /// What an adapter adapts, and what is trained, must be the same.
    @Test(arguments: ["qwen2.5-vl-flat", "qwen2-vl", "smolvlm-tiles", "llava-interleave"])
    func adaptersOfTheTower(name: String) throws {
        let frozen = try refusal(name, adapter: "adapter-vision-init")
        #expect(frozen.contains("adapter-vision-init: adapts the vision tower too"), "\(frozen)")
        #expect(frozen.contains("trainable.vision is frozen; set trainable.vision to lora"), "\(frozen)")
        let full = try refusal(name, adapter: "adapter-vision-init", "trainable.vision=full")
        #expect(full.contains("adapts the vision tower too, but trainable.vision is full"), "\(full)")
        let none = try refusal(name, adapter: "adapter-init", "trainable.vision=lora")
        #expect(none.contains("adapter-init: does not adapt the vision tower"), "\(none)")
    }

    /// A part of an adapter is trained on, or the run is refused before anything is computed.
    @Test(arguments: ["smolvlm-tiles", "llava-interleave"]) func adaptersOfTheLanguageModel(name: String) throws {
        let frozen = try refusal(
            name, adapter: "adapter-vision-init", "trainable.language=frozen", "trainable.vision=lora")
        for part in [
            "adapter-vision-init: adapts the language model, but trainable.language is frozen",
            "set trainable.language to lora", "merge the adapter",
        ] { #expect(frozen.contains(part), "\(frozen)") }
        let full = try refusal(name, adapter: "adapter-init", "trainable.language=full")
        #expect(full.contains("adapter-init: adapts the language model, but trainable.language is full"), "\(full)")
        let projector = try refusal(
            name, adapter: "adapter-init", "trainable.language=frozen", "trainable.projector=full")
        #expect(projector.contains("adapts the language model, but trainable.language is frozen"), "\(projector)")

        let fixture = try TrainingFixture(
            family: name, settings: "optimizer: {steps: 1, groups_per_step: 2}\nlora: {r: 2}")
        let tower = ["trainable.language=frozen", "trainable.vision=lora"]
        try #require(fixture.train(output: "tower", tower).status == 0)
        let own = "model.adapter=\(fixture.folder["tower/adapter"].path)"
        let again = try fixture.train(output: "again", tower + [own])
        #expect(again.status == 0, "\(again.errors)")
        let other = try fixture.train(output: "other", ["trainable.vision=lora", own])
        #expect(other.status == 2, "\(other.errors)")
        #expect(other.errors.contains("does not adapt the language model, but trainable.language is lora"))
    }

    @Test func picturesThatAreTooLong() throws {
        let fixture = try TrainingFixture(family: "qwen2-vl", settings: "optimizer: {steps: 1, groups_per_step: 1}")
        let pixels = [UInt8](repeating: 9, count: 3 * 201)
        let image = fixture.folder["long.png"]
        try RGBImage(width: 201, height: 1, pixels: pixels).pngData().write(to: image)
        try fixture.write(
            #"{"prompt": "What?", "chosen": "A cat.", "rejected": "A dog.", "image": "\#(image.path)"}"# + "\n",
            to: "groups.jsonl")
        for ranks in [nil, 2] {
            let run = try fixture.train(ranks: ranks, ["data.train=groups.jsonl"])
            #expect(run.status == 2, "\(run.errors)")
            let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix("misp: ") }
            #expect(lines.count == 1, "\(run.errors)")
            let expected = "long.png: a picture of 201 × 1 pixels is too long"
            #expect(lines.first?.contains(expected) == true, "\(run.errors)")
        }
    }

    @Test func tokensOfPicturesInTexts() throws {
        func group(_ prompt: String, _ chosen: String) -> String {
            #"{"id": "a", "prompt": "\#(prompt)", "chosen": "\#(chosen)", "image": "images/square.png"}"# + "\n"
        }
        for (family, text, part) in [
            ("qwen2.5-vl-flat", group("What is <|image_pad|>?", "A cat."), "a: the prompt holds <|image_pad|>"),
            ("qwen2.5-vl-flat", group("What?", "A <|vision_end|>."), "a: the response holds <|vision_end|>"),
            ("smolvlm-tiles", group("<row_1_col_1>?", "A cat."), "a: the prompt holds <row_1_col_1>"),
            ("smolvlm-tiles", group("What?", "<global-img>"), "a: the response holds <global-img>"),
        ] {
            let line = try refusal(family, groups: text)
            #expect(line.contains(part) && line.contains("groups.jsonl"), "\(line)")
        }
    }

    /// The largest picture with the longest response is what must fit.
    @Test func sequencesThatAreTooLong() throws {
        let line = try refusal("qwen2.5-vl-flat", "model.max_pixels=1000000", "model.min_pixels=500000")
        #expect(line.contains("but the model reads at most 512"), "\(line)")
    }
}
