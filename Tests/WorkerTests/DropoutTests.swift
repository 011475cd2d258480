import Core
import Foundation
import TestSupport
import Testing

/// `lora.dropout` in runs.
@Suite(.serialized) struct DropoutRunTests {
    private static let settings = """
        seed: 3
        objective: {kind: misp, anchor_weight: 1}
        negatives: {count: 2, sampling: importance}
        lora: {r: 4, dropout: 0.3}
        optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 4, warmup_ratio: 0}
        checkpoint: {every: 2, keep: 9}
        """
    private static let adapter = "adapter/adapter_model.safetensors"
    private static let without = "lora.dropout=0"

    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        let data = try String(contentsOf: fixture.folder["run.yaml"], encoding: .utf8)
            .replacing("data: {", with: "data: {eval: '\(fixture.checkpoint.path)/groups.jsonl', ")
        try fixture.write(data, to: "run.yaml")
    }

    private func train(_ output: String, ranks: Int? = nil, _ settings: [String] = []) throws {
        let run = try fixture.train(ranks: ranks, output: output, settings)
        try #require(run.status == 0, "\(run.errors)")
    }

    private func loss(_ output: String, _ step: Int) throws -> Double {
        try fixture.metrics(output)[step - 1]["loss"].double()
    }

    @Test func isTheSameOnAnyNumberOfRanks() throws {
        try train("one")
        for ranks in [2, 4, 8] {
            try train("many", ranks: ranks)
            #expect(try fixture.bytes("many/\(Self.adapter)") == fixture.bytes("one/\(Self.adapter)"), "\(ranks) ranks")
            #expect(try fixture.comparableMetrics("many") == fixture.comparableMetrics("one"), "\(ranks) ranks")
            try FileManager.default.removeItem(at: fixture.folder["many"])
        }
        // Killed after step 3.
        for part in ["checkpoints/step-000004", "adapter"] {
            try FileManager.default.removeItem(at: fixture.folder["one/\(part)"])
        }
        let expected = try fixture.comparableMetrics("one")
        let resumed = try fixture.train(ranks: 2, output: "one", resuming: true)
        #expect(resumed.status == 0 && resumed.errors.contains("step-000002"), "\(resumed.errors)")
        #expect(try fixture.comparableMetrics("one") == expected)
        let config = try JSONField(contentsOf: fixture.folder["one/adapter/adapter_config.json"])
        #expect(try config["lora_dropout"].double() == 0.3)
    }

    /// What is left out moves training, never an evaluation: before the first step the held-out loss is the same.
    @Test func actsInTrainingAlone() throws {
        try train("with")
        try train("without", [Self.without])
        // Before the first update B is zero, and the adapter adds nothing.
        #expect(try loss("with", 1) == loss("without", 1))
        #expect(try loss("with", 2) != loss("without", 2))
        let (with, without) = try (fixture.bytes("with/eval.jsonl"), fixture.bytes("without/eval.jsonl"))
        let newline = UInt8(ascii: "\n")
        #expect(with.split(separator: newline).first == without.split(separator: newline).first)
        #expect(with != without)
        // With an adapter that is trained already the first step differs too.
        let start = ["model.adapter=\(fixture.folder["without/adapter"].path)", "optimizer.steps=1"]
        try train("further", start)
        try train("further-without", start + [Self.without])
        #expect(try loss("further", 1) != loss("further-without", 1))
    }

    /// Members one at a time, layers made again, two-pass draws and bfloat16 leave out the same elements.
    @Test func doesNotDependOnHowMembersAreComputed() throws {
        for settings in [[], ["negatives.sampling=two_pass"]] {
            let joint = try ["joint", "recompute", "streaming"].map { members in
                let output = members + String(settings.count)
                try train(output, ["compute.members=\(members)"] + settings)
                return try fixture.adapter(output)
            }
            #expect(TrainingFixture.difference(joint[0], joint[1]) == 0)
            #expect(TrainingFixture.difference(joint[0], joint[2]) < 1e-5)
        }
        try train("narrow", ["compute.precision=bfloat16"])
        try train("narrow-without", ["compute.precision=bfloat16", Self.without])
        // After one update; later ones go apart.
        let losses = try ["narrow", "narrow-without", "joint0"].map { try loss($0, 2) }
        #expect(abs(losses[0] - losses[2]) < abs(losses[0] - losses[1]) / 3, "\(losses)")
    }

    @Test func refusals() throws {
        func refused(_ expected: String, _ settings: String...) throws {
            let run = try fixture.train(settings)
            #expect(run.status == 2 && run.errors.contains(expected), "\(run.errors)")
        }
        try refused("lora.dropout: is 1, but must be 0 or more and below 1", "lora.dropout=1")
        try refused("lora.dropout: is -0.1, but must be 0 or more and below 1", "lora.dropout=-0.1")
        try refused("misp has no dropout before adapters of the vision tower", "trainable.vision=lora")
    }
}
