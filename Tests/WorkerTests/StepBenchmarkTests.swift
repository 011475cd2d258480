import Core
import Foundation
import TestSupport
import Testing
import Worker

/// What `bench step` measures is a model of the family that it names.
@Suite struct StepBenchmarkTests {
    /// The benchmark's picture stands in a sequence as the family's own do.
    @Test(
        arguments: [
            (BenchmarkFamily.qwen25, "qwen2.5-vl-flat", [256, 60, 7]), (.qwen2, "qwen2-vl", [256, 1]),
            (.smolVLM, "smolvlm-tiles", [64, 192, 256, 832]),
        ], BenchmarkShape.allCases)
    func picturesAreTheFamilys(
        _ subject: (family: BenchmarkFamily, folder: String, rows: [Int]), shape: BenchmarkShape
    ) throws {
        let json = try JSON(parsing: subject.family.configuration(shape))
        let family = try ModelConfiguration(JSONField(json, file: "config.json")).family
        let tokenizer = try Tokenizer(folder: golden("families/\(subject.folder)"))
        for rows in subject.rows {
            let picture = try #require(subject.family.picture(rows: rows))
            let (own, place) = (subject.family.place(rows: rows), try family.place(picture, tokenizer))
            #expect(own.features == rows && place.features == rows)
            #expect(own.featureRows.map(\.count) == place.featureRows.map(\.count))
            #expect(own.positions == place.positions)
            if own.positions != nil { #expect(own.span == place.span) }
            let cost = family.cost(picture)
            #expect(cost.tower > 0 && cost.connector > 0)
        }
    }

    @Test func squarestPictures() throws {
        let sides = [256: [448, 448], 60: [168, 280], 7: [28, 196]]
        for (rows, expected) in sides {
            let picture = try #require(BenchmarkFamily.qwen25.picture(rows: rows))
            #expect([picture.height, picture.width] == expected)
        }
        for rows in [63, 128] { #expect(BenchmarkFamily.smolVLM.picture(rows: rows) == nil) }
    }

    @Test func whatCannotBeMeasuredIsRefused() throws {
        for (arguments, part) in [
            (["--family", "clip"], "--family is clip, but must be one of llava, qwen2.5-vl, qwen2-vl, smolvlm"),
            (["--family", "smolvlm", "--tokens", "100", "8", "8"], "64 tokens a tile"),
            (["--family", "smolvlm", "--model", "m"], "--model takes a LLaVA folder"),
            (["--model", "absent"], "absent"),
            (["--model", golden("checkpoints/llama-clip-spm").path], "give --tokens 16 24 64"),
            (["--model", golden("families/qwen2.5-vl-flat").path], "qwen2.5-vl-flat: is no LLaVA"),
        ] {
            let run = try runRanks(nil, "misp-worker", ["bench", "step"] + arguments)
            #expect(run.status != 0 && run.errors.contains(part), "\(run.errors)")
        }
    }

    /// Of whatever size its pictures are, and however few its tokens.
    @Test(arguments: ["llama-clip-spm", "qwen2-siglip"]) func folders(_ name: String) throws {
        let model = golden("checkpoints/\(name)").path
        let values = try ["joint", "recompute", "streaming"].map { members in
            let run = try runRanks(
                nil, "misp-worker",
                [
                    "bench", "step", "--model", model, "--tokens", "16", "8", "5", "--negatives", "2", "--members",
                    members, "--repeats", "1", "--values",
                ])
            #expect(run.status == 0 && run.output.contains("per group"), "\(run.errors)")
            let line = run.lines.first { $0.hasPrefix("log-probabilities") } ?? ""
            return line.split(separator: " ").dropFirst().compactMap { Double($0) }
        }
        #expect(values[0].count == 4)
        for other in values { #expect(zip(values[0], other).allSatisfy { abs($0 - $1) < 1e-3 }) }
    }
}
