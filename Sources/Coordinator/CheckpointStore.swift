import Core
import Foundation

/// The checkpoints of a run: folders `step-000100` of flat buffers and a small JSON state, of which the latest few stay.
///
/// A buffer is one file of little-endian float32, however many ranks hold a slice of it each (`OrderedReduction.slice`).
/// Rank 0 alone reads and writes, so that hosts need no common file system. All calls are collective.
public struct CheckpointStore {
    /// This rank's slice of a buffer.
    public struct Buffer {
        public let name: String
        public let slice: UnsafeMutablePointer<Float>

        public init(_ name: String, slice: UnsafeMutablePointer<Float>) {
            self.name = name
            self.slice = slice
        }

        fileprivate var file: String { "\(name).f32" }
    }

    /// A checkpoint that was found whole.
    public struct Saved {
        public let step: Int
        public let state: JSONField
        /// On rank 0.
        fileprivate let content: CheckpointFolder.Content?
    }

    /// Floats that travel at a time: 16 MiB.
    private static let chunk = 1 << 22

    public let folder: URL
    private let communicator: any Communicator
    private var isFirst: Bool { communicator.rank == 0 }

    public init(_ folder: URL, communicator: any Communicator) {
        self.folder = folder
        self.communicator = communicator
    }

    /// Writes a checkpoint under another name, renames it when all of it is on the disk, and removes what is older than
    /// the latest `keep`. Checkpoints of later steps, which a resumed run has left behind, go as well.
    ///
    /// - Parameter elements: of each buffer, over all ranks
    public func save(step: Int, state: JSON, elements: Int, buffers: [Buffer], keep: Int) throws {
        let draft = try communicator.agree { isFirst ? try CheckpointFolder.Draft(in: folder, step: step) : nil }
        try communicator.agree { try draft?.write(state) }
        for buffer in buffers {
            try communicator.agree { try draft?.open(buffer.file) }
            try travel(elements) { range, chunk in
                try collect(range, elements, from: buffer.slice, into: chunk)
                try communicator.agree { try draft?.write(UnsafeRawBufferPointer(chunk)) }
            }
            try communicator.agree { try draft?.close() }
        }
        try communicator.agree {
            try draft?.publish()
            if isFirst { try CheckpointFolder.prune(folder, after: step, keep: keep) }
        }
    }

    /// The newest whole checkpoint. `tell` hears, on rank 0, of newer ones that are damaged.
    public func newest(tell: (String) -> Void) throws -> Saved {
        let content = try communicator.agree { isFirst ? try CheckpointFolder.newest(in: folder, tell: tell) : nil }
        let text = try communicator.broadcast(Data((content?.state.description ?? "").utf8), from: 0)
        let step = try communicator.mergeDisjoint([Double(content?.step ?? 0)])[0]
        let name = CheckpointFolder.name(Int(step))
        let state = try JSON(parsing: text)
        let place = folder.appending(path: name).relativePath
        return Saved(step: Int(step), state: JSONField(state, file: place), content: content)
    }

    /// Fills the slices of all ranks.
    public func restore(_ saved: Saved, elements: Int, buffers: [Buffer]) throws {
        for buffer in buffers {
            let file = try communicator.agree { try saved.content?.file(buffer.file, floats: elements) }
            try travel(elements) { range, chunk in
                if let file {
                    let source = file.base + range.lowerBound * MemoryLayout<Float>.stride
                    UnsafeMutableRawBufferPointer(chunk).copyMemory(from: .init(start: source, count: range.count * 4))
                }
                try spread(chunk, range, elements, to: buffer.slice)
            }
        }
    }

    /// Removes every checkpoint. Returns whether there was one, on rank 0.
    @discardableResult
    public func removeAll() throws -> Bool {
        try communicator.agree { isFirst ? try CheckpointFolder.removeAll(folder) : false }
    }

    /// Chunk by chunk; rank 0's chunk has the range's length, the others' are empty.
    private func travel(
        _ elements: Int, _ body: (_ range: Range<Int>, _ chunk: UnsafeMutableBufferPointer<Float>) throws -> Void
    ) throws {
        let memory = Storage<Float>(count: isFirst ? min(elements, Self.chunk) : 0)
        for start in stride(from: 0, to: elements, by: Self.chunk) {
            let range = start..<min(start + Self.chunk, elements)
            try body(range, .init(start: memory.base, count: isFirst ? range.count : 0))
        }
    }

    /// The part of `range` that a rank owns.
    private func part(_ rank: Int, of range: Range<Int>, _ elements: Int) -> Range<Int> {
        OrderedReduction.slice(of: rank, of: communicator.size, elements: elements).clamped(to: range)
    }

    /// Where this rank's part of `range` lies in its slice.
    private func own(
        _ slice: UnsafeMutablePointer<Float>, _ range: Range<Int>, _ elements: Int
    ) -> UnsafeMutableBufferPointer<Float> {
        let start = OrderedReduction.slice(of: communicator.rank, of: communicator.size, elements: elements).lowerBound
        let part = part(communicator.rank, of: range, elements)
        return .init(start: part.isEmpty ? slice : slice + (part.lowerBound - start), count: part.count)
    }

    /// Where the ranks' parts of `range` lie in rank 0's chunk.
    private func places(
        _ chunk: UnsafeMutableBufferPointer<Float>, _ range: Range<Int>, _ elements: Int
    ) -> [UnsafeMutableBufferPointer<Float>] {
        (0..<communicator.size).map { rank in
            let part = part(rank, of: range, elements)
            guard let base = chunk.baseAddress, isFirst, !part.isEmpty else { return .init(start: nil, count: 0) }
            return .init(start: base + (part.lowerBound - range.lowerBound), count: part.count)
        }
    }

    /// This rank's part for rank 0, nothing for the others.
    private func forFirst(_ part: UnsafeMutableBufferPointer<Float>) -> [UnsafeMutableBufferPointer<Float>] {
        (0..<communicator.size).map { $0 == 0 ? part : .init(start: nil, count: 0) }
    }

    private func collect(
        _ range: Range<Int>, _ elements: Int, from slice: UnsafeMutablePointer<Float>,
        into chunk: UnsafeMutableBufferPointer<Float>
    ) throws {
        try communicator.exchange(
            forFirst(own(slice, range, elements)).map { UnsafeBufferPointer($0) }, into: places(chunk, range, elements))
    }

    private func spread(
        _ chunk: UnsafeMutableBufferPointer<Float>, _ range: Range<Int>, _ elements: Int,
        to slice: UnsafeMutablePointer<Float>
    ) throws {
        try communicator.exchange(
            places(chunk, range, elements).map { UnsafeBufferPointer($0) }, into: forFirst(own(slice, range, elements)))
    }
}
