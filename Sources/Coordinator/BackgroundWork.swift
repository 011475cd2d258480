import Foundation

/// Pieces of work done one after the other on a thread of their own, while the caller goes on.
///
/// Work that waits holds memory. So `add` waits in turn once that passes a limit: what is too large to be held at once
/// goes through at the pace of the work.
package final class BackgroundWork: @unchecked Sendable {
    private let queue: DispatchQueue
    private let limit: Int
    private let condition = NSCondition()
    // Under `condition`.
    private var held = 0
    private var unfinished = 0
    private var failure: (any Error)?

    /// - Parameter limit: bytes that pieces may hold together before `add` waits.
    package init(_ name: String, limit: Int) {
        queue = DispatchQueue(label: name, qos: .utility)
        self.limit = limit
    }

    /// Hands over a piece that holds so many bytes until it is done. After a piece has failed, the later ones are left
    /// out, up to the next `settle`.
    package func add(holding bytes: Int = 0, _ work: @escaping () throws -> Void) {
        condition.withLock {
            while held > 0, held + bytes > limit { condition.wait() }
            held += bytes
            unfinished += 1
        }
        let piece = Piece(work: work)
        queue.async { self.run(piece, bytes) }
    }

    private func run(_ piece: Piece, _ bytes: Int) {
        var met: (any Error)?
        if failureSoFar == nil {
            do { try piece.work() } catch { met = error }
        }
        // Before others hear that it is done: what the piece holds goes with it.
        piece.work = {}
        condition.withLock {
            if let met { failure = met }
            held -= bytes
            unfinished -= 1
            condition.broadcast()
        }
    }

    /// What the first piece to fail since the last `settle` threw. Does not wait.
    package var failureSoFar: (any Error)? { condition.withLock { failure } }

    /// Returns when all pieces are done.
    package func wait() {
        condition.withLock { while unfinished > 0 { condition.wait() } }
    }

    /// Waits, and throws what the first piece to fail threw; once.
    package func settle() throws {
        wait()
        let met = condition.withLock {
            defer { failure = nil }
            return failure
        }
        if let met { throw met }
    }

    private final class Piece: @unchecked Sendable {
        var work: () throws -> Void

        init(work: @escaping () throws -> Void) { self.work = work }
    }
}
