import Coordinator
import Core
import Foundation
import Synchronization
import Testing

@Suite struct BackgroundWorkTests {
    @Test func keepsTheOrder() throws {
        let done = Mutex<[Int]>([])
        let work = BackgroundWork("order", limit: 10)
        for index in 0..<100 { work.add(holding: 3) { done.withLock { $0.append(index) } } }
        try work.settle()
        #expect(done.withLock { $0 } == Array(0..<100))
    }

    @Test func waitsOnceTooMuchIsHeld() {
        let work = BackgroundWork("limit", limit: 10)
        let gate = DispatchSemaphore(value: 0)
        let added = Atomic<Int>(0)
        Thread.detachNewThread {
            for _ in 0..<4 {
                work.add(holding: 5) { gate.wait() }
                added.add(1, ordering: .sequentiallyConsistent)
            }
        }
        func settled(_ count: Int) -> Bool {
            for _ in 0..<200 where added.load(ordering: .sequentiallyConsistent) < count { usleep(10_000) }
            usleep(50_000)
            return added.load(ordering: .sequentiallyConsistent) == count
        }
        #expect(settled(2))
        gate.signal()
        #expect(settled(3))
        for _ in 0..<3 { gate.signal() }
        #expect(settled(4))
        work.wait()
    }

    /// A piece larger than the limit goes when nothing else is held.
    @Test func takesAPieceOfAnySize() throws {
        let work = BackgroundWork("large", limit: 10)
        for _ in 0..<3 { work.add(holding: 1_000) {} }
        try work.settle()
    }

    @Test func leavesOutWhatFollowsAFailureUpToItsBeingTold() throws {
        let done = Mutex<[Int]>([])
        let work = BackgroundWork("failure", limit: 10)
        for index in 0..<6 {
            work.add {
                if index == 2 { throw MISPError("no room") }
                done.withLock { $0.append(index) }
            }
        }
        work.wait()
        #expect(work.failureSoFar as? MISPError == MISPError("no room"))
        #expect(throws: MISPError("no room")) { try work.settle() }
        #expect(done.withLock { $0 } == [0, 1])
        work.add { done.withLock { $0.append(6) } }
        try work.settle()
        #expect(done.withLock { $0 } == [0, 1, 6])
    }
}
