import Core
import Foundation
import TestSupport
import Testing

/// launch/sweep and the table that it ends with.
@Suite(.serialized) struct SweepTests {
    /// A folder as a finished run leaves it.
    private static func makeRun(_ name: String, _ settings: String, heldOut: Double, in folder: TemporaryFolder) throws
    {
        let run = folder[name]
        try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
        try Data("{\"step\":1,\"loss\":0.5,\"time/step\":36}\n".utf8).write(to: run.appending(path: "metrics.jsonl"))
        try Data("{\"step\":1,\"loss\":\(heldOut)}\n".utf8).write(to: run.appending(path: "eval.jsonl"))
        try Data("output: /somewhere/\(name)\n\(settings)".utf8).write(to: run.appending(path: "config.yaml"))
    }

    @Test func runsAreGroupedBySettingsAndAveragedOverSeeds() throws {
        let folder = try TemporaryFolder()
        for (index, value) in [0.2, 0.4, 0.9].enumerated() {
            try Self.makeRun("a\(index)", "seed: \(index)\nobjective: {beta: 0.5}\n", heldOut: value, in: folder)
        }
        try Self.makeRun("b", "seed: 0\nobjective: {beta: 0.1}\n", heldOut: 0.3, in: folder)
        let run = try runRanks(
            2, "misp-worker",
            ["sweep"] + ["a0", "b", "a1", "a2"].map { folder[$0].path } + ["--out", folder["out"].path])
        #expect(run.status == 0, "\(run.errors)")
        let sweep = try JSONField(contentsOf: folder["out/sweep.json"])
        #expect(try sweep["keys"].array().map { try $0.string() } == ["objective.beta"])
        let arms = try sweep["arms"].array()
        #expect(try arms.map { try $0["settings"]["objective.beta"].string() } == ["0.1", "0.5"])
        // t(2) = 4.3027, s = 0.36056: 0.5 ± 4.3027 · 0.36056 / √3.
        let heldOut = arms[1]["measures"]["held-out loss"]
        #expect(abs(try heldOut["mean"].double() - 0.5) < 1e-12)
        #expect(abs(try heldOut["half_width"].double() - 0.8956686) < 1e-6)
        #expect(!arms[0]["measures"]["held-out loss"]["half_width"].isPresent)
        #expect(run.output.contains("0.5 ± 0.9"), "\(run.output)")
        let page = try String(contentsOf: folder["out/sweep.html"], encoding: .utf8)
        #expect(page.contains("held-out loss by objective.beta") && page.contains("<circle"))
    }

    @Test func twoRunsOfOneSettingAndSeedAreRefused() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b"] { try Self.makeRun(name, "seed: 1\n", heldOut: 1, in: folder) }
        let run = try runRanks(
            nil, "misp-worker", ["sweep", folder["a"].path, folder["b"].path, "--out", folder["out"].path])
        #expect(run.status == 2 && run.errors.contains("has the settings and the seed of"), "\(run.errors)")
        let none = try runRanks(nil, "misp-worker", ["sweep", folder.url.path, "--out", folder["out"].path])
        #expect(none.status == 2 && none.errors.contains("has no metrics.jsonl"), "\(none.errors)")
    }

    /// Two values, two seeds, then one seed more: what is there is not trained again.
    @Test(.enabled(if: isReleaseBuilt)) func theScriptTrainsEvaluatesAndGoesOn() throws {
        let folder = try TemporaryFolder()
        let model = golden("checkpoints/llama-clip-spm").path
        try Data("{\"question_id\": 1, \"image\": \"rgb.png\", \"text\": \"Is it?\", \"label\": \"yes\"}\n".utf8)
            .write(to: folder["pope.json"])
        try Data(
            """
            answers: {max_tokens: 2}
            benchmarks: [{kind: pope, questions: pope.json, images: '\(model)/images'}]

            """.utf8
        ).write(to: folder["eval.yaml"])
        func sweep(seeds: Int) throws -> ScriptRun {
            try runScript(
                "launch/sweep",
                [
                    "--config", repository.appending(path: "examples/first.yaml").path, "--set",
                    "objective.beta=0.1,0.5", "lora.targets=[q_proj,v_proj]", "--seeds", "\(seeds)", "--eval",
                    folder["eval.yaml"].path, "-n", "2", "--out", folder["out"].path,
                ])
        }
        let first = try sweep(seeds: 2)
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.errors.components(separatedBy: "evaluation").count == 5, "\(first.errors)")
        let second = try sweep(seeds: 3)
        #expect(second.status == 0, "\(second.errors)")
        #expect(second.errors.components(separatedBy: "evaluation").count == 3, "\(second.errors)")
        let arms = try JSONField(contentsOf: folder["out/sweep.json"])["arms"].array()
        #expect(arms.count == 2)
        for arm in arms {
            #expect(try arm["runs"].array().count == 3)
            #expect(try arm["measures"]["pope accuracy"]["values"].array().count == 3)
        }
        let wrong = try runScript("launch/sweep", ["--config", "nowhere.yaml"])
        #expect(wrong.status == 2 && wrong.errors.contains("--config wants a file"))
    }
}
