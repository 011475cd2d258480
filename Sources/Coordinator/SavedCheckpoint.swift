import Core
import Foundation

/// One checkpoint of a run, read by itself: no run and no other ranks are needed.
public struct SavedCheckpoint {
    /// Steps that were taken.
    public let step: Int
    /// What the run wrote beside the buffers.
    public let state: JSONField
    private let content: CheckpointFolder.Content

    /// - Parameter buffers: names of those that it has to hold
    /// - Throws: `MISPError` where the folder is no checkpoint, is not whole, or a file is not what its manifest says
    public init(_ url: URL, buffers: [String]) throws {
        content = try CheckpointFolder.read(url, buffers: buffers)
        step = content.step
        state = JSONField(content.state, file: url.appending(path: "state.json").relativePath)
    }

    /// Fills `target` with a buffer's floats.
    ///
    /// - Throws: `MISPError` where there is no such buffer, or it has another size
    public func read(_ name: String, into target: UnsafeMutableBufferPointer<Float>) throws {
        let file = try content.file(CheckpointFolder.file(name), floats: target.count)
        UnsafeMutableRawBufferPointer(target).copyMemory(
            from: UnsafeRawBufferPointer(start: file.base, count: target.count * MemoryLayout<Float>.stride))
    }
}
