#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Synchronization

/// Uninitialised, 64-byte aligned memory for `count` elements, given back to a pool when the last view of it goes.
///
/// A training step asks for the same sizes again and again, so from the second step on no memory is requested from
/// the system, and no page is faulted in anew.
public final class Storage<Element: Scalar>: @unchecked Sendable {
    /// The first element.
    public let base: UnsafeMutablePointer<Element>
    /// Elements asked for.
    public let count: Int
    private let bytes: Int

    /// Memory with arbitrary content, from the pool where a block of that size is free.
    public init(count: Int) {
        self.count = count
        bytes = MemoryPool.roundedSize(max(count, 1) * MemoryLayout<Element>.stride)
        base = MemoryPool.take(bytes).bindMemory(to: Element.self, capacity: max(count, 1))
    }

    deinit { MemoryPool.giveBack(UnsafeMutableRawPointer(base), bytes) }
}

/// Free blocks by size. Sizes are rounded up so that nearly equal requests share blocks.
enum MemoryPool {
    private static let free = Mutex<[Int: [UInt]]>([:])

    /// Multiples of 64 bytes below 4 KiB, of an eighth of the leading power of two above.
    static func roundedSize(_ bytes: Int) -> Int {
        let unit = max(64, 1 << max(0, Int.bitWidth - bytes.leadingZeroBitCount - 4))
        return (bytes + unit - 1) / unit * unit
    }

    static func take(_ bytes: Int) -> UnsafeMutableRawPointer {
        let reused = free.withLock { $0[bytes]?.popLast() }
        if let reused, let pointer = UnsafeMutableRawPointer(bitPattern: reused) { return pointer }
        return allocate(bytes)
    }

    /// Large blocks ask the system for large pages: fewer faults at first, fewer misses of the page table later.
    private static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
        let largePage = 2 << 20
        guard bytes >= 4 * largePage else { return .allocate(byteCount: bytes, alignment: 64) }
        let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: largePage)
        #if canImport(Glibc)
            madvise(block, bytes, Int32(MADV_HUGEPAGE))
        #endif
        return block
    }

    static func giveBack(_ pointer: UnsafeMutableRawPointer, _ bytes: Int) {
        free.withLock { $0[bytes, default: []].append(UInt(bitPattern: pointer)) }
    }

    /// Returns every free block to the system: between phases whose shapes have nothing in common.
    static func drain() {
        let blocks = free.withLock { pool in
            defer { pool = [:] }
            return pool.values.flatMap { $0 }
        }
        for block in blocks { UnsafeMutableRawPointer(bitPattern: block)?.deallocate() }
    }
}
