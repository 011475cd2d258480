import Coordinator
import Core
import Foundation

func require(_ condition: Bool, _ what: String) throws {
    if !condition { throw MISPError("wrong: \(what)", kind: .defect) }
}

/// Every call of `Communicator` with messages cut into pieces of a few bytes, then whole.
func checkCalls(_ ranks: any Communicator) throws {
    for piece in [7, 1 << 30] {
        (ranks as? MPICommunicator)?.pieceBytes = piece
        try ranks.agree { try checkMessages(ranks) }
    }
    try require(ranks.localSize <= ranks.size && ranks.localRank < ranks.localSize, "local ranks")
    try ranks.barrier()
    if ranks.rank == 0 { print("ok \(ranks.size) ranks, hosts \(ranks.hosts)") }
}

private func checkMessages(_ ranks: any Communicator) throws {
    let (rank, size) = (ranks.rank, ranks.size)
    for root in 0..<size {
        let text = Data("from \(root)".utf8)
        try require(try ranks.broadcast(rank == root ? text : Data(), from: root) == text, "broadcast")
        try require(try ranks.broadcast(Data(), from: root).isEmpty, "broadcast of nothing")
    }
    let gathered = try ranks.allGather(Data(repeating: UInt8(rank), count: 10 * rank))
    try require(gathered == (0..<size).map { Data(repeating: UInt8($0), count: 10 * $0) }, "allGather")

    var blocks = [Int32](repeating: 0, count: 3 * size)
    let block = [Int32](repeating: Int32(rank), count: 3)
    try blocks.withUnsafeMutableBytes { all in try block.withUnsafeBytes { try ranks.allGather($0, into: all) } }
    try require(blocks == (0..<size).flatMap { [Int32](repeating: Int32($0), count: 3) }, "allGather of blocks")

    // Rank r sends s bytes r·16+s to rank s: nothing to rank 0, and more to each next.
    let outgoing = (0..<size).map { [UInt8](repeating: UInt8(rank * 16 + $0), count: $0 * 5) }
    let buffers = outgoing.map { bytes in
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        buffer.copyBytes(from: bytes)
        return buffer
    }
    let incoming = (0..<size).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: rank * 5, alignment: 1) }
    defer { (buffers + incoming).forEach { $0.deallocate() } }
    try ranks.exchange(buffers.map { UnsafeRawBufferPointer($0) }, into: incoming)
    for (source, bytes) in incoming.enumerated() {
        try require(bytes.allSatisfy { $0 == UInt8(source * 16 + rank) }, "exchange")
    }

    let values = (0..<40).map { $0 % size == rank ? 1.0 / Double($0 + 1) : 0 }
    try require(try ranks.mergeDisjoint(values) == (0..<40).map { 1.0 / Double($0 + 1) }, "mergeDisjoint")
    try require(try ranks.max([Double(rank), -Double(rank)]) == [Double(size - 1), 0], "max")
}

/// Shared memory that no host has is nobody's; what there is, each reads of each.
func printMemory(_ ranks: any Communicator) throws {
    try require(try ranks.sharedMemory(bytes: 1 << 50) == nil, "a petabyte of shared memory")
    guard let memory = try ranks.sharedMemory(bytes: 1_001) else {
        if ranks.rank == 0 { print("no shared memory") }
        return
    }
    let neighbours = (0..<ranks.size).filter { ranks.hosts[$0] == ranks.hosts[ranks.rank] }
    let before = neighbours.allSatisfy { memory.block(of: $0)?.allSatisfy { $0 == 0 } == true }
    let aligned = neighbours.allSatisfy {
        memory.block(of: $0)?.baseAddress.map { UInt(bitPattern: $0) % 64 == 0 } == true
    }
    try memory.synchronize()
    memory.block(of: ranks.rank)?.initializeMemory(as: UInt8.self, repeating: UInt8(ranks.rank + 1))
    try memory.synchronize()
    let after = neighbours.allSatisfy { rank in memory.block(of: rank)?.allSatisfy { $0 == UInt8(rank + 1) } == true }
    try ranks.agree { try require(before && aligned && after, "shared memory") }
    if ranks.rank == 0 { print("shared memory of \(neighbours.count)") }
}

/// Whether each rank's waiting lets go of its core.
func printYielding(_ ranks: any Communicator) throws {
    let value = ProcessInfo.processInfo.environment["OMPI_MCA_mpi_yield_when_idle"] ?? "unset"
    let values = try ranks.allGather(Data(value.utf8)).map { String(decoding: $0, as: UTF8.self) }
    if ranks.rank == 0 { print(values.joined(separator: " ")) }
}

/// Rank `rank` fails, in the way `how`: 0 in agreed work, 1 on its own, 2 killed; the others wait for it.
func fail(_ ranks: any Communicator, _ options: Options) throws {
    let failing = ranks.rank == options["rank"] || ranks.rank == options["also"]
    let error = MISPError("rank \(ranks.rank) cannot read", at: "groups.jsonl:7", remedy: "mend it")
    switch options["how"] {
    case 0: try ranks.agree { if failing { throw error } }
    case 1: if failing { throw error }
    default: if failing { kill(getpid(), SIGKILL) }
    }
    try ranks.barrier()
    print("rank \(ranks.rank) went on")
}
