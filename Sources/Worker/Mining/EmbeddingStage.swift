import Coordinator
import Core
import Foundation

/// Computes embeddings on all ranks, each thing once: what the store has, from this run or an earlier one, is not
/// computed again.
///
/// A row is named by the content of the picture or the prompt's tokens, and by the embedder's identity. Each picture
/// goes through the model by itself, so that a row has the same bits whoever computes it beside whatever else.
final class EmbeddingStage {
    /// What became of a picture: the name of its row, or why there is none.
    typealias Outcome = Result<Digest, MISPError>

    let embedder: any Embedder
    let store: RowStore
    private let communicator: any Communicator
    private let identity: Digest
    /// Of the embedder's products.
    private let precision: Precision
    private let transparency: Transparency
    private let cause: NonFiniteCause
    /// Rows that this rank computed.
    private(set) var computed = 0

    /// Collective: the ranks share the hashing of the embedder's weights, and agree on them.
    init(
        _ embedder: any Embedder, of model: URL, store: URL, transparency: Transparency, precision: Precision,
        communicator: any Communicator
    ) throws {
        (self.transparency, self.precision) = (transparency, precision)
        cause = NonFiniteCause(folder: model)
        self.embedder = embedder
        self.communicator = communicator
        self.store = try communicator.agree { try RowStore(store) }
        let content = embedder.content
        identity = content.identity(
            Array(try AgreedInput(communicator) { InputPiece.weights(content, of: model) }.digests.dropFirst()))
    }

    /// Collective. The rows of pictures, by path in the order given.
    func pictures(_ paths: [String], _ name: String) throws -> [Outcome] {
        var progress = PhaseProgress(name, of: paths.count, isTold: communicator.rank == 0)
        return try share(paths.count) { index, add in
            let outcome = Outcome { () throws(MISPError) in try self.picture(paths[index], add) }
            progress.update(min(index + self.communicator.size, paths.count))
            return outcome
        }
    }

    /// Collective. The rows of prompts given as tokens.
    func prompts(_ tokens: [[Int32]], _ name: String = "embedding prompts") throws -> [Digest] {
        var progress = PhaseProgress(name, of: tokens.count, isTold: communicator.rank == 0)
        let shared = try share(tokens.count) { index, add in
            let key = self.key("prompt", tokens[index].withUnsafeBytes { SHA256.digest($0) })
            if self.store[key] == nil { add(key) { self.embedder.embed(tokens: tokens[index]) } }
            progress.update(min(index + self.communicator.size, tokens.count))
            return .success(key)
        }
        return try shared.map { try $0.get() }
    }

    private func picture(
        _ path: String, _ add: (Digest, () -> Matrix<Float>) -> Void
    ) throws(MISPError) -> Digest {
        try ImageDecoder.checkFile(URL(filePath: path))
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: path)
        }
        let settings = embedder.pictureSettings
        let key = key(
            (transparency == .white ? "picture over white" : "picture") + (settings.isEmpty ? "" : ", \(settings)"),
            SHA256.digest(data))
        guard store[key] == nil else { return key }
        let picture = try ImageDecoder.decode(data, at: path, transparency: transparency)
        let row: Matrix<Float>
        do throws(MISPError) { row = try embedder.embed(picture) } catch {
            throw MISPError(error.what, at: path, remedy: error.remedy)
        }
        add(key) { row }
        return key
    }

    /// A row that was computed or found before.
    func row(_ key: Digest) throws(MISPError) -> Matrix<Float> {
        guard let row = store[key] else {
            throw MISPError(
                "was damaged while it was in use", at: store.folder.relativePath, remedy: "start the command again",
                kind: .defect)
        }
        return row
    }

    /// What is not finite is never kept.
    private func finite(_ row: Matrix<Float>, _ index: Int) throws(MISPError) -> Matrix<Float> {
        if row.isFinite { return row }
        throw cause.failure("an embedding is not finite", at: "picture or prompt \(index + 1)")
    }

    private func key(_ kind: String, _ content: Digest) -> Digest {
        var hash = SHA256()
        hash.add(identity)
        if precision != .float32 { hash.add(precision.identity) }
        hash.add(kind)
        hash.add(content)
        return hash.finish()
    }

    /// Collective. `work` says what each index comes to and adds the rows that it needs; afterwards every rank knows
    /// all outcomes and has all rows.
    private func share(
        _ count: Int,
        _ work: (Int, (Digest, () -> Matrix<Float>) -> Void) -> Outcome
    ) throws -> [Outcome] {
        let (writer, outcomes) = try communicator.agree {
            let writer = RowStore.Writer(store.folder)
            var (outcomes, own) = ([Outcome](), Set<Digest>())
            try writer.flushing {
                var failure: (any Error)?
                for index in communicator.share(of: count) {
                    outcomes.append(
                        work(index) { key, row in
                            guard failure == nil, own.insert(key).inserted else { return }
                            do { try writer.add(self.finite(row(), index), for: key) } catch { failure = error }
                        })
                    if let failure { throw failure }
                    try MiningRun.endIfAsked(store.folder)
                }
            }
            computed += own.count
            return (writer, outcomes)
        }
        let names = try communicator.allGather(JSONEncoder().encode(writer.names))
        try communicator.agree {
            for name in try names.flatMap({ try JSONDecoder().decode([String].self, from: $0) }) { try store.add(name) }
        }
        return try gather(outcomes, count)
    }

    /// Collective. Every rank's outcomes in the order of the indices.
    private func gather(_ mine: [Outcome], _ count: Int) throws -> [Outcome] {
        let none = [UInt8](repeating: 0, count: 32)
        var keys = Data()
        var faults: [Int: String] = [:]
        for (place, outcome) in mine.enumerated() {
            switch outcome {
            case .success(let key): keys += key.bytes
            case .failure(let error):
                keys += none
                faults[place] = error.what
            }
        }
        let digests = try communicator.allGather(keys).map(Self.digests)
        let messages = try communicator.allGather(JSONEncoder().encode(faults)).map {
            try JSONDecoder().decode([Int: String].self, from: $0)
        }
        return (0..<count).map { index in
            let (rank, place) = (index % communicator.size, index / communicator.size)
            return messages[rank][place].map { .failure(MISPError($0)) } ?? .success(digests[rank][place])
        }
    }

    private static func digests(_ data: Data) -> [Digest] {
        stride(from: data.startIndex, to: data.endIndex, by: 32).map { Digest(bytes: data[$0..<$0 + 32]) }
    }
}
