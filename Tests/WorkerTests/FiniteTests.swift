import Core
import Foundation
import TestSupport
import Testing

/// What is not finite ends every command with status 2, names the tensor, and is neither written nor kept.
@Suite(.serialized) struct FiniteTests {
    /// A run over a copy of a checkpoint, whose weights a test can damage.
    private struct Damaged {
        let fixture: TrainingFixture

        init(_ settings: String = "optimizer: {steps: 2, groups_per_step: 2}", adapter: String = "null") throws {
            fixture = try TrainingFixture("llama-clip-spm", settings: "")
            for name in try FileManager.default.contentsOfDirectory(atPath: fixture.checkpoint.path)
            where name.hasSuffix(".json") || name == "model.safetensors" || name.hasPrefix("adapter") {
                try FileManager.default.copyItem(
                    at: fixture.checkpoint.appending(path: name), to: fixture.folder[name])
            }
            try fixture.write(
                """
                model: {path: ., adapter: \(adapter)}
                data: {train: '\(fixture.checkpoint.path)/groups.jsonl', images: '\(fixture.checkpoint.path)'}
                output: out
                \(settings)

                """, to: "run.yaml")
        }

        /// Puts `value` in place of every element of the first tensor whose name ends so.
        func spoil(_ ending: String, with value: Float = .nan, in file: String = "model.safetensors") throws {
            var data = try fixture.bytes(file)
            let length = Int(data.prefix(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
            let header = try JSON(parsing: data[8..<8 + length])
            let name = try #require(header.object?.keys.sorted().first { $0.hasSuffix(ending) })
            try #require(header[name]?["dtype"]?.string == "F32")
            let offsets = (header[name]?["data_offsets"]?.array ?? []).compactMap { $0.int }
            try #require(offsets.count == 2)
            for start in stride(from: 8 + length + offsets[0], to: 8 + length + offsets[1], by: 4) {
                withUnsafeBytes(of: value) { data.replaceSubrange(start..<start + 4, with: $0) }
            }
            try data.write(to: fixture.folder[file])
        }

        func run(_ command: String, ranks: Int? = nil, _ arguments: String...) throws -> RankRun {
            try runRanks(ranks, "misp-worker", [command, "--config", fixture.folder["run.yaml"].path] + arguments)
        }

        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: fixture.folder[name].path) }
    }

    private func expect(_ run: RankRun, _ parts: String...) {
        #expect(run.status == 2, "\(run.errors)")
        let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix("misp: ") }
        #expect(lines.count == 1 && !run.errors.contains("lower the learning rate"), "\(run.errors)")
        for part in parts { #expect(lines.first?.contains(part) == true, "\(part): \(run.errors)") }
    }

    private static let weights: [(String, Float)] = [
        ("layers.1.mlp.down_proj.weight", Float.nan), ("norm.weight", .infinity), ("linear_2.bias", -.infinity),
        ("patch_embedding.weight", .nan),
    ]

    @Test(arguments: Self.weights)
    func aWeightThatIsNotFiniteIsNamed(tensor: String, value: Float) throws {
        let damaged = try Damaged()
        try damaged.spoil(tensor, with: value)
        let scores = damaged.fixture.folder["scores.jsonl"].path
        expect(try damaged.run("score", "--out", scores), tensor, "model.safetensors holds values that are not finite")
        #expect(!damaged.exists("scores.jsonl"))
        expect(try damaged.run("train", ranks: 2), tensor, "model.safetensors")
        let rows = damaged.fixture.folder["cache"]
        let kept = try? FileManager.default.subpathsOfDirectory(atPath: rows.path).filter { $0.hasSuffix(".rows") }
        #expect((kept ?? []).isEmpty || tensor.contains("layers.1") || tensor == "norm.weight", "\(kept ?? [])")
        let picture = damaged.fixture.checkpoint.appending(path: "images/rgb.png").path
        let answer = try damaged.run(
            "generate", "--prompt", "What?", "--image", picture, "--max-tokens", "3", "--base")
        expect(answer, tensor)
        #expect(answer.output.isEmpty)
    }

    @Test func anAdapterThatIsNotFiniteIsNamed() throws {
        for (ending, value) in [("q_proj.lora_A.weight", Float.nan), ("down_proj.lora_B.weight", .infinity)] {
            let damaged = try Damaged(adapter: "adapter-final")
            try damaged.spoil(ending, with: value, in: "adapter-final/adapter_model.safetensors")
            expect(try damaged.run("train"), ending, "adapter_model.safetensors")
            expect(try damaged.run("export", "--out", damaged.fixture.folder["whole"].path), ending)
            #expect(!damaged.exists("whole/model.safetensors") && !damaged.exists("whole/model.safetensors.partial"))
        }
    }

    /// The first update leaves parameters that are infinite, or so large that the next step's numbers are not finite.
    @Test(arguments: ["1e38", "1e30", "1e300"]) func anUpdateThatIsNotFiniteIsNeverSaved(rate: String) throws {
        let settings =
            "optimizer: {steps: 4, groups_per_step: 2, learning_rate: \(rate), schedule: constant}\n"
            + "checkpoint: {every: 1}"
        for ranks in [1, 2] {
            let damaged = try Damaged(settings)
            let run = try damaged.run("train", ranks: ranks)
            #expect(run.status == 2 && run.errors.contains("learning"), "\(run.errors)")
            #expect(!damaged.exists("out/adapter"))
            let saved = (try? FileManager.default.subpathsOfDirectory(atPath: damaged.fixture.folder.url.path)) ?? []
            for name in saved where name.hasSuffix(".f32") {
                let bytes = try damaged.fixture.bytes(name)
                let finite = bytes.withUnsafeBytes { raw in
                    stride(from: 0, to: raw.count - 3, by: 4).allSatisfy {
                        raw.loadUnaligned(fromByteOffset: $0, as: Float.self).isFinite
                    }
                }
                #expect(finite, "\(name)")
            }
        }
    }

    /// The loss is finite, as policy and reference are the same, and what goes back through the last norm is not.
    @Test(arguments: [1e34, 1e36] as [Float], [1, 2]) func aGradientThatIsNotFiniteIsNotApplied(
        scale: Float, ranks: Int
    ) throws {
        for kind in ["misp", "dpo"] {
            let damaged = try Damaged("optimizer: {steps: 2, groups_per_step: 2}\nlora: {r: 4, alpha: 1.0e+6}")
            try damaged.spoil("model.norm.weight", with: scale)
            let run = try damaged.run("train", ranks: ranks, "--set", "objective.kind=\(kind)")
            #expect(run.status == 2 && run.errors.contains("misp: step 1, groups "), "\(run.errors)")
            #expect(run.errors.contains("the gradient of language_model."), "\(run.errors)")
            #expect(!damaged.exists("out/adapter"))
        }
    }

    @Test func aTensorThatIsNotFiniteIsNeverWritten() throws {
        let folder = try TemporaryFolder()
        for value in [Float.nan, .infinity, -.infinity] {
            let matrix = Matrix<Float>(2, 3, [1, 2, 3, 4, value, 6])
            let error = #expect(throws: MISPError.self) {
                try SafetensorsWriter.write(
                    [.init(name: "a.b", shape: [2, 3], matrix: matrix)], to: folder["w.safetensors"])
            }
            #expect(error?.description.contains("a.b: holds values that are not finite") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
        }
    }
}
