import Core
import Foundation
import Testing
import Worker

/// All that a run.yaml has to say.
let minimalConfiguration = "model: {path: model}\ndata: {train: groups.jsonl}\n"

/// A configuration file in a folder of its own, removed at the end.
final class ConfigurationFile {
    let folder = FileManager.default.temporaryDirectory.appending(path: "misp-config-\(UUID().uuidString)")
    var url: URL { folder.appending(path: "run.yaml") }

    init(_ text: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func read(_ overrides: [String] = []) throws -> RunConfiguration {
        try RunConfiguration(contentsOf: url, overrides: overrides)
    }

    func path(_ name: String) -> String { "\(folder.path)/\(name)" }
}

/// The error of reading such a file, without the folder.
func configurationError(_ text: String, _ overrides: [String] = []) throws -> String {
    let file = try ConfigurationFile(text)
    let error = #expect(throws: MISPError.self) { try file.read(overrides) }
    return error?.description.replacing(file.folder.path + "/", with: "") ?? ""
}
