import Coordinator
import Core
import Foundation
import TestSupport
import Testing
import Worker

@Suite(.serialized) struct PlanTests {
    private static let settings = "optimizer: {groups_per_step: 4, steps: 6}"

    private func plan(_ fixture: TrainingFixture, ranks: Int? = nil, _ arguments: String...) throws -> RankRun {
        try runRanks(ranks, "misp-worker", ["plan", "--config", fixture.folder["run.yaml"].path] + arguments)
    }

    @Test(arguments: [nil, 2]) func predicts(measuring: Int?) throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings)
        let json = fixture.folder["plan.json"]
        let run = try plan(
            fixture, ranks: measuring, "--ranks", "1,2,64", "--ranks-per-host", "2", "--network", "10Gb", "--json",
            json.path)
        try #require(run.status == 0, "\(run.errors)")
        let rows = try JSONField(contentsOf: json).array()
        #expect(try rows.map { try $0["ranks"].int() } == [1, 2, 64])
        #expect(try rows.map { try $0["hosts"].int() } == [1, 1, 32])
        for row in rows {
            let parts = try ["compute", "reduce", "optimizer"].map { try row["time/\($0)"].double() }
            #expect(parts.allSatisfy { $0 > 0 })
            #expect(abs(try row["time/step"].double() - parts.reduce(0, +)) < 1e-9)
            #expect(try row["memory/host"].double() > row["memory/rank"].double())
        }
        // Four groups a step are too few for 64 ranks, and the report says so.
        #expect(try rows[2]["efficiency"].double() < 0.1)
        #expect(run.output.contains("\(measuring ?? 1) busy") && run.output.contains("10.0 Gb/s"), "\(run.output)")
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out"].path))
    }

    @Test func advice() {
        let host = CostModel.Host(operations: 1e9, bandwidth: 1e10, latency: 1e-6, updates: 1e9)
        func lines(_ groups: [Double], parameters: Int, ranks: [Int]) -> String {
            PlanReport(
                CostModel(hosts: [host, host], network: .init(latency: 3e-5, bandwidth: 1e9)), groups: [groups],
                parameters: parameters, totalSteps: 10, ranks: ranks, ranksPerHost: 2
            ) {
                MemoryEstimate(weights: 1, trained: parameters, activations: 1, groupsPerStep: 4, ranks: $0)
            }.lines.joined(separator: "\n")
        }
        let few = lines([1e9, 1e9, 1e9, 1e9], parameters: 1000, ranks: [1, 4, 64])
        #expect(few.contains("at 64 ranks") && few.contains("4 groups a step leave 60 ranks without one"), "\(few)")
        #expect(few.contains("groups_per_step: 64 keep them busy for 100 %"), "\(few)")
        let uneven = lines([4e9, 1e9], parameters: 1000, ranks: [2, 4])
        #expect(uneven.contains("at 4 ranks"), "\(uneven)")
        let large = lines([1e9, 1e9, 1e9, 1e9], parameters: 1_000_000_000, ranks: [4])
        #expect(large.contains("reducing 3.7 GiB"), "\(large)")
        // Reduction and AdamW take 4.85 s: of 32 and 4.85, gradients are 87 %.
        #expect(large.contains("groups_per_step: 128 keep them busy for 87 %"), "\(large)")
        #expect(lines([1e9, 1e9], parameters: 1000, ranks: [1, 2]).contains("at least half of the time"))
    }

    /// Hosts of more cores than this one, and more groups than the file has, are planned for, and said.
    @Test func hostsToCome() throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm", settings: "optimizer: {groups_per_step: 64, epochs: 1}\ncompute: {threads: 2}")
        let json = fixture.folder["plan.json"]
        func rows(_ arguments: String...) throws -> ([JSONField], RankRun) {
            let all = ["--config", fixture.folder["run.yaml"].path, "--ranks", "1,64", "--json", json.path] + arguments
            let run = try runRanks(nil, "misp-worker", ["plan"] + all)
            try #require(run.status == 0, "\(run.errors)")
            return (try JSONField(contentsOf: json).array(), run)
        }
        let (large, said) = try rows("--cores-per-host", "128", "--groups", "6400")
        #expect(try large[1]["hosts"].int() == 1)
        // One group each, and some groups cost more than others.
        #expect(try large[1]["time/compute"].double() < large[0]["time/compute"].double() / 20)
        #expect(said.output.contains("each of 64 ranks is as fast as 1 busy were here"), "\(said.output)")
        #expect(said.output.contains("groups, as assumed: 6400") && said.output.contains("100 steps"), "\(said.output)")
        let (small, _) = try rows("--cores-per-host", "2")
        #expect(try small[1]["hosts"].int() == 64)
    }

    @Test func rates() throws {
        for (text, bytes) in [
            ("25Gb", 3.125e9), ("25Gb/s", 3.125e9), ("100Gbit", 12.5e9), ("3GB", 3e9), ("1.5GB/s", 1.5e9),
            ("800Mbps", 1e8), ("1000b", 125),
        ] { #expect(try Plan.bytesPerSecond(text) == bytes, "\(text)") }
        for text in ["", "fast", "-3Gb", "0GB", "infGB", "3 XB"] {
            #expect(throws: MISPError.self, "\(text)") { try Plan.bytesPerSecond(text) }
        }
    }

    @Test func badInput() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings)
        for (arguments, part) in [
            (["--ranks", "0,2"], "--ranks"), (["--ranks", "two"], "--ranks"), (["--network", "fast"], "--network"),
            (["--ranks-per-host", "0"], "--ranks-per-host"), (["--cores-per-host", "0"], "--cores-per-host"),
            (["--groups", "0"], "--groups"), (["--set", "data.train=absent.jsonl"], "absent.jsonl"),
        ] {
            let run = try runRanks(
                nil, "misp-worker", ["plan", "--config", fixture.folder["run.yaml"].path] + arguments)
            #expect(run.status == 2 && run.errors.contains(part), "\(arguments): \(run.errors)")
        }
    }
}
