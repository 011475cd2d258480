import Core
import Foundation

/// The checkpoints of a run: folders `step-000100` of flat buffers and a small JSON state, of which the latest few
/// stay.
///
/// A buffer is one file of little-endian float32, however many ranks hold a slice of it each
/// (`OrderedReduction.slice`). Rank 0 alone reads and writes, so that hosts need no common file system. All calls are
/// collective.
public struct CheckpointStore {
    /// This rank's slice of a buffer.
    public struct Buffer {
        /// Of its file, without the ending.
        public let name: String
        /// As many floats as `OrderedReduction.slice` gives this rank.
        public let slice: UnsafeMutablePointer<Float>

        /// A slice that the caller keeps alive.
        public init(_ name: String, slice: UnsafeMutablePointer<Float>) {
            self.name = name
            self.slice = slice
        }

        fileprivate var file: String { CheckpointFolder.file(name) }
    }

    /// A checkpoint that was found whole.
    public struct Saved {
        /// Steps that were taken.
        public let step: Int
        /// What was saved beside the buffers.
        public let state: JSONField
        /// On rank 0.
        fileprivate let content: CheckpointFolder.Content?
    }

    /// Floats that travel at a time: 16 MiB.
    private static let chunk = 1 << 22
    /// Bytes that rank 0 holds of a checkpoint that is being written, before ranks wait for the disk: 2 GiB.
    private static let heldWhileWriting = 1 << 31

    /// Of all checkpoints.
    public let folder: URL
    private let communicator: any Communicator
    private let writer = BackgroundWork("checkpoint", limit: heldWhileWriting)
    private var isFirst: Bool { communicator.rank == 0 }

    /// The folder need not exist; rank 0 makes it.
    public init(_ folder: URL, communicator: any Communicator) {
        self.folder = folder
        self.communicator = communicator
    }

    /// Takes a checkpoint and returns while it is being written, under another name; when all of it is on the disk it
    /// is renamed, and what is older than the latest `keep` goes. Checkpoints of later steps, which a resumed run has
    /// left behind, go as well.
    ///
    /// - Parameter elements: of each buffer, over all ranks
    /// - Parameter best: the step of the checkpoint that stays as `best`, whatever its age; it may be this one
    /// - Parameter written: called on rank 0, on the writing thread, once the checkpoint is there
    /// - Throws: `AgreedFailure` when the checkpoint before could not be written
    public func save(
        step: Int, state: JSON, elements: Int, buffers: [Buffer], keep: Int, best: Int? = nil,
        written: @escaping () -> Void = {}
    ) throws {
        try settle()
        let draft = isFirst ? CheckpointFolder.Draft(in: folder, step: step) : nil
        write(draft) { try $0.begin(state) }
        for buffer in buffers {
            write(draft) { try $0.open(buffer.file) }
            try travel(elements) { range, chunk, memory in
                try collect(range, elements, from: buffer.slice, into: chunk)
                write(draft, holding: chunk.count * MemoryLayout<Float>.stride) { draft in
                    try withExtendedLifetime(memory) { try draft.write(UnsafeRawBufferPointer(chunk)) }
                }
            }
            write(draft) { try $0.close() }
        }
        write(draft) { [folder] draft in
            try draft.publish()
            if let best { try CheckpointFolder.point(folder, best: best) }
            try CheckpointFolder.prune(folder, after: step, keep: keep, best: best)
            written()
        }
    }

    /// Lets `best` be a checkpoint that was taken before; without one of that step there is no best one.
    public func point(best step: Int?) {
        if isFirst { writer.add { [folder] in try CheckpointFolder.point(folder, best: step) } }
    }

    /// Whether there is a checkpoint of a step. On rank 0.
    public func has(_ step: Int) -> Bool { isFirst && CheckpointFolder.has(step, in: folder) }

    private func write(
        _ draft: CheckpointFolder.Draft?, holding bytes: Int = 0,
        _ work: @escaping (CheckpointFolder.Draft) throws -> Void
    ) {
        guard let draft else { return }
        writer.add(holding: bytes) { try draft.attempt { try work(draft) } }
    }

    /// Returns when the last checkpoint is on the disk. Collective.
    /// - Throws: `AgreedFailure` when it could not be written; those before it are as they were
    public func settle() throws { try communicator.agree { try writer.settle() } }

    /// Throws on rank 0 once the checkpoint under way has failed, to be told to the others. Not collective.
    public func check() throws { if let failure = writer.failureSoFar { throw failure } }

    /// Returns when nothing is being written any more, whatever came of it. Not collective.
    public func wait() { writer.wait() }

    /// The newest whole checkpoint; nil where none is whole.
    ///
    /// - Parameters:
    ///   - buffers: names of those that it has to hold
    ///   - tell: hears, on rank 0, of newer ones that are damaged
    public func newest(buffers: [String], tell: (String) -> Void) throws -> Saved? {
        let content = isFirst ? CheckpointFolder.newest(in: folder, buffers: buffers, tell: tell) : nil
        guard try communicator.max([content == nil ? 0 : 1])[0] > 0 else { return nil }
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
            try travel(elements) { range, chunk, _ in
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

    /// Chunk by chunk; rank 0's chunk has the range's length, the others' are empty. `memory` owns the chunk.
    private func travel(
        _ elements: Int,
        _ body: (_ range: Range<Int>, _ chunk: UnsafeMutableBufferPointer<Float>, _ memory: Storage<Float>) throws ->
            Void
    ) throws {
        for start in stride(from: 0, to: elements, by: Self.chunk) {
            let range = start..<min(start + Self.chunk, elements)
            let memory = Storage<Float>(count: isFirst ? range.count : 0)
            try body(range, .init(start: memory.base, count: isFirst ? range.count : 0), memory)
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
