import Core
import Foundation
import TestSupport
import Testing

/// `misp-worker sampling` on a trained adapter of a small model.
@Suite(.serialized) struct CompareDrawsTests {
    private static func compare(_ fixture: TrainingFixture, ranks: Int?, to name: String) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker",
            [
                "sampling", "--config", fixture.folder["run.yaml"].path, "--out", fixture.folder[name].path,
                "--adapter", fixture.checkpoint.appending(path: "adapter-final").path, "--draws", "200", "--counts",
                "1", "2", "8",
            ])
    }

    @Test func everyNumberOfRanksWritesTheSameFiles() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "")
        let one = try Self.compare(fixture, ranks: nil, to: "one")
        #expect(one.status == 0, "\(one.errors)")
        let bytes = try ["sampling.json", "sampling.html"].map { try Data(contentsOf: fixture.folder["one/\($0)"]) }
        for ranks in [2, 4, 8] {
            let run = try Self.compare(fixture, ranks: ranks, to: "\(ranks)")
            #expect(run.status == 0 && run.output == one.output, "\(run.errors)")
            let others = try ["sampling.json", "sampling.html"].map {
                try Data(contentsOf: fixture.folder["\(ranks)/\($0)"])
            }
            #expect(others == bytes)
        }
    }

    @Test func wholePoolsHaveNoErrorAndFewDrawsHaveOne() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "")
        let run = try Self.compare(fixture, ranks: nil, to: "out")
        #expect(run.status == 0, "\(run.errors)")
        let rows = try JSONField(contentsOf: fixture.folder["out/sampling.json"])["rows"].array()
        #expect(rows.count == 18)
        for row in rows {
            let (mode, count) = (try row["sampling"].string(), try row["count"].int())
            let error = try row["error"].double()
            if count == 8, ["subset", "uniform", "importance"].contains(mode) { #expect(error < 1e-6) }
            if count == 1, mode != "subset" { #expect(error > 0.001) }
            if mode == "two_pass" { #expect(try row["bias"].double() < 0.2 * error + 1e-6) }
        }
    }

    @Test func aRunThatHasTrainedNothingIsRefused() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "")
        let run = try runRanks(
            nil, "misp-worker",
            [
                "sampling", "--config", fixture.folder["run.yaml"].path, "--out", fixture.folder["out"].path, "--set",
                "model.adapter=null",
            ])
        #expect(run.status == 2)
        #expect(run.errors.contains("has no adapter"))
    }
}
