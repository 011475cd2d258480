import Dispatch
import Synchronization

/// Work in parts, shared out over threads of this process.
enum Parallel {
    /// Calls `body` once for each of 0..<count, on as many threads at a time as asked; each takes the next part that is
    /// left. Returns when all are done.
    static func forEach(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
        let threads = min(threads, count)
        guard threads > 1 else { return (0..<count).forEach(body) }
        let next = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
                if part >= count { return }
                body(part)
            }
        }
    }
}
