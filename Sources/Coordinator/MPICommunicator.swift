import CMPI
import Core
import Foundation

/// The ranks that `mpirun` or `srun` started, over MPI. Works without a launcher too, as one rank.
///
/// There is one per process: MPI starts once and does not start again.
public final class MPICommunicator: Communicator {
    /// In MPI_COMM_WORLD.
    public let rank: Int
    /// Of MPI_COMM_WORLD.
    public let size: Int
    /// By rank; ranks that can share memory are of one host, unless `ranksPerHost` divides them.
    public let hosts: [Int]

    /// MPI counts in 32-bit integers, so larger messages travel in pieces.
    package var pieceBytes = 1 << 30
    private let world: MPI_Comm
    /// The ranks of this host.
    private let local: MPI_Comm
    private var windows: [MPISharedMemory] = []

    /// Starts MPI.
    /// - Parameter ranksPerHost: takes each so many ranks of a host for a host of their own, so that one machine can
    ///   stand for several; nil leaves the hosts as they are.
    /// - Throws: `MISPError` when MPI refuses, or sees one rank where the launcher started more.
    public init(ranksPerHost: Int? = nil) throws {
        LaunchEnvironment.yieldWhenCrowded()
        try Self.initialize()
        world = misp_comm_world()
        try check(MPI_Comm_set_errhandler(world, misp_errors_return()), "MPI_Comm_set_errhandler")
        var number: Int32 = 0
        try check(MPI_Comm_rank(world, &number), "MPI_Comm_rank")
        rank = Int(number)
        try check(MPI_Comm_size(world, &number), "MPI_Comm_size")
        size = Int(number)
        let launched = LaunchEnvironment.current.ranks ?? 1
        guard size > 1 || launched == 1 else {
            throw MISPError(
                "the launcher started \(launched) ranks, but each of them is alone in its MPI", at: "MPI_Init",
                remedy: "start with the mpirun of the MPI that this program is linked with, under Slurm `--mpi=pmix`")
        }
        local = try Self.localCommunicator(of: world, rank: rank, ranksPerHost: ranksPerHost)
        hosts = try Self.hosts(of: world, local: local, rank: rank, size: size)
    }

    /// MPI's name and version, as it states them; needs no communicator.
    public static var libraryVersion: String {
        var text = [CChar](repeating: 0, count: Int(misp_max_version_string()))
        var length: Int32 = 0
        guard MPI_Get_library_version(&text, &length) == MPI_SUCCESS else { return "MPI of unknown version" }
        return String(decoding: text.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func initialize() throws {
        var already: Int32 = 0
        try check(MPI_Initialized(&already), "MPI_Initialized")
        guard already == 0 else { throw MISPError("MPI was started twice", at: "MPI_Init", kind: .defect) }
        var provided: Int32 = 0
        try check(MPI_Init_thread(nil, nil, misp_thread_funneled(), &provided), "MPI_Init_thread")
        guard provided >= misp_thread_funneled() else {
            throw MISPError(
                "this MPI does not allow its calls from a program with threads", at: "MPI_Init_thread",
                remedy: "use an MPI built with thread support")
        }
    }

    private static func localCommunicator(of world: MPI_Comm, rank: Int, ranksPerHost: Int?) throws -> MPI_Comm {
        var local: MPI_Comm? = misp_comm_null()
        try check(
            MPI_Comm_split_type(world, misp_comm_type_shared(), Int32(rank), misp_info_null(), &local),
            "MPI_Comm_split_type")
        if let ranksPerHost, let whole = local {
            var part: MPI_Comm? = misp_comm_null()
            try check(MPI_Comm_split(whole, Int32(rank / ranksPerHost), Int32(rank), &part), "MPI_Comm_split")
            local = part
        }
        guard let local else { throw MISPError("MPI gave no communicator", at: "MPI_Comm_split", kind: .defect) }
        try check(MPI_Comm_set_errhandler(local, misp_errors_return()), "MPI_Comm_set_errhandler")
        return local
    }

    private static func hosts(of world: MPI_Comm, local: MPI_Comm, rank: Int, size: Int) throws -> [Int] {
        var lowest = Int32(rank)
        try check(MPI_Bcast(&lowest, 1, misp_int(), 0, local), "MPI_Bcast")
        var lowestOfEach = [Int32](repeating: 0, count: size)
        try check(MPI_Allgather(&lowest, 1, misp_int(), &lowestOfEach, 1, misp_int(), world), "MPI_Allgather")
        var numbers: [Int32: Int] = [:]
        return lowestOfEach.map { first in
            numbers[first]
                ?? {
                    numbers[first] = numbers.count
                    return numbers.count - 1
                }()
        }
    }

    /// MPI_Barrier.
    public func barrier() throws {
        try Pulse.waiting { try check(MPI_Barrier(world), "MPI_Barrier") }
    }

    /// MPI_Bcast, in pieces.
    public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
        for piece in pieces(bytes.count) {
            let part = UnsafeMutableRawBufferPointer(rebasing: bytes[piece])
            try Pulse.waiting {
                try check(
                    MPI_Bcast(part.baseAddress, Int32(part.count), misp_byte(), Int32(root), world), "MPI_Bcast")
            }
        }
    }

    /// MPI_Irecv and MPI_Isend, in pieces, and one wait for all.
    public func exchange(_ outgoing: [UnsafeRawBufferPointer], into incoming: [UnsafeMutableRawBufferPointer]) throws {
        guard outgoing.count == size, incoming.count == size, outgoing[rank].count == incoming[rank].count else {
            throw MISPError("the slices of an exchange do not fit together", at: "exchange", kind: .defect)
        }
        var requests: [MPI_Request?] = []
        // Each rank begins with its right-hand neighbour, so that no rank is everybody's first.
        for step in 1..<Swift.max(size, 1) {
            let source = (rank + size - step) % size
            for piece in pieces(incoming[source].count) {
                let part = UnsafeMutableRawBufferPointer(rebasing: incoming[source][piece])
                var request: MPI_Request? = misp_request_null()
                try check(
                    MPI_Irecv(part.baseAddress, Int32(part.count), misp_byte(), Int32(source), 0, world, &request),
                    "MPI_Irecv")
                requests.append(request)
            }
        }
        for step in 1..<Swift.max(size, 1) {
            let target = (rank + step) % size
            for piece in pieces(outgoing[target].count) {
                let part = UnsafeRawBufferPointer(rebasing: outgoing[target][piece])
                var request: MPI_Request? = misp_request_null()
                try check(
                    MPI_Isend(part.baseAddress, Int32(part.count), misp_byte(), Int32(target), 0, world, &request),
                    "MPI_Isend")
                requests.append(request)
            }
        }
        incoming[rank].copyMemory(from: outgoing[rank])
        try Pulse.waiting {
            try check(MPI_Waitall(Int32(requests.count), &requests, misp_statuses_ignore()), "MPI_Waitall")
        }
    }

    /// MPI_Allreduce, in pieces.
    public func combine(_ values: inout [Double], _ combination: Combination) throws {
        let operation = combination == .sum ? misp_sum() : misp_max()
        try values.withUnsafeMutableBufferPointer { values in
            for piece in pieces(values.count) {
                let part = UnsafeMutableBufferPointer(rebasing: values[piece])
                try Pulse.waiting {
                    try check(
                        MPI_Allreduce(
                            misp_in_place(), part.baseAddress, Int32(part.count), misp_double(), operation, world),
                        "MPI_Allreduce")
                }
            }
        }
    }

    /// A window of MPI-3 per host; nil on every rank where a host's /dev/shm has too little room, or no host two ranks.
    public func sharedMemory(bytes: Int) throws -> (any SharedMemory)? {
        guard let memory = try MPISharedMemory(bytes: bytes, local: local, communicator: self) else { return nil }
        windows.append(memory)
        return memory
    }

    /// Frees the windows that are left, and MPI_Finalize.
    public func finish() throws {
        for window in windows { try window.free() }
        windows = []
        try Pulse.waiting { try check(MPI_Finalize(), "MPI_Finalize") }
    }

    /// MPI_Abort.
    public func abort(status: Int32) -> Never {
        MPI_Abort(world, status)
        exit(status)
    }

    private func pieces(_ count: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: pieceBytes).map { $0..<min($0 + pieceBytes, count) }
    }
}

/// The one place where MPI's return codes are looked at.
func check(_ code: Int32, _ call: String) throws {
    guard code != MPI_SUCCESS else { return }
    var text = [CChar](repeating: 0, count: Int(misp_max_error_string()))
    var length: Int32 = 0
    MPI_Error_string(code, &text, &length)
    let message = String(decoding: text.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    throw MISPError(message, at: call, remedy: "this comes from MPI; see the lines it printed above", kind: .defect)
}
