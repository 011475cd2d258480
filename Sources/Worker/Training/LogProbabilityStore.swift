import Core
import Foundation

/// Log-probabilities under a model that is never trained, kept on disk for later runs.
///
/// A key is the content that a batch's values are computed from: the model, the token ids and their weights, the
/// pictures. The precision and the kernel of products are part of it too, so that a run has the same bits whether it
/// computes a value or finds it.
final class LogProbabilityStore {
    private let model: Digest
    private let arithmetic: String
    private let pictures: [ImageSource: Digest]
    private let store: RowStore
    private let writer: RowStore.Writer
    /// A Double takes two places of a row; a batch has at most two sequences.
    private static let width = 4
    private var toldDamaged = 0
    private(set) var found = 0
    private(set) var computed = 0

    /// - Parameter arithmetic: what decides about last bits, as `Precision.identity` has it
    init(
        _ folder: URL, model: Digest, arithmetic: String, pictures: [ImageSource: Digest]
    ) throws(MISPError) {
        (self.model, self.arithmetic) = (model, arithmetic)
        self.pictures = pictures
        store = try RowStore(folder)
        writer = RowStore.Writer(folder)
    }

    /// A batch's values in the order of its sequences: those kept, or what `compute` gives, which is then kept.
    func values(
        of batch: GroupLayout.Batch, _ group: EncodedGroup, compute: () throws -> [Double]
    ) throws -> [Double] {
        guard batch.sequences.count * 2 <= Self.width, let key = key(batch, group) else { return try compute() }
        if let row = store[key] {
            found += 1
            return row.elements.withUnsafeBytes { bytes in
                batch.sequences.indices.map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
            }
        }
        let values = try compute()
        computed += 1
        var row = [Float](repeating: 0, count: Self.width)
        row.withUnsafeMutableBytes { bytes in
            for (index, value) in values.enumerated() {
                bytes.storeBytes(of: value, toByteOffset: 8 * index, as: Double.self)
            }
        }
        try writer.add(Matrix(1, Self.width, row), for: key)
        return values
    }

    /// Does work that asks for values; new ones are on the disk afterwards, also where it fails or is stopped.
    func flushing(_ work: () throws -> Void) throws { try writer.flushing(work) }

    /// What was found of no use there since the last call.
    func takeDamaged() -> ArraySlice<String> {
        defer { toldDamaged = store.damaged.count }
        return store.damaged.dropFirst(toldDamaged)
    }

    /// Writes what is not on the disk yet; what is asked for is written at least once a minute.
    func flush() throws { try writer.flush() }

    private func key(_ batch: GroupLayout.Batch, _ group: EncodedGroup) -> Digest? {
        var hash = SHA256()
        hash.add("misp log-probabilities 1")
        hash.add(model)
        hash.add(arithmetic)
        for prompt in batch.prompts { hash.add("\(prompt.tokens) \(prompt.imageRows.map(\.description).joined())") }
        for sequence in batch.sequences {
            let response = sequence == .rejected ? group.rejected : group.chosen
            guard let response else { return nil }
            hash.add("\(response.tokens) \(response.weights)")
        }
        for image in batch.images {
            guard let picture = pictures[image] else { return nil }
            hash.add(picture)
        }
        return hash.finish()
    }
}
