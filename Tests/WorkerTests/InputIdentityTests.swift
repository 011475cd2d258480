import Core
import Foundation
import TestSupport
import Testing

#if os(Linux)
    /// Whether a rank can be given mounts and a host name of its own.
    private let hasNamespaces =
        (try? {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["unshare", "-mu", "hostname", "misp-far"]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus == 0
        }()) ?? false
#else
    private let hasNamespaces = false
#endif

/// A run knows what it reads by its content: on every rank, and when it is gone on with.
@Suite(.serialized) struct InputIdentityTests {
    private let fixture: TrainingFixture

    /// A project in a folder `a`, with a model, pictures and an adapter of its own.
    init() throws {
        fixture = try TrainingFixture("llama-clip-spm", settings: "", adapter: false)
        try FileManager.default.createDirectory(at: fixture.folder["a"], withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: fixture.checkpoint, to: fixture.folder["a/model"])
        try fixture.write(
            """
            model: {path: model, adapter: model/adapter-init}
            data: {train: model/groups.jsonl, images: model}
            checkpoint: {every: 1}
            optimizer: {learning_rate: 1e-3, groups_per_step: 4, steps: 3}
            """, to: "a/run.yaml")
    }

    private func train(_ project: String, ranks: Int? = nil, _ arguments: String...) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker", ["train", "--config", fixture.folder["\(project)/run.yaml"].path] + arguments)
    }

    /// As if it had been stopped after step 2.
    private func cut(_ project: String) throws {
        for part in ["checkpoints/step-000003", "adapter"] {
            try FileManager.default.removeItem(at: fixture.folder["\(project)/runs/run/\(part)"])
        }
    }

    private func copy(_ project: String) throws {
        try FileManager.default.copyItem(at: fixture.folder["a"], to: fixture.folder[project])
    }

    /// Changes a byte and leaves size and time as they were.
    private func change(_ file: String, _ change: (inout Data) -> Void) throws {
        let place = fixture.folder[file]
        let time = try FileManager.default.attributesOfItem(atPath: place.path)[.modificationDate] as? Date
        var bytes = try Data(contentsOf: place)
        change(&bytes)
        try bytes.write(to: place)
        try FileManager.default.setAttributes([.modificationDate: try #require(time)], ofItemAtPath: place.path)
    }

    @Test func aMovedProjectGoesOnAndAChangedOneDoesNot() throws {
        #expect(try train("a").status == 0)
        let adapter = "runs/run/adapter/adapter_model.safetensors"
        let whole = try fixture.bytes("a/\(adapter)")
        try cut("a")
        try copy("moved")
        let moved = try train("moved", ranks: 2, "--resume")
        #expect(moved.status == 0 && moved.errors.contains("step-000002"), "\(moved.errors)")
        #expect(try fixture.bytes("moved/\(adapter)") == whole)

        for (index, (file, part)) in [
            ("model.safetensors", "weights"), ("images/rgb.png", "pictures"), ("groups.jsonl", "data.train"),
            ("tokenizer.json", "model.path"), ("preprocessor_config.json", "model.path"),
            ("adapter-init/adapter_model.safetensors", "model.adapter"),
        ].enumerated() {
            let project = "changed\(index)"
            try copy(project)
            try change("\(project)/model/\(file)") { bytes in
                switch file {
                case "images/rgb.png":
                    bytes = (try? Data(contentsOf: fixture.folder["a/model/images/tall.jpg"])) ?? bytes
                case _ where file.hasSuffix(".safetensors"): bytes[bytes.count - 3] ^= 1
                default: bytes.append(UInt8(ascii: " "))
                }
            }
            let refused = try train(project, ranks: index == 1 ? 2 : nil, "--resume")
            #expect(refused.status == 2, "\(file): \(refused.errors)")
            let place = refused.errors.split(separator: "\n").first { $0.hasPrefix("misp: \(part): ") } ?? ""
            #expect(place.contains("/\(file): "), "\(refused.errors)")
            #expect(place.contains("is not what it was when") && place.contains("--resume-on-other-input"))
            let accepted = try train(project, "--resume-on-other-input")
            #expect(
                accepted.status == 0 && accepted.errors.contains("resuming although \(part): "), "\(accepted.errors)")
        }
    }

    /// Files that come and go, and a checkpoint that says nothing.
    @Test func whatCannotBeComparedIsSaid() throws {
        #expect(try train("a").status == 0)
        try cut("a")
        for (project, name) in [("more", "added_tokens.json"), ("less", "tokenizer_config.json")] {
            try copy(project)
            let file = fixture.folder["\(project)/model/\(name)"]
            if project == "more" {
                try Data("{}".utf8).write(to: file)
            } else {
                try FileManager.default.removeItem(at: file)
            }
            let run = try train(project, "--resume")
            let how = project == "more" ? "is there, but was not when" : "is not there, but was when"
            #expect(run.status == 2 && run.errors.contains("misp: model.path: \(name): \(how)"), "\(run.errors)")
        }
        try copy("silent")
        let folder = "silent/runs/run/checkpoints/step-000002"
        let state = try String(contentsOf: fixture.folder["\(folder)/state.json"], encoding: .utf8)
        let silent = state.replacing(#/"input":\{.*?\}\},/#, with: "")
        #expect(silent != state)
        try rewrite(folder, state: silent)
        let run = try train("silent", "--resume")
        #expect(
            run.status == 2 && run.errors.contains("does not say which rows, pictures and weights"), "\(run.errors)")
        #expect(try train("silent", "--resume-on-other-input").status == 0)
    }

    /// A checkpoint with another state that its manifest vouches for.
    private func rewrite(_ folder: String, state: String) throws {
        try fixture.write(state, to: "\(folder)/state.json")
        var checksum = Core.Checksum()
        Data(state.utf8).withUnsafeBytes { checksum.add($0) }
        let manifest = try String(contentsOf: fixture.folder["\(folder)/manifest.json"], encoding: .utf8)
        let entry = #""state.json":{"bytes":\#(state.utf8.count),"checksum":"\#(checksum.hex)"}"#
        try fixture.write(
            manifest.replacing(#/"state.json":\{[^}]*\}/#, with: entry), to: "\(folder)/manifest.json")
    }

    /// Starts two ranks, of which the second runs `script` first, in namespaces of its own.
    private func train(second script: String) throws -> RankRun {
        let worker = try builtProduct("misp-worker").path
        let arguments = ["train", "--config", fixture.folder["a/run.yaml"].path]
        return try runRanks(
            1, "misp-worker",
            arguments + [":", "-n", "1", "unshare", "-mu", "sh", "-c", "\(script) && exec \"$@\"", "sh", worker]
                + arguments)
    }

    @Test(
        .enabled(if: hasNamespaces, "needs root and namespaces"),
        arguments: ["groups.jsonl", "images/rgb.png", "model.safetensors", "tokenizer.json"])
    func aRankThatSeesOtherFilesIsNamed(file: String) throws {
        try FileManager.default.copyItem(at: fixture.folder["a/model"], to: fixture.folder["stale"])
        try change("stale/\(file)") { bytes in
            switch file {
            case "images/rgb.png": bytes = (try? Data(contentsOf: fixture.folder["stale/images/tall.jpg"])) ?? bytes
            case "model.safetensors": bytes[bytes.count - 3] ^= 1
            default: bytes.append(10)
            }
        }
        let mount = "mount --bind '\(fixture.folder["stale"].path)' '\(fixture.folder["a/model"].path)'"
        let run = try train(second: mount)
        #expect(run.status == 2, "\(run.errors)")
        #expect(
            run.errors.contains("/\(file)") && run.errors.contains("differs from what rank 0 reads"), "\(run.errors)")
        #expect(run.errors.contains("(rank 1, host "), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["a/runs"].path))
    }

    @Test(.enabled(if: hasNamespaces, "needs root and namespaces")) func otherViewsOfTheSameFilesAreTheSame() throws {
        let run = try train(second: "mount --bind /mnt /mnt")
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test(
        .enabled(if: hasNamespaces, "needs root and namespaces"),
        arguments: [
            "mount -t tmpfs x MODEL", "mount -t tmpfs x MODEL/images", "mount --bind /dev/null MODEL/groups.jsonl",
        ])
    func whatIsMissingOnOneHostNamesIt(script: String) throws {
        let mount = script.replacing("MODEL", with: "'\(fixture.folder["a/model"].path)'")
        let run = try train(second: "hostname misp-far && \(mount)")
        #expect(run.status == 2, "\(run.errors)")
        #expect(run.errors.contains("(rank 1, host misp-far)"), "\(run.errors)")
    }

    /// Settings of which every rank reads its own.
    @Test func ranksWithOtherConfigurationsAreNamed() throws {
        let arguments = ["train", "--config", fixture.folder["a/run.yaml"].path, "--set", "optimizer.steps=2"]
        for (other, key) in [
            ("seed=4", "seed"), ("objective.beta=0.2", "objective.beta"), ("checkpoint.every=2", "checkpoint.every"),
        ] {
            let run = try runRanks(
                1, "misp-worker",
                arguments + [":", "-n", "1", try builtProduct("misp-worker").path] + arguments + [other])
            #expect(run.status == 2 && run.errors.contains("misp: \(key): is "), "\(run.errors)")
            #expect(run.errors.contains("but differs on rank 0: ") && run.errors.contains("(rank 1, host "))
        }
    }
}
