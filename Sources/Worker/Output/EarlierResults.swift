import Core
import Foundation

/// What an earlier run has left in an output folder, and a new one there would replace.
struct EarlierResults {
    private let folder: URL
    /// Files and folders that are somebody's work.
    private let found: [String]

    private static let results = ["metrics.jsonl", "eval.jsonl", "benchmarks", "adapter", "model"]
    private static let checkpoints = "checkpoints"
    /// What follows from the others.
    private static let derived = ["report.html", "tensorboard", "benchmarks.jsonl", "answers.jsonl"]

    init(_ folder: URL) {
        self.folder = folder
        let files = FileManager.default
        func isThere(_ name: String) -> Bool {
            let path = folder.appending(path: name).path
            var isFolder: ObjCBool = false
            guard files.fileExists(atPath: path, isDirectory: &isFolder) else { return false }
            if isFolder.boolValue { return !((try? files.contentsOfDirectory(atPath: path)) ?? []).isEmpty }
            return ((try? files.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0 > 0
        }
        let steps = (try? files.contentsOfDirectory(atPath: folder.appending(path: Self.checkpoints).path)) ?? []
        found =
            (steps.contains { $0.hasPrefix("step-") } ? [Self.checkpoints] : []) + Self.results.filter(isThere)
    }

    var isEmpty: Bool { found.isEmpty }

    /// `checkpoints, metrics.jsonl and adapter`.
    var description: String {
        found.count < 2
            ? found.joined() : "\(found.dropLast().joined(separator: ", ")) and \(found[found.count - 1])"
    }

    /// What has to be said to a run that would replace them and was not told to.
    var refusal: MISPError {
        MISPError(
            "holds \(description) of an earlier run, which a new one would replace", at: folder.relativePath,
            remedy: "resume it with --resume, choose another output, or let it be replaced by --overwrite")
    }

    /// Removes them, and what follows from them.
    ///
    /// - Parameter inputs: what the new run reads, by key; nothing of that may go
    func remove(sparing inputs: [(key: String, place: URL?)]) throws {
        let names = found + Self.derived
        for (key, place) in inputs {
            guard let path = place?.resolvingSymlinksInPath().path else { continue }
            for name in names {
                let going = folder.appending(path: name).resolvingSymlinksInPath().path
                guard path == going || path.hasPrefix("\(going)/") else { continue }
                throw MISPError(
                    "lies in what the run would replace: \(going)", at: key,
                    remedy: "copy it elsewhere, or choose another output")
            }
        }
        for name in names {
            let place = folder.appending(path: name)
            guard FileManager.default.fileExists(atPath: place.path) else { continue }
            do { try FileManager.default.removeItem(at: place) } catch {
                throw MISPError("cannot be removed (\(SystemReason.text(error)))", at: place.relativePath)
            }
        }
    }
}
