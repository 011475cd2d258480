import Core
import Foundation

/// Folders for results.
enum OutputFolder {
    /// With what leads to it; nothing happens where it is there.
    static func make(_ folder: URL, remedy: String = "choose another output") throws(MISPError) {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw MISPError(
                "cannot be made (\(SystemReason.text(error)))", at: folder.relativePath, remedy: remedy)
        }
    }
}
