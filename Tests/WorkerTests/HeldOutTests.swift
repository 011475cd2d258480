import Core
import Foundation
import TestSupport
import Testing
import Worker

/// Held-out groups on the way, and the checkpoint that did best on them.
@Suite(.serialized) struct HeldOutTests {
    /// So fast that the loss falls and then rises.
    private static let settings = """
        seed: 3
        objective: {kind: misp, beta: 0.5}
        negatives: {count: 2, sampling: importance}
        optimizer: {learning_rate: 0.05, schedule: constant, groups_per_step: 4, steps: 8}
        lora: {r: 4, alpha: 8}
        checkpoint: {every: 100, keep: 1}
        evaluation: {every: 2, keep_best: true}
        """
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
    }

    private func train(
        _ output: String, ranks: Int? = nil, _ overrides: [String] = [], resuming: Bool = false
    ) throws -> RankRun {
        try fixture.train(
            ranks: ranks, output: output,
            ["data.eval=\(fixture.checkpoint.path)/groups.jsonl"] + overrides, resuming: resuming)
    }

    private func curve(_ output: String) throws -> [(step: Int, loss: Double)] {
        try JSON.lines(contentsOf: fixture.folder["\(output)/eval.jsonl"]).map {
            (try #require($0.value["step"]?.int), try #require($0.value["loss"]?.double))
        }
    }

    private func best(_ output: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(
            atPath: fixture.folder["\(output)/checkpoints/best"].path)
    }

    private func checkpoints(_ output: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: fixture.folder["\(output)/checkpoints"].path).sorted()
    }

    @Test func curvesAndBestAreTheSameOnAnyNumberOfRanks() throws {
        let one = try train("one")
        try #require(one.status == 0, "\(one.errors)")
        let curve = try curve("one")
        #expect(curve.map(\.step) == [0, 2, 4, 6, 8])
        let accuracy = try JSON.lines(contentsOf: fixture.folder["one/eval.jsonl"]).map {
            $0.value["rewards/accuracies"]?.double
        }
        #expect(accuracy[0] == 0 && accuracy[4] != nil)
        let least = try #require(curve.min { $0.loss < $1.loss })
        #expect(least.step > 0 && least.step < 8 && least.loss < curve[0].loss, "\(curve)")
        #expect(try best("one") == String(format: "step-%06d", least.step))
        #expect(Set(try checkpoints("one")) == ["best", String(format: "step-%06d", least.step), "step-000008"])
        #expect(one.errors.contains("step 2: held-out loss"), "\(one.errors)")
        for ranks in [2, 4, 8] {
            let run = try train("of\(ranks)", ranks: ranks)
            try #require(run.status == 0, "\(run.errors)")
            #expect(try fixture.bytes("of\(ranks)/eval.jsonl") == fixture.bytes("one/eval.jsonl"), "\(ranks) ranks")
            #expect(try best("of\(ranks)") == best("one"))
        }
    }

    /// The untrained model's evaluation, which takes the reference's values, is what computing it gives.
    @Test func theFirstEvaluationIsTheReferences() throws {
        try #require(train("first", ["optimizer.learning_rate=0"]).status == 0)
        let curve = try curve("first")
        #expect(curve.count == 5 && curve.allSatisfy { $0.loss == curve[0].loss }, "\(curve)")
        // Of equal ones the first is the best.
        #expect(try best("first") == "step-000000")
    }

    /// A run that is killed between two evaluations, and resumed, leaves the same curve and the same best checkpoint.
    @Test func interruptionsChangeNothing() throws {
        let every = ["checkpoint.every=1", "checkpoint.keep=9"]
        try #require(train("whole", every).status == 0)
        try #require(train("cut", every).status == 0)
        for step in [6, 7, 8] {
            try FileManager.default.removeItem(at: fixture.folder[String(format: "cut/checkpoints/step-%06d", step)])
        }
        let rest = try train("cut", ranks: 2, every, resuming: true)
        #expect(rest.status == 0, "\(rest.errors)")
        #expect(try fixture.bytes("cut/eval.jsonl") == fixture.bytes("whole/eval.jsonl"))
        #expect(try best("cut") == best("whole"))
        // One that is turned on later chooses among the checkpoints that are there.
        try #require(train("late", every + ["evaluation.keep_best=false"]).status == 0)
        #expect(throws: (any Error).self) { try best("late") }
        try FileManager.default.removeItem(at: fixture.folder["late/checkpoints/step-000008"])
        #expect(try train("late", every, resuming: true).status == 0)
        #expect(try best("late") == best("whole"))
    }

    @Test func bestIsANameForOtherCommands() throws {
        try #require(train("out").status == 0)
        func answer(_ checkpoint: String) throws -> RankRun {
            try runRanks(
                nil, "misp-worker",
                [
                    "generate", "--config", fixture.folder["run.yaml"].path, "--prompt", "What?", "--image",
                    fixture.checkpoint.appending(path: "images/rgb.png").path, "--max-tokens", "8", "--checkpoint",
                    checkpoint, "--set", "output=\(fixture.folder["out"].path)",
                    "data.eval=\(fixture.checkpoint.path)/groups.jsonl",
                ])
        }
        let named = try answer("best")
        #expect(named.status == 0, "\(named.errors)")
        #expect(try named.output == answer(fixture.folder["out/checkpoints/\(best("out"))"].path).output)
        #expect(try answer("worst").status == 2)
        #expect(try answer("other/checkpoints/best").status == 2)
    }

    @Test(arguments: [
        (["evaluation.every=2", "evaluation.keep_best=false"], "evaluation.every"),
        (["evaluation.every=0"], "evaluation.keep_best"),
    ])
    func withoutHeldOutGroupsThereIsNoneToEvaluate(overrides: [String], key: String) throws {
        let run = try fixture.train(overrides)
        #expect(run.status == 2 && run.errors.contains(key) && run.errors.contains("data.eval"), "\(run.errors)")
    }
}
