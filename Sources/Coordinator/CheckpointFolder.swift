import Core
import Foundation

/// Checkpoints as folders on a disk: what is in one, how it comes to be, and which is the newest whole one.
enum CheckpointFolder {
    /// Of the layout that `Draft` writes.
    private static let format = 1
    private static let manifest = "manifest.json"
    private static let state = "state.json"
    private static let prefix = "step-"
    /// A link to the checkpoint that did best on held-out groups.
    private static let best = "best"
    /// What a folder is called that is not whole yet, or not any more.
    private static let partial = ".partial"

    static func name(_ step: Int) -> String {
        let digits = String(step)
        return prefix + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    private static func names(in folder: URL) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    }

    /// The steps of which there are checkpoints, whole or damaged, latest first.
    private static func steps(in folder: URL) -> [Int] {
        names(in: folder).filter { $0.hasPrefix(prefix) }.compactMap { Int($0.dropFirst(prefix.count)) }.sorted(by: >)
    }

    /// A checkpoint whose files are as its manifest says, and are all there.
    struct Content {
        let step: Int
        let state: JSON
        fileprivate let url: URL

        /// A buffer's file, mapped.
        func file(_ name: String, floats: Int) throws -> MappedFile {
            let file = try MappedFile(url.appending(path: name))
            guard file.count == floats * MemoryLayout<Float>.stride else {
                throw MISPError("holds \(file.count / 4) floats of \(floats)", at: file.path)
            }
            return file
        }
    }

    /// Nil where no checkpoint is whole.
    ///
    /// - Parameter buffers: names of those that a checkpoint has to hold
    static func newest(in folder: URL, buffers: [String], tell: (String) -> Void) -> Content? {
        for step in steps(in: folder) {
            do {
                return try read(folder.appending(path: name(step)), buffers: buffers)
            } catch {
                tell("passing over a damaged checkpoint: \(error)")
            }
        }
        return nil
    }

    /// - Throws: where a file is missing, is not vouched for, or is not what was written; where buffers differ in
    ///   length; and where the folder's name is that of another step, or of a checkpoint that is not whole
    static func read(_ url: URL, buffers: [String]) throws -> Content {
        guard FileManager.default.fileExists(atPath: url.appending(path: manifest).path) else {
            throw MISPError(
                "is no checkpoint: there is no \(manifest) in it", at: url.relativePath,
                remedy: "give a folder such as runs/first/checkpoints/step-000100")
        }
        let manifest = try JSONField(contentsOf: url.appending(path: manifest))
        let format = try manifest["format"].int()
        guard format == Self.format else { throw manifest["format"].failure("is \(format), not \(Self.format)") }
        let step = try manifest["step"].int()
        let folder = url.lastPathComponent
        guard step >= 0, !folder.hasPrefix(prefix) || folder == name(step) else {
            throw MISPError("is of step \(step), but lies in \(folder)", at: manifest.file)
        }
        let files = manifest["files"]
        for name in try files.object().keys {
            guard !name.contains("/") else { throw files[name].failure("is no file of the checkpoint's folder") }
            let file = try MappedFile(url.appending(path: name))
            guard try file.count == files[name]["bytes"].int(),
                try Checksum.of(file) == files[name]["checksum"].string()
            else { throw MISPError("is not what was written", at: file.path) }
        }
        for name in [state] + buffers.map(file) where !files[name].isPresent {
            throw MISPError("lacks \(name)", at: manifest.file)
        }
        guard Set(try buffers.map { try files[file($0)]["bytes"].int() }).count <= 1 else {
            throw files.failure("lists \(buffers.joined(separator: ", ")) of different lengths")
        }
        return Content(step: step, state: try JSON(contentsOf: url.appending(path: state)), url: url)
    }

    /// Of a buffer.
    static func file(_ buffer: String) -> String { "\(buffer).f32" }

    /// Removes checkpoints of steps after `step`, and before it all but `keep` less the one of `step`; and what an
    /// abrupt end left half written.
    ///
    /// - Parameter best: the step of one that stays
    static func prune(_ folder: URL, after step: Int, keep: Int, best: Int?) throws {
        let steps = steps(in: folder)
        for old in steps.filter({ $0 > step }) + steps.filter({ $0 < step }).dropFirst(keep - 1) where old != best {
            try remove(old, in: folder)
        }
        for name in names(in: folder) where name.hasPrefix(prefix) && name.hasSuffix(partial) {
            try delete(folder.appending(path: name))
        }
    }

    /// Lets `best` be the checkpoint of a step, in place of another's; nil, or a step without one, ends that.
    static func point(_ folder: URL, best step: Int?) throws {
        let (link, draft) = (folder.appending(path: best), folder.appending(path: best + partial))
        unlink(draft.path)
        guard let step, has(step, in: folder) else {
            unlink(link.path)
            return
        }
        guard symlink(name(step), draft.path) == 0 else {
            throw MISPError("cannot be made (\(String(cString: strerror(errno))))", at: link.relativePath)
        }
        try FileOutput.move(draft, to: link)
        try FileOutput.synchronize(folder: folder)
    }

    static func has(_ step: Int, in folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: name(step)).appending(path: manifest).path)
    }

    static func removeAll(_ folder: URL) throws -> Bool {
        unlink(folder.appending(path: best).path)
        let steps = steps(in: folder)
        for step in steps { try remove(step, in: folder) }
        return !steps.isEmpty
    }

    /// By way of another name, so that no half of it is ever taken for a checkpoint.
    private static func remove(_ step: Int, in folder: URL) throws {
        let (old, parting) = (folder.appending(path: name(step)), folder.appending(path: name(step) + partial))
        try delete(parting)
        guard FileManager.default.fileExists(atPath: old.path) else { return }
        try FileOutput.move(old, to: parting)
        try delete(parting)
    }

    private static func delete(_ url: URL) throws {
        guard FileManager.default.fileExists(atPath: url.path) else { return }
        do { try FileManager.default.removeItem(at: url) } catch {
            throw MISPError("cannot be removed (\(SystemReason.text(error)))", at: url.relativePath)
        }
    }
}

extension CheckpointFolder {
    /// A checkpoint that is being written.
    final class Draft {
        private let folder: URL
        private let url: URL
        private let step: Int
        private var files = JSON.Object()
        private var current: (name: String, output: FileOutput, checksum: Checksum, bytes: Int)?

        init(in folder: URL, step: Int) {
            self.folder = folder
            self.step = step
            url = folder.appending(path: name(step) + partial)
        }

        /// Does a part of the writing. When it fails the draft goes, which may give a full disk room again.
        func attempt(_ part: () throws -> Void) throws {
            do { try part() } catch {
                current = nil
                try? delete(url)
                throw MISPError(
                    "the checkpoint of step \(step) cannot be written (\(error))", at: folder.relativePath,
                    remedy:
                        "those before it are as they were: make room there, or make it writable, and resume with "
                        + "--resume"
                )
            }
        }

        /// Makes the folder, and in it the state.
        func begin(_ state: JSON) throws {
            try delete(url)
            do { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) } catch {
                throw MISPError("cannot be made (\(SystemReason.text(error)))", at: url.relativePath)
            }
            try open(CheckpointFolder.state)
            try Array("\(state)\n".utf8).withUnsafeBytes { try write($0) }
            try close()
        }

        /// Begins a file; `write` adds to it and `close` ends it.
        func open(_ name: String) throws {
            current = (name, try FileOutput(url.appending(path: name)), Checksum(), 0)
        }

        func write(_ bytes: UnsafeRawBufferPointer) throws {
            try current?.output.write(bytes)
            current?.checksum.add(bytes)
            current?.bytes += bytes.count
        }

        func close() throws {
            guard let current else { return }
            try current.output.synchronize()
            files[current.name] = ["bytes": .integer(current.bytes), "checksum": .string(current.checksum.hex)]
            self.current = nil
        }

        /// Writes the manifest and gives the checkpoint its name, in place of a damaged one if there is one.
        func publish() throws {
            let text: JSON = [
                "format": .integer(format), "step": .integer(step), "files": .object(files),
            ]
            try FileOutput.write("\(text)\n", to: url.appending(path: manifest))
            try FileOutput.synchronize(folder: url)
            let target = folder.appending(path: name(step))
            try delete(target)
            try FileOutput.move(url, to: target)
            try FileOutput.synchronize(folder: folder)
        }
    }
}
