import Core
import Foundation
import TestSupport
import Testing
import Worker

@Suite struct ReproductionArmTests {
    private let arms = ReproductionArm.all

    @Test func keysAreDifferent() {
        #expect(Set(arms.map(\.key)).count == arms.count)
        #expect(Set(arms.map { $0.yaml(seed: 0, epochs: 1) }).count == arms.count)
    }

    @Test func anchorsAreNamed() {
        for arm in arms where arm.places.contains(.objectives) {
            #expect(arm.name.contains("anchor") == arm.hasAnchor, "\(arm.name)")
        }
    }

    /// Every multi-negative arm of table 1 stands there with and without the anchor, and so does DPO.
    @Test func armsStandWithAndWithoutAnchor() throws {
        let table = arms.filter { $0.places.contains(.objectives) }
        for arm in table where !arm.hasAnchor && arm.objective == "misp" {
            #expect(table.contains { $0.name == "\(arm.name), anchor" && $0.anchor == 1 }, "\(arm.name)")
        }
        #expect(table.contains { $0.key == "dpo-anchor" && $0.negatives == .none })
    }

    @Test func pairsDifferInOneThing() throws {
        func arm(_ key: String) throws -> ReproductionArm { try #require(arms.first { $0.key == key }, "\(key)") }
        let alone = [
            ("paper", "from-random"), ("draw-uniform", "random"), ("misp", "draw-uniform"), ("misp-anchor", "misp"),
            ("misp-anchor", "dpo-anchor"),
        ]
        for (own, other) in alone {
            let (a, b) = (try arm(own), try arm(other))
            let differences = [
                a.objective != b.objective, a.beta != b.beta, a.anchor != b.anchor, a.negatives != b.negatives,
                // How none are drawn makes no difference.
                a.negatives != .none && b.negatives != .none && (a.sampling != b.sampling || a.count != b.count),
            ]
            #expect(differences.count { $0 } == 1, "\(own) beside \(other)")
        }
        for pair in ReproductionResult.pairs where pair.other != ReproductionResult.warmup {
            _ = (try arm(pair.own), try arm(pair.other))
        }
    }
}

@Suite struct ReproductionResultTests {
    /// t = 2.5/(1.29099/2) = 3.87298 with 3 degrees of freedom: p = 0.0304662.
    @Test func pairedTest() {
        #expect(abs(ReproductionResult.pairedP([1, 2, 3, 4]) - 0.0304662) < 1e-6)
        #expect(abs(ReproductionResult.pairedP([-1, -2, -3, -4]) - 0.0304662) < 1e-6)
        #expect(ReproductionResult.pairedP([1, -1]) == 1)
        #expect(ReproductionResult.pairedP([0, 0, 0]) == 1 && ReproductionResult.pairedP([2, 2]) == 0)
    }

    @Test func differencesAreSeedBySeed() throws {
        var result = ReproductionResult(seeds: [0, 1])
        let pair = try #require(ReproductionResult.pairs.first { $0.own == "random" && $0.other == "dpo" })
        #expect(result.difference(pair, "CHAIRi") == nil)
        result.arms = ["random": .init(), "dpo": .init()]
        result.arms["random"]?.measures["CHAIRi"] = [0.5, 0.25]
        result.arms["dpo"]?.measures["CHAIRi"] = [0.25, 0.5]
        let found = try #require(result.difference(pair, "CHAIRi"))
        #expect(found.values == [0.25, -0.25] && found.p == 1)
        #expect(result.text("random", "CHAIRi").hasPrefix("0.375 ± "))
        // A share of nothing in one seed is said, and tests nothing.
        result.arms["dpo"]?.measures["CHAIRi"] = [0.25, .nan]
        #expect(result.difference(pair, "CHAIRi") == nil && result.text("dpo", "CHAIRi") == "–")
    }
}

@Suite(.serialized) struct ReproductionRunTests {
    @Test func oneSeedFromNothingGoesOnAndHasTheBitsOfAnyNumberOfRanks() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "misp-reproduce-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        func measures(_ output: URL) throws -> [String] {
            try JSONField(contentsOf: output.appending(path: "results.json"))["arms"].array().map {
                "\(try $0["key"].string()) \($0["measures"].value ?? .null)"
            }
        }
        func arguments(_ name: String) -> [String] {
            ["reproduce", "--short", "--seeds", "1", "--output", folder.appending(path: name).path]
        }
        let one = folder.appending(path: "one")
        let alone = try runRanks(nil, "misp-worker", arguments("one"))
        #expect(alone.status == 0, "\(alone.errors.suffix(2000))")
        #expect(try measures(one).count == 1 + ReproductionArm.all.count)
        let page = try String(contentsOf: one.appending(path: "reproduction.html"), encoding: .utf8)
        for part in ["Table 1", "Table 2", "Figure 2", "Figure 3", "Figure 4", "Figure 5", "Sampling", "Costs"] {
            #expect(page.contains(part), "\(part)")
        }
        for file in [
            "compare.html", "seed-0/mining-misp/gallery.html", "seed-0/mining-misp/map.svg", "sampling/sampling.html",
        ] {
            #expect(FileManager.default.fileExists(atPath: one.appending(path: file).path), "\(file)")
        }

        let two = try runRanks(2, "misp-worker", arguments("two"))
        #expect(two.status == 0, "\(two.errors.suffix(2000))")
        #expect(try measures(folder.appending(path: "two")) == measures(one))

        // What is missing is made again, and nothing else.
        let kept = one.appending(path: "seed-0/dpo/adapter/adapter_model.safetensors")
        let written = try FileManager.default.attributesOfItem(atPath: kept.path)[.modificationDate] as? Date
        let before = try measures(one)
        try FileManager.default.removeItem(at: one.appending(path: "seed-0/misp"))
        let again = try runRanks(nil, "misp-worker", arguments("one"))
        #expect(again.status == 0, "\(again.errors.suffix(2000))")
        #expect(try measures(one) == before)
        #expect(try FileManager.default.attributesOfItem(atPath: kept.path)[.modificationDate] as? Date == written)
    }

    @Test func foreignFilesAreLeftAlone() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "misp-reproduce-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: folder.appending(path: "results.json"))
        let run = try runRanks(nil, "misp-worker", ["reproduce", "--short", "--output", folder.path])
        #expect(run.status == 2 && run.errors.contains("--output"), "\(run.errors)")
        #expect(try String(contentsOf: folder.appending(path: "results.json"), encoding: .utf8) == "mine")
    }
}

/// examples/as-the-paper.yaml on a folder of that shape.
@Suite struct PaperSettingTests {
    @Test func theSettingIsThePapers() throws {
        let file = repository.appending(path: "examples/as-the-paper.yaml")
        let configuration = try RunConfiguration(contentsOf: file)
        #expect(configuration.objective.kind.rawValue == "misp" && configuration.objective.settings.beta == 0.5)
        #expect(configuration.objective.settings.anchorWeight == 0 && configuration.objective.settings.textWeight == 1)
        #expect(configuration.negatives.count == 3)
        let mining = try MineConfiguration(contentsOf: repository.appending(path: "examples/as-the-paper-mine.yaml"))
        #expect(mining.pool == 3 && mining.strategy == .misp && mining.embedder == .clip)
    }

    @Test func checkTakesItOnAModelOfThatShape() throws {
        let goldens = golden("checkpoints/llama-clip-spm")
        let run = try runRanks(
            nil, "misp-worker",
            [
                "check", "--config", repository.appending(path: "examples/as-the-paper.yaml").path, "--set",
                "model.path=\(goldens.path)", "data.train=\(goldens.appending(path: "groups.jsonl").path)",
                "data.images=\(goldens.path)",
            ])
        #expect(run.status == 0, "\(run.output) \(run.errors)")
    }
}
