import Core
import Foundation

/// A run of one rank, without MPI.
public final class SoloCommunicator: Communicator {
    /// The only one.
    public let rank = 0
    /// One rank.
    public let size = 1
    /// One host.
    public let hosts = [0]

    /// Starts nothing.
    public init() {}

    /// Returns at once.
    public func barrier() {}

    /// Leaves the bytes as they are.
    public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {}

    /// Copies the one slice. Throws `MISPError` where its two ends differ in length.
    public func exchange(_ outgoing: [UnsafeRawBufferPointer], into incoming: [UnsafeMutableRawBufferPointer]) throws {
        guard outgoing.count == 1, incoming.count == 1, outgoing[0].count == incoming[0].count else {
            throw MISPError("the slices of an exchange do not fit together", at: "exchange", kind: .defect)
        }
        incoming[0].copyMemory(from: outgoing[0])
    }

    /// Leaves the values as they are.
    public func combine(_ values: inout [Double], _ combination: Combination) {}

    /// Nobody to share with.
    public func sharedMemory(bytes: Int) -> (any SharedMemory)? { nil }

    /// Nothing to end.
    public func finish() {}

    /// Ends this process.
    public func abort(status: Int32) -> Never { exit(status) }
}
