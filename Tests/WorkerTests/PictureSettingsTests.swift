import Core
import Foundation
import TestSupport
import Testing
import Worker

/// The keys of run.yaml that say how pictures are read.
@Suite struct PictureSettingsTests {
    private func read(_ model: String) throws -> RunConfiguration {
        let folder = try TemporaryFolder()
        try Data("model: {path: model\(model)}\ndata: {train: groups.jsonl}\n".utf8).write(to: folder["run.yaml"])
        return try RunConfiguration(contentsOf: folder["run.yaml"])
    }

    @Test func areReadAndWritten() throws {
        #expect(try read("").model.pictures == PictureSettings())
        let run = try read(", min_pixels: 3136, max_pixels: 200704, image_splitting: false")
        #expect(run.model.pictures == PictureSettings(least: 3136, most: 200_704, splits: false))
        let environment = RunConfiguration.Environment(
            version: "0.1.0", processor: "x", cores: 2, blas: "Haswell", ranks: 1)
        for one in [run, try read("")] {
            let folder = try TemporaryFolder()
            try Data(one.yaml(environment: environment).utf8).write(to: folder["run.yaml"])
            #expect(try RunConfiguration(contentsOf: folder["run.yaml"]).model.pictures == one.model.pictures)
        }
    }

    @Test(arguments: [
        ("min_pixels: 0", "model.min_pixels"), ("max_pixels: 100000001", "model.max_pixels"),
        ("min_pixels: many", "model.min_pixels"), ("image_splitting: 7", "model.image_splitting"),
        ("min_pixel: 7", "did you mean min_pixels?"),
    ])
    func areRefusedByName(setting: String, part: String) {
        let error = #expect(throws: MISPError.self) { _ = try read(", \(setting)") }
        #expect(error?.kind == .input && error?.description.contains(part) == true, "\(error?.description ?? "")")
    }
}
