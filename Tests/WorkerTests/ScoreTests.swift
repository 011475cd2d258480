import Core
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct ScoreTests {
    /// What `score` says of the mining scores follows from the lines that it writes.
    @Test func rankCorrelationIsThatOfTheLines() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "")
        let adapter = fixture.checkpoint.appending(path: "adapter-final").path
        let run = try runRanks(
            2, "misp-worker",
            [
                "score", "--config", fixture.folder["run.yaml"].path, "--out", fixture.folder["scores.jsonl"].path,
                "--set", "model.adapter=\(adapter)",
            ])
        #expect(run.status == 0, "\(run.errors)")
        let groups = try JSON.lines(contentsOf: fixture.checkpoint.appending(path: "groups.jsonl"))
        let lines = try JSON.lines(contentsOf: fixture.folder["scores.jsonl"])
        var known: [Double] = []
        for (group, line) in zip(groups, lines) {
            let (group, line) = (JSONField(group.value, file: "groups"), JSONField(line.value, file: "scores"))
            let negatives = group["negatives"].isPresent ? try group["negatives"].array() : []
            let scores = try negatives.compactMap { $0["score"].isPresent ? try $0["score"].double() : nil }
            func h(_ name: String) throws -> Double {
                try line["policy"][name].double() - line["reference"][name].double()
            }
            let advantages = try scores.indices.map { try h("negative\($0)") - h("chosen") }
            // Without ties 1 − 6 Σ d² / n(n² − 1).
            let n = Double(scores.count)
            let gaps = scores.indices.map { i in
                Double(scores.count { $0 < scores[i] }) - Double(advantages.count { $0 < advantages[i] })
            }
            guard scores.count > 1, Set(scores).count == scores.count else {
                if scores.count < 2 { #expect(!line["spearman"].isPresent) }
                continue
            }
            let expected = 1 - 6 * gaps.reduce(0) { $0 + $1 * $1 } / (n * (n * n - 1))
            #expect(abs(try line["spearman"].double() - expected) < 1e-12)
            known.append(expected)
        }
        try #require(known.count > 1)
        let mean = String(
            format: "mean Spearman %.4f over %d groups", known.reduce(0, +) / Double(known.count), known.count)
        #expect(run.output.contains(mean), "\(run.output)")

        let same = try runRanks(
            nil, "misp-worker",
            [
                "score", "--config", fixture.folder["run.yaml"].path, "--out", fixture.folder["same.jsonl"].path,
                "--set", "model.adapter=null",
            ])
        #expect(same.status == 0 && !same.output.contains("Spearman"), "\(same.errors)")
    }
}
