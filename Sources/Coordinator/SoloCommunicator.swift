import Core
import Foundation

/// A run of one rank, without MPI.
public final class SoloCommunicator: Communicator {
    public let rank = 0
    public let size = 1
    public let hosts = [0]

    public init() {}

    public func barrier() {}

    public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {}

    public func exchange(_ outgoing: [UnsafeRawBufferPointer], into incoming: [UnsafeMutableRawBufferPointer]) throws {
        guard outgoing.count == 1, incoming.count == 1, outgoing[0].count == incoming[0].count else {
            throw MISPError("the slices of an exchange do not fit together", at: "exchange", kind: .defect)
        }
        incoming[0].copyMemory(from: outgoing[0])
    }

    public func combine(_ values: inout [Double], _ combination: Combination) {}

    /// Nobody to share with.
    public func sharedMemory(bytes: Int) -> (any SharedMemory)? { nil }

    public func finish() {}

    public func abort(status: Int32) -> Never { exit(status) }
}
