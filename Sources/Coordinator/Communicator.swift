import Core
import Foundation

/// The ranks of a run and how bytes move between them.
///
/// An implementation supplies a handful of primitives; everything else stands on them in the extension below, and is
/// therefore the same for one rank and for many. All calls except `abort` are collective: every rank makes the same
/// calls in the same order, from its main thread.
public protocol Communicator: AnyObject {
    /// This process among `size`, counted from 0.
    var rank: Int { get }
    /// Ranks of the run.
    var size: Int { get }
    /// For each rank, its host. Hosts are numbered by their lowest rank.
    var hosts: [Int] { get }

    /// Returns when every rank has come here.
    func barrier() throws
    /// The same number of bytes on each rank; afterwards all hold the root's.
    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws
    /// All-to-all of slices of any size: `outgoing[r]` goes to rank r, `incoming[r]` takes what rank r sends here.
    /// The two ends of each pair give the same number of bytes; 0 means nothing travels.
    func exchange(_ outgoing: [UnsafeRawBufferPointer], into incoming: [UnsafeMutableRawBufferPointer]) throws
    /// Element by element over the ranks, the result on each rank. The order of a sum's additions is not fixed.
    func combine(_ values: inout [Double], _ combination: Combination) throws
    /// Memory that the ranks of one host read of each other, `bytes` of it on each rank and zero at first;
    /// nil, on every rank alike, where a host cannot give it or no host has two ranks.
    func sharedMemory(bytes: Int) throws -> (any SharedMemory)?
    /// Leaves the run in good order. Nothing may be called afterwards.
    func finish() throws
    /// Ends every rank of the run at once.
    func abort(status: Int32) -> Never
}

/// How `Communicator.combine` joins the values of the ranks.
public enum Combination: Sendable {
    /// The sum of the values, or the greatest.
    case sum, max
}

/// One block of memory per rank of a host, each readable by the host's other ranks.
public protocol SharedMemory: AnyObject {
    /// The block of `rank`, which must be on this host; aligned to 64 bytes.
    func block(of rank: Int) -> UnsafeMutableRawBufferPointer?
    /// What each rank of the host wrote before is visible to all of them after. Collective within the host.
    func synchronize() throws
    /// Collective over all ranks; the blocks are gone afterwards. `Communicator.finish` does it for blocks still held.
    func free() throws
}

extension Communicator {
    /// Of `count` parts of equal cost, dealt out one by one over the ranks, those of this one.
    public func share(of count: Int) -> StrideTo<Int> { stride(from: rank, to: count, by: size) }
}

extension Communicator {
    /// This rank's number within its host.
    public var localRank: Int { (0..<rank).count { hosts[$0] == hosts[rank] } }
    /// The number of ranks on this rank's host.
    public var localSize: Int { hosts.count { $0 == hosts[rank] } }
    /// Hosts of the run.
    public var hostCount: Int { (hosts.max() ?? 0) + 1 }

    /// The sum over the ranks where each element is nonzero on at most one rank: exact, whatever the order.
    public func mergeDisjoint(_ values: [Double]) throws -> [Double] {
        var merged = values
        try combine(&merged, .sum)
        return merged
    }

    /// The greatest of each element over the ranks.
    public func max(_ values: [Double]) throws -> [Double] {
        var greatest = values
        try combine(&greatest, .max)
        return greatest
    }

    /// The root's data on every rank; the other ranks' argument is not looked at.
    public func broadcast(_ data: Data, from root: Int) throws -> Data {
        let count = try mergeDisjoint([rank == root ? Double(data.count) : 0])[0]
        var result = rank == root ? data : Data(count: Int(count))
        if count > 0 {
            try result.withUnsafeMutableBytes { try broadcast($0, from: root) }
        }
        return result
    }

    /// Every rank's data, by rank, on every rank.
    public func allGather(_ data: Data) throws -> [Data] {
        var counts = [Double](repeating: 0, count: size)
        counts[rank] = Double(data.count)
        counts = try mergeDisjoint(counts)
        var offsets = [0]
        for count in counts { offsets.append(offsets[offsets.count - 1] + Int(count)) }
        var all = Data(count: offsets[size])
        try all.withUnsafeMutableBytes { whole in
            try data.withUnsafeBytes { mine in
                try exchange(
                    Array(repeating: mine, count: size),
                    into: (0..<size).map { .init(rebasing: whole[offsets[$0]..<offsets[$0 + 1]]) })
            }
        }
        return (0..<size).map { all.subdata(in: offsets[$0]..<offsets[$0 + 1]) }
    }

    /// Blocks of the same size from every rank, in the order of the ranks: `all` is `size` times as long as `block`.
    public func allGather(_ block: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws {
        guard all.count == size * block.count else {
            throw MISPError(
                "gathering \(size) blocks of \(block.count) bytes into \(all.count)", at: "allGather", kind: .defect)
        }
        try exchange(
            Array(repeating: block, count: size),
            into: (0..<size).map { .init(rebasing: all[$0 * block.count..<($0 + 1) * block.count]) })
    }

    /// `exchange` of typed slices.
    public func exchange<Element: BitwiseCopyable>(
        _ outgoing: [UnsafeBufferPointer<Element>], into incoming: [UnsafeMutableBufferPointer<Element>]
    ) throws {
        try exchange(
            outgoing.map { UnsafeRawBufferPointer($0) }, into: incoming.map { UnsafeMutableRawBufferPointer($0) })
    }
}

extension SharedMemory {
    /// The block of `rank` as floats.
    func floats(of rank: Int) -> UnsafeMutablePointer<Float>? {
        block(of: rank)?.baseAddress?.assumingMemoryBound(to: Float.self)
    }
}
