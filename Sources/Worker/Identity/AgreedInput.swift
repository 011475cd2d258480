import Coordinator
import Core
import Foundation

/// A piece of what is read from outside: a file, or a part of one.
struct InputPiece {
    /// Of the input as a whole: `data.train`, `weights`.
    let part: String
    /// What an error names.
    let place: String
    let hash: () throws -> Digest
}

extension InputPiece {
    /// A whole file.
    init(_ part: String, file: URL) {
        self.init(part: part, place: file.relativePath) {
            let content = try MappedFile(file)
            return SHA256.digest(UnsafeRawBufferPointer(start: content.base, count: content.count))
        }
    }

    /// A model's or adapter's folder, or a checkpoint: the files that answers depend on, large ones in parts.
    static func files(of folder: URL) throws -> [InputPiece] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let known = [".safetensors", ".json", ".jinja", ".f32"]
        return try names.filter { name in known.contains { name.hasSuffix($0) } }.flatMap { name in
            let place = folder.appending(path: name)
            let values = try FileManager.default.attributesOfItem(atPath: place.resolvingSymlinksInPath().path)
            let size = (values[.size] as? Int) ?? 0
            return stride(from: 0, to: max(size, 1), by: partBytes).map { start in
                InputPiece(part: name, place: place.relativePath) {
                    let content = try MappedFile(place)
                    let range = min(start, content.count)..<min(start + partBytes, content.count)
                    return SHA256.digest(
                        UnsafeRawBufferPointer(start: content.base + range.lowerBound, count: range.count))
                }
            }
        }
    }

    private static let partBytes = 32 << 20

    /// Weights: one piece for the tensors' names and shapes, then their contents.
    static func weights(_ content: EmbedderContent, of folder: URL) -> [InputPiece] {
        let header = InputPiece(part: "weights", place: folder.relativePath) { content.identity([]) }
        return [header]
            + (0..<content.partCount).map { index in
                InputPiece(part: "weights", place: content.name(ofPart: index)) { content.digest(ofPart: index) }
            }
    }
}

/// The digests of input by its content, which is the same for every rank.
///
/// Ranks of one host that see the same files share the hashing: those of the same mount namespace and root, where a
/// path is one file. What another host, or a container on the same host, has under that path is hashed there, and
/// compared. Nothing is remembered from run to run: sizes and times can be those of other content.
struct AgreedInput {
    let pieces: [InputPiece]
    let digests: [Digest]

    /// Collective.
    ///
    /// - Throws: `AgreedFailure` with rank and host where a rank cannot read a piece, or reads another than rank 0
    init(_ communicator: any Communicator, _ make: () throws -> [InputPiece]) throws {
        let (pieces, view) = try communicator.agree {
            let pieces = try make()
            return (pieces, Self.view(of: pieces))
        }
        let views = try communicator.allGather(Data(view.bytes))
        let members = (0..<communicator.size).filter {
            communicator.hosts[$0] == communicator.hosts[communicator.rank] && views[$0] == views[communicator.rank]
        }
        self.pieces = pieces
        digests = try Self.hash(pieces, sharedBy: members, communicator)
        try compareWithFirst(communicator)
    }

    /// Of all pieces.
    var digest: Digest {
        var hash = SHA256()
        for (piece, digest) in zip(pieces, digests) {
            hash.add(piece.part)
            hash.add(digest)
        }
        return hash.finish()
    }

    /// What decides which files this process finds under the pieces' paths, beside its host.
    private static func view(of pieces: [InputPiece]) -> Digest {
        var hash = SHA256()
        hash.add((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")) ?? "")
        var root = stat()
        if stat("/", &root) == 0 { hash.add("\(root.st_dev) \(root.st_ino)") }
        for piece in pieces { hash.add("\(piece.part) \(piece.place)") }
        return hash.finish()
    }

    /// Collective. The members have the same pieces; each takes every so manyth.
    private static func hash(
        _ pieces: [InputPiece], sharedBy members: [Int], _ communicator: any Communicator
    ) throws -> [Digest] {
        func share(_ rank: Int) -> [Int] {
            guard let place = members.firstIndex(of: rank) else { return [] }
            return Array(stride(from: place, to: pieces.count, by: members.count))
        }
        var progress = PhaseProgress("reading the input", of: pieces.count, isTold: communicator.rank == 0)
        let start = ContinuousClock.now
        let mine = try communicator.agree {
            try share(communicator.rank).flatMap { index in
                try Interruption.check("while the input was read")
                Pulse.note()
                if ContinuousClock.now - start > .seconds(Progress.interval) { progress.update(index) }
                return try pieces[index].hash().bytes
            }
        }
        let incoming = (0..<communicator.size).map { rank in
            UnsafeMutableRawBufferPointer.allocate(byteCount: share(rank).count * Digest.size, alignment: 8)
        }
        defer { for buffer in incoming { buffer.deallocate() } }
        try mine.withUnsafeBytes { mine in
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            try communicator.exchange(
                (0..<communicator.size).map { members.contains($0) ? mine : nothing }, into: incoming)
        }
        var digests = [Digest?](repeating: nil, count: pieces.count)
        for rank in members {
            for (place, index) in share(rank).enumerated() {
                digests[index] = Digest(bytes: incoming[rank][place * Digest.size..<(place + 1) * Digest.size])
            }
        }
        return digests.compactMap(\.self)
    }

    private struct Seen: Codable {
        let host: String
        let parts: [String]
        let digests: Data
    }

    /// Collective. A rank that sees other input than the first one says so.
    private func compareWithFirst(_ communicator: any Communicator) throws {
        let own = Data(digest.bytes)
        let differs = try communicator.broadcast(own, from: 0) != own
        var flags = [Double](repeating: 0, count: communicator.size)
        flags[communicator.rank] = differs ? 1 : 0
        let others = try communicator.mergeDisjoint(flags).enumerated().filter { $0.element > 0 }.map(\.offset)
        guard !others.isEmpty else { return }
        let seen = Seen(
            host: Heartbeat.hostName, parts: pieces.map(\.part), digests: Data(digests.flatMap(\.bytes)))
        let told = try communicator.broadcast(JSONEncoder().encode(seen), from: 0)
        try communicator.agree {
            guard differs else { return }
            throw difference(from: try JSONDecoder().decode(Seen.self, from: told), ranks: others)
        }
    }

    private func difference(from first: Seen, ranks: [Int]) -> MISPError {
        let theirs = first.digests.count / Digest.size
        let place = pieces.indices.first { index in
            guard index < theirs, pieces[index].part == first.parts[index] else { return true }
            let start = first.digests.startIndex + index * Digest.size
            return digests[index] != Digest(bytes: first.digests[start..<start + Digest.size])
        }
        let all =
            ranks.count == 1
            ? ""
            : "; so do \(ranks.count) ranks in all: \(ranks.prefix(8).map(String.init).joined(separator: ", "))"
                + (ranks.count > 8 ? " …" : "")
        guard let place, place < theirs, pieces[place].part == first.parts[place] else {
            let part = place.map { pieces[$0].place } ?? first.parts[min(pieces.count, first.parts.count - 1)]
            return MISPError(
                "is not among the same files as rank 0 reads on host \(first.host): "
                    + "one is there on one side only\(all)",
                at: part, remedy: "give all hosts the same files")
        }
        return MISPError(
            "differs from what rank 0 reads there on host \(first.host)\(all)", at: pieces[place].place,
            remedy: "give all hosts the same files")
    }
}
