import Core
import Foundation
import TestSupport
import Testing

/// A checkpoint whose manifest does not vouch for all that belongs to one is none, for every reader.
@Suite(.serialized) struct CheckpointManifestTests {
    private let fixture: TrainingFixture
    private var newest: String { "out/checkpoints/step-000002" }

    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                optimizer: {learning_rate: 1e-2, groups_per_step: 8, steps: 2}
                checkpoint: {every: 1}
                lora: {r: 2}
                """, adapter: false)
        try #require(try fixture.train().status == 0)
    }

    private func manifest(_ change: (inout String) -> Void) throws {
        var text = try String(contentsOf: fixture.folder["\(newest)/manifest.json"], encoding: .utf8)
        change(&text)
        try fixture.write(text, to: "\(newest)/manifest.json")
    }

    /// Runs that read it: a training that goes on, which takes the one before, and two that were given its folder.
    private func expectRefused(_ what: String, in folder: String? = nil) throws {
        let place = fixture.folder[folder ?? newest]
        let kept = fixture.folder["kept"]
        try FileManager.default.copyItem(at: place, to: kept)
        let resumed = try fixture.train(resuming: true)
        #expect(resumed.status == 0 && resumed.errors.contains("step-000001"), "\(resumed.errors)")
        let line = resumed.errors.split(separator: "\n").first { $0.hasPrefix("passing over a damaged checkpoint: ") }
        #expect(line?.contains(what) == true, "\(what): \(resumed.errors)")
        // The run that went on has replaced it.
        try FileManager.default.removeItem(at: fixture.folder[newest])
        try? FileManager.default.removeItem(at: place)
        try FileManager.default.moveItem(at: kept, to: place)
        let options = ["--config", fixture.folder["run.yaml"].path, "--checkpoint", place.path]
        let image = fixture.checkpoint.appending(path: "images/rgb.png").path
        for command in [
            ["export", "--out", fixture.folder["merged"].path] + options,
            ["generate", "--prompt", "What?", "--image", image, "--max-tokens", "1"] + options,
        ] {
            let run = try runRanks(nil, "misp-worker", command)
            #expect(run.status == 2 && run.errors.contains(what), "\(command[0]), \(what): \(run.errors)")
        }
    }

    @Test(arguments: ["parameters.f32", "first_moment.f32", "state.json"]) func lacksAFile(name: String) throws {
        let entry = try Regex("\"\(name)\":\\{[^}]*\\},?")
        try manifest { $0 = $0.replacing(entry, with: "").replacing(",}", with: "}") }
        try expectRefused("manifest.json: lacks \(name)")
    }

    @Test func listsWhatIsNotThere() throws {
        try manifest { $0 = $0.replacing("\"files\":{", with: #""files":{"more.f32":{"bytes":4,"checksum":"0"},"#) }
        try expectRefused("more.f32: cannot be opened")
    }

    @Test func listsAFileOfAnotherFolder() throws {
        try manifest { $0 = $0.replacing("\"parameters.f32\"", with: #""../step-000001/parameters.f32""#) }
        try expectRefused("is no file of the checkpoint's folder")
    }

    /// Cut short by whoever also made the manifest fit.
    @Test func buffersOfDifferentLengths() throws {
        let file = "\(newest)/second_moment.f32"
        let short = try fixture.bytes(file).dropLast(8)
        try Data(short).write(to: fixture.folder[file])
        var checksum = Checksum()
        Data(short).withUnsafeBytes { checksum.add($0) }
        try manifest {
            $0 = $0.replacing(
                #/"second_moment.f32":\{[^}]*\}/#,
                with: #""second_moment.f32":{"bytes":\#(short.count),"checksum":"\#(checksum.hex)"}"#)
        }
        try expectRefused("of different lengths")
    }

    @Test func liesInAnotherStepsFolder() throws {
        let other = "out/checkpoints/step-000007"
        try FileManager.default.moveItem(at: fixture.folder[newest], to: fixture.folder[other])
        try expectRefused("is of step 2, but lies in step-000007", in: other)
    }
}
