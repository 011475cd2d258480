import Core
import Foundation
import TestSupport
import Testing

/// Runs that go on to another length than they began with.
@Suite(.serialized) struct RunLengthTests {
    /// Every epoch draws other negatives, so that a longer run asks for other pictures.
    private static let settings = """
        seed: 3
        negatives: {count: 1, sampling: importance}
        lora: {r: 2}
        optimizer: {learning_rate: 1e-2, groups_per_step: 4, schedule: constant, steps: 5}
        checkpoint: {every: 2, keep: 9}
        """
    private static let adapter = "adapter/adapter_model.safetensors"

    private let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false) }

    private func train(_ output: String, ranks: Int? = nil, resuming: Bool = false, _ settings: String...) throws {
        let run = try fixture.train(ranks: ranks, output: output, settings, resuming: resuming)
        try #require(run.status == 0, "\(run.errors)")
    }

    private func expectSame(_ a: String, _ b: String) throws {
        #expect(try fixture.bytes("\(a)/\(Self.adapter)") == fixture.bytes("\(b)/\(Self.adapter)"))
        #expect(try fixture.comparableMetrics(a) == fixture.comparableMetrics(b))
    }

    /// By steps, by epochs, and from one to the other: the bits of a run that was as long from the start.
    @Test func aFinishedRunGoesOn() throws {
        try train("long")
        try train("grown", "optimizer.steps=1")
        let run = try fixture.train(ranks: 2, output: "grown", ["optimizer.steps=3"], resuming: true)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.errors.contains("going on to step 3; the run was to end after step 1"), "\(run.errors)")
        try train("grown", resuming: true)
        try expectSame("grown", "long")

        let epochs = ["optimizer.steps=null", "optimizer.epochs=2"]
        try train("two", epochs[0], epochs[1])
        let steps = try fixture.metrics("two").count
        try train("to-two", "optimizer.steps=1")
        try train("to-two", resuming: true, epochs[0], epochs[1])
        try expectSame("to-two", "two")
        try train("shorter", "optimizer.steps=null", "optimizer.epochs=1")
        try train("shorter", resuming: true, "optimizer.steps=\(steps)")
        try expectSame("shorter", "two")
    }

    /// Ended on the way and made shorter: as a run that was as short from the start.
    @Test func aRunEndsEarlier() throws {
        try train("short", "optimizer.steps=3")
        try train("cut")
        for part in ["checkpoints/step-000005", "checkpoints/step-000004", "adapter"] {
            try FileManager.default.removeItem(at: fixture.folder["cut/\(part)"])
        }
        try train("cut", resuming: true, "optimizer.steps=3")
        try expectSame("cut", "short")
    }

    @Test func refusesWhatWouldChangeThePast() throws {
        func refused(_ expected: String..., set: [String]) throws {
            let run = try fixture.train(output: "run", set, resuming: true)
            #expect(run.status == 2)
            for part in expected { #expect(run.errors.contains(part), "\(run.errors)") }
        }
        try train("run", "optimizer.schedule=cosine", "optimizer.steps=3")
        try refused(
            "misp: optimizer.steps: makes it 5 steps in place of 3 in ",
            "but with optimizer.schedule cosine step 3 would have had another learning rate; change it back",
            set: ["optimizer.schedule=cosine"])
        // The pictures of the steps taken are compared as before.
        try FileManager.default.removeItem(at: fixture.folder["run"])
        try train("run", "optimizer.steps=3")
        try refused("misp: optimizer.steps: ends the run after step 2, but 3 are taken in ", set: ["optimizer.steps=2"])
        try refused("misp: seed: is 4, but 3 in ", set: ["seed=4", "optimizer.steps=5"])
        // A warm-up of as many steps changes nothing; of more it does.
        let warmUp = ["optimizer.schedule=constant_with_warmup", "optimizer.warmup_ratio=0.3"]
        try train("warm", warmUp[0], warmUp[1], "optimizer.steps=3")
        try train("warm", resuming: true, warmUp[0], warmUp[1], "optimizer.steps=3")
        let longer = try fixture.train(output: "warm", warmUp + ["optimizer.steps=4"], resuming: true)
        #expect(
            longer.status == 2 && longer.errors.contains("schedule constant_with_warmup step 2 would have had another"),
            "\(longer.errors)")
    }
}
