import Foundation

/// A file or folder of Tests/Goldens.
package func golden(_ path: String) -> URL {
    URL(filePath: #filePath).appending(path: "../../Goldens").standardized.appending(path: path)
}

/// An empty folder of its own, removed with its owner.
package final class TemporaryFolder: Sendable {
    package let url = FileManager.default.temporaryDirectory.appending(path: "misp-test-\(UUID().uuidString)")

    package init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    package subscript(name: String) -> URL { url.appending(path: name) }

    /// A file that may be run, in a folder that need not exist yet.
    package func writeProgram(_ text: String, to name: String) throws {
        let file = self[name]
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    }
}
