import Core
import Foundation
import TestSupport
import Testing

/// What holds of every run holds where pictures take more rows or fewer by their size.
@Suite(.serialized) struct FamilyRunTests {
    private static let families = ["qwen2.5-vl-flat", "smolvlm-tiles"]
    private static let settings = """
        seed: 3
        objective: {kind: misp, anchor_weight: 0.5}
        negatives: {count: 2, sampling: importance}
        optimizer: {learning_rate: 1e-2, groups_per_step: 4, steps: 3, warmup_ratio: 0}
        """
    /// Another size of the same pictures, by family.
    private static let otherPictures = [
        "qwen2.5-vl-flat": "model.max_pixels=9408", "smolvlm-tiles": "model.image_splitting=false",
    ]
    private static let adapter = "adapter/adapter_model.safetensors"

    @Test(arguments: families, ["", "\ntrainable: {language: lora, projector: full, vision: lora}"])
    func oneTwoAndFourRanksGiveTheSameBits(name: String, trainable: String) throws {
        let fixture = try TrainingFixture(family: name, settings: Self.settings + trainable)
        var metrics: [String] = []
        for ranks in [1, 2, 4] {
            let run = try fixture.train(ranks: ranks, output: "\(ranks)", ["lora.r=4"])
            try #require(run.status == 0, "\(run.errors)")
            if ranks == 1 { metrics = try fixture.comparableMetrics("1") }
            #expect(try fixture.comparableMetrics("\(ranks)") == metrics, "\(ranks) ranks")
            let files = try ["\(ranks)", "1"].map { try fixture.bytes("\($0)/\(Self.adapter)") }
            #expect(files[0] == files[1], "\(ranks) ranks")
        }
        #expect(metrics.count == 3)
    }

    /// Crops have shapes of their own, noise has its picture's, and a reference that is computed anew at each step has
    /// pictures of its own.
    @Test(arguments: families, ["sft", "dpo", "mdpo", "chip", "sdpo", "misp", "lpoi"])
    func everyObjectiveRuns(name: String, kind: String) throws {
        let fixture = try TrainingFixture(
            family: name,
            settings: """
                objective: {kind: \(kind)}
                negatives: {count: 2}
                optimizer: {steps: 2, groups_per_step: 2}
                trainable: {projector: full, vision: lora}
                lora: {r: 2}
                """)
        let run = try fixture.train(ranks: 2)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try fixture.metrics().count == 2)
    }

    /// Members one at a time, one layout of the same mathematics; and layers run again, to the same bits.
    @Test(arguments: families) func streamingEqualsJoint(name: String) throws {
        let fixture = try TrainingFixture(
            family: name, settings: Self.settings + "\ntrainable: {projector: full, vision: lora}")
        for members in ["joint", "recompute", "streaming"] {
            let run = try fixture.train(output: members, ["compute.members=\(members)", "lora.r=4"])
            try #require(run.status == 0, "\(run.errors)")
        }
        let files = try ["joint", "recompute"].map { try fixture.bytes("\($0)/\(Self.adapter)") }
        #expect(files[0] == files[1])
        // AdamW makes more of the rounding where a gradient is almost zero.
        let (joint, streaming) = (try fixture.adapter("joint"), try fixture.adapter("streaming"))
        #expect(TrainingFixture.difference(joint, streaming) < 1e-3)
        #expect(TrainingFixture.meanDifference(joint, streaming) < 2e-6)
    }

    /// A cache that holds features of the same files at another size, and of another part of the way, is passed over;
    /// one that holds the run's own changes nothing but the time.
    @Test(arguments: families, ["frozen", "full"]) func cachedEqualsUncached(name: String, projector: String) throws {
        let fixture = try TrainingFixture(
            family: name, settings: Self.settings + "\ntrainable: {projector: \(projector)}")
        let other = try #require(Self.otherPictures[name])
        func train(_ output: String, ranks: Int? = nil, _ overrides: String...) throws {
            let run = try fixture.train(ranks: ranks, output: output, overrides)
            try #require(run.status == 0, "\(run.errors)")
        }
        func files() throws -> [String] {
            try FileManager.default.subpathsOfDirectory(atPath: fixture.folder["cache"].path)
                .filter { $0.hasSuffix(".rows") }.sorted()
        }
        func expectSame(_ a: String, _ b: String) throws {
            #expect(try fixture.comparableMetrics(a) == fixture.comparableMetrics(b), "\(a) \(b)")
            #expect(try fixture.bytes("\(a)/\(Self.adapter)") == fixture.bytes("\(b)/\(Self.adapter)"), "\(a) \(b)")
        }
        try train("without", "cache.enabled=false")
        try train("first", ranks: 2)
        let kept = try files()
        #expect(kept.contains { $0.hasPrefix("features/") })
        try train("second", ranks: 2)
        #expect(try files() == kept, "nothing is computed again")
        try train("others", other)
        #expect(try files().count > kept.count)
        try train("others without", other, "cache.enabled=false")
        try train("third")
        for output in ["first", "second", "third"] { try expectSame(output, "without") }
        try expectSame("others", "others without")
        #expect(try fixture.comparableMetrics("others") != fixture.comparableMetrics("first"))
    }

    /// A run that is gone on with has the sizes of its pictures again.
    @Test(arguments: families) func resumedRunsGoOnAlike(name: String) throws {
        let fixture = try TrainingFixture(
            family: name, settings: Self.settings + "\ncheckpoint: {every: 1}\ntrainable: {vision: lora}\nlora: {r: 4}")
        #expect(try fixture.train(output: "whole").status == 0)
        #expect(try fixture.train(output: "part").status == 0)
        for step in [2, 3] {
            try FileManager.default.removeItem(at: fixture.folder["part/checkpoints/step-00000\(step)"])
        }
        let rest = try fixture.train(ranks: 2, output: "part", resuming: true)
        try #require(rest.status == 0, "\(rest.errors)")
        #expect(try fixture.comparableMetrics("part") == fixture.comparableMetrics("whole"))
        #expect(try fixture.bytes("part/\(Self.adapter)") == fixture.bytes("whole/\(Self.adapter)"))
    }

    /// `check` tells how many rows pictures take: 2 × 2 cells at the least, 5 × 7 at the most. A long picture has
    /// more than one cell however few pixels it may have.
    @Test func checkTellsOfPicturesRows() throws {
        let fixture = try TrainingFixture(family: "qwen2.5-vl-flat", settings: Self.settings)
        for ranks in [nil, 3] {
            let run = try runRanks(ranks, "misp-worker", ["check", "--config", fixture.folder["run.yaml"].path])
            try #require(run.status == 0, "\(run.errors)")
            #expect(run.output.contains("512 tokens, 4 to 35 of them for the picture"), "\(run.output)")
        }
        let one = try runRanks(
            nil, "misp-worker",
            [
                "check", "--config", fixture.folder["run.yaml"].path, "--set", "model.min_pixels=784",
                "model.max_pixels=784",
            ])
        #expect(one.output.contains("512 tokens, 1 to 3 of them for the picture"), "\(one.output)\(one.errors)")
    }

    @Test(arguments: families) func planReadsSizes(name: String) throws {
        let fixture = try TrainingFixture(family: name, settings: Self.settings)
        let run = try runRanks(
            2, "misp-worker", ["plan", "--config", fixture.folder["run.yaml"].path, "--ranks", "1,2"])
        #expect(run.status == 0, "\(run.errors)")
    }
}
