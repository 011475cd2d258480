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
}
