import Core
import Foundation

/// Folders for results.
enum OutputFolder {
    static func make(_ folder: URL) throws(MISPError) {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw MISPError(
                "cannot be made (\(SystemReason.text(error)))", at: folder.relativePath,
                remedy: "choose another output")
        }
    }
}
