import Coordinator
import Core
import Foundation

/// Names weights by their content. The ranks share the reading; the result is remembered by the files' sizes and times,
/// as billions of weights take a while.
struct WeightIdentity {
    let folder: URL
    let communicator: any Communicator

    /// Collective.
    ///
    /// - Parameter isPart: of a tensor's canonical name
    func digest(_ kind: String, of model: URL, isPart: (String) -> Bool) throws -> Digest {
        let content = try communicator.agree {
            let tensors = try TensorCatalog(folder: model).tensors.filter { isPart($0.key) }
            return try EmbedderContent(kind, folder: model, tensors: Array(tensors.values))
        }
        let note = folder.appending(path: "weights").appending(path: try communicator.agree { try name(kind, model) })
        let known = try communicator.broadcast(
            communicator.rank == 0 ? (try? Data(contentsOf: note)) ?? Data() : Data(), from: 0)
        if known.count == Digest.size { return Digest(bytes: known) }
        let digest = try Self.compute(content, communicator)
        try communicator.agree { if communicator.rank == 0 { try remember(digest, at: note) } }
        return digest
    }

    /// Collective, without a look at what is remembered.
    static func compute(_ content: EmbedderContent, _ communicator: any Communicator) throws -> Digest {
        let mine = stride(from: communicator.rank, to: content.partCount, by: communicator.size).flatMap { part in
            Pulse.note()
            return content.digest(ofPart: part).bytes
        }
        let all = try communicator.allGather(Data(mine))
        return content.identity(
            (0..<content.partCount).map { part in
                let start = part / communicator.size * Digest.size
                return Digest(bytes: all[part % communicator.size].dropFirst(start).prefix(Digest.size))
            })
    }

    private func remember(_ digest: Digest, at note: URL) throws {
        let place = note.deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        } catch {
            throw MISPError(
                "cannot be made (\(SystemReason.text(error)))", at: place.relativePath,
                remedy: "set cache.folder, or cache.enabled: false")
        }
        let partial = place.appending(path: "\(UUID().uuidString).partial")
        try FileOutput.create(partial) { output in try digest.bytes.withUnsafeBytes { try output.write($0) } }
        try FileOutput.move(partial, to: note)
    }

    /// Of a note: the files of the model as they are now.
    private func name(_ kind: String, _ model: URL) throws -> String {
        var hash = SHA256()
        hash.add(kind)
        let names = try FileManager.default.contentsOfDirectory(atPath: model.path).sorted()
        for name in names where name.hasSuffix(".safetensors") || name.hasSuffix(".json") {
            let file = model.appending(path: name).resolvingSymlinksInPath()
            let values = try FileManager.default.attributesOfItem(atPath: file.path)
            let time = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            hash.add("\(file.path) \((values[.size] as? Int) ?? 0) \(time.bitPattern)")
        }
        return hash.finish().description
    }
}
