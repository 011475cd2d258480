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
///
/// Groups of different lengths ask for different sizes. So that blocks of all of them do not pile up, what is in use
/// and what is free together stay near the most that was ever in use: blocks of the size that was asked for longest ago
/// go back to the system first.
package enum MemoryPool {
    private struct Blocks {
        var free: [UInt] = []
        /// When one was last asked for.
        var lastUse = 0
    }

    private struct State {
        var blocks: [Int: Blocks] = [:]
        /// Bytes in use, the most that ever were, and bytes of free blocks.
        var (used, mostUsed, free) = (0, 0, 0)
        var clock = 0

        /// A free block of that size, which is in use from now on.
        mutating func take(_ bytes: Int) -> UInt? {
            clock += 1
            used += bytes
            mostUsed = max(mostUsed, used)
            blocks[bytes, default: Blocks()].lastUse = clock
            guard let block = blocks[bytes]?.free.popLast() else { return nil }
            free -= bytes
            return block
        }

        /// Free blocks that are too many.
        mutating func excess() -> [(block: UInt, bytes: Int)] {
            var excess: [(UInt, Int)] = []
            while used + free > mostUsed + mostUsed / 8 + MemoryPool.slack,
                let size = blocks.filter({ !$0.value.free.isEmpty }).min(by: { $0.value.lastUse < $1.value.lastUse })?
                    .key,
                let block = blocks[size]?.free.popLast()
            {
                free -= size
                excess.append((block, size))
            }
            return excess
        }
    }

    /// Free bytes that are always kept.
    private static let slack = 16 << 20
    private static let state = Mutex(State())

    /// The most bytes of matrices that were ever in use at once in this process.
    package static var mostUsed: Int { state.withLock { $0.mostUsed } }

    /// Multiples of 64 bytes below 4 KiB, of an eighth of the leading power of two above.
    static func roundedSize(_ bytes: Int) -> Int {
        let unit = max(64, 1 << max(0, Int.bitWidth - bytes.leadingZeroBitCount - 4))
        return (bytes + unit - 1) / unit * unit
    }

    static func take(_ bytes: Int) -> UnsafeMutableRawPointer {
        let (reused, excess) = state.withLock { state -> (UInt?, [(block: UInt, bytes: Int)]) in
            let block = state.take(bytes)
            return (block, block == nil ? state.excess() : [])
        }
        for (block, size) in excess {
            if let pointer = UnsafeMutableRawPointer(bitPattern: block) { deallocate(pointer, size) }
        }
        if let reused, let pointer = UnsafeMutableRawPointer(bitPattern: reused) { return pointer }
        return allocate(bytes)
    }

    /// Blocks from this size on are the system's, page by page. In the heap, what is given back below a block in use
    /// would stay with the process, and groups of different lengths would leave it full of holes.
    private static let leastMapped = 1 << 18

    /// Large blocks ask the system for large pages: fewer faults at first, fewer misses of the page table later.
    private static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
        guard bytes >= leastMapped else { return .allocate(byteCount: bytes, alignment: 64) }
        let (largePage, wantsLarge) = (2 << 20, bytes >= 2 << 20)
        let room = wantsLarge ? bytes + largePage : bytes
        let protection = PROT_READ | PROT_WRITE
        guard let start = mmap(nil, room, protection, MAP_PRIVATE | MAP_ANON, -1, 0), start != MAP_FAILED else {
            // Where there is no memory the program ends, here as in the heap.
            preconditionFailure("no memory for \(bytes) bytes")
        }
        guard wantsLarge else { return start }
        let block = start.alignedUp(toMultipleOf: largePage)
        let (before, after) = (block - start, largePage - (block - start))
        if before > 0 { munmap(start, before) }
        if after > 0 { munmap(block + bytes, after) }
        #if canImport(Glibc)
            madvise(block, bytes, Int32(MADV_HUGEPAGE))
        #endif
        return block
    }

    private static func deallocate(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
        if bytes >= leastMapped { munmap(block, bytes) } else { block.deallocate() }
    }

    static func giveBack(_ pointer: UnsafeMutableRawPointer, _ bytes: Int) {
        state.withLock { state in
            state.used -= bytes
            state.free += bytes
            state.blocks[bytes, default: Blocks()].free.append(UInt(bitPattern: pointer))
        }
    }
}
