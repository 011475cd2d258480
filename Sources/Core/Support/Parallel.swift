import Dispatch
import Synchronization

/// Work in parts, shared out over threads of this process.
package enum Parallel {
    /// Threads of this process, as `BLAS.setThreads` left them.
    static let all = Atomic<Int>(1)
    /// Threads that work may be shared out over here, where these are not all: 1 within a part.
    @TaskLocal package static var limit: Int?

    /// Threads that work may be shared out over here.
    static var threads: Int { limit ?? all.load(ordering: .relaxed) }

    /// Calls `body` once for each of 0..<count, on as many threads at a time as asked; each takes the next part that is
    /// left. Returns when all are done.
    ///
    /// Parts must not write what others read: the compiler cannot see that of pointers.
    static func forEach(_ count: Int, threads: Int, _ body: (Int) -> Void) {
        let threads = min(threads, count)
        guard threads > 1 else { return (0..<count).forEach(body) }
        let next = Atomic<Int>(0)
        withoutActuallyEscaping(body) { body in
            nonisolated(unsafe) let body = body
            DispatchQueue.concurrentPerform(iterations: threads) { _ in
                $limit.withValue(1) {
                    while true {
                        let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
                        if part >= count { return }
                        body(part)
                    }
                }
            }
        }
    }

    /// Below so many elements a thread costs more than it saves.
    private static let fewElements = 1 << 15

    /// Calls `body` with ranges that make up 0..<count, each but the last a multiple of `unit`, on all threads.
    ///
    /// - Parameter elements: of each of `count`, to see whether sharing pays
    @inline(__always)
    static func ranges(_ count: Int, unit: Int = 1, elements: Int, _ body: (Range<Int>) -> Void) {
        guard count * elements > fewElements, threads > 1 else { return body(0..<count) }
        inParts(count, unit: unit, body)
    }

    /// Twice as many parts as threads, since these need not be equally fast.
    private static func inParts(_ count: Int, unit: Int, _ body: (Range<Int>) -> Void) {
        let share = max(1, (count + 2 * threads * unit - 1) / (2 * threads * unit)) * unit
        forEach((count + share - 1) / share, threads: threads) { part in
            body(part * share..<min((part + 1) * share, count))
        }
    }
}
