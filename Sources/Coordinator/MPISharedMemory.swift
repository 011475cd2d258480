import CMPI
import Core
import Foundation

/// `SharedMemory` as a window of MPI-3: one allocation per host, a block per rank.
final class MPISharedMemory: SharedMemory {
    private static let alignment = 64
    private var window: MPI_Win?
    private let local: MPI_Comm
    /// By rank of the run; the ranks of other hosts have none.
    private let blocks: [Int: UnsafeMutableRawBufferPointer]

    /// Collective over all ranks of `communicator`; nil on all of them where one host has too little shared memory.
    init?(bytes: Int, local: MPI_Comm, communicator: MPICommunicator) throws {
        self.local = local
        let hosts = communicator.hosts
        // Where every rank has a host to itself nobody shares.
        guard communicator.hostCount < communicator.size else { return nil }
        let neighbours = hosts.indices.filter { hosts[$0] == hosts[communicator.rank] }
        // MPI aligns a block to 8 bytes only: there is room to round up.
        let room = bytes + Self.alignment
        // Asked before the allocation, since Open MPI hangs or dies by SIGBUS when the file system runs full.
        var rooms = [Double](repeating: 0, count: communicator.size)
        rooms[communicator.rank] = Double(room)
        rooms = try communicator.mergeDisjoint(rooms)
        let total = neighbours.reduce(0) { $0 + rooms[$1] }
        guard try communicator.max([Self.hostHas(total) ? 0 : 1])[0] == 0 else { return nil }

        var window: MPI_Win? = misp_win_null()
        var base: UnsafeMutableRawPointer?
        let code = MPI_Win_allocate_shared(MPI_Aint(room), 1, misp_info_null(), local, &base, &window)
        let failed = try communicator.max([code == MPI_SUCCESS && base != nil ? 0 : 1])[0] != 0
        guard !failed, let allocated = window else {
            if code == MPI_SUCCESS { try check(MPI_Win_free(&window), "MPI_Win_free") }
            return nil
        }
        var blocks: [Int: UnsafeMutableRawBufferPointer] = [:]
        for (number, rank) in neighbours.enumerated() {
            var size: MPI_Aint = 0
            var unit: Int32 = 0
            var address: UnsafeMutableRawPointer?
            try check(
                MPI_Win_shared_query(allocated, Int32(number), &size, &unit, &address), "MPI_Win_shared_query")
            // Every process maps the same pages, so each rounds up to the same byte.
            blocks[rank] = address.map {
                .init(start: $0.alignedUp(toMultipleOf: Self.alignment), count: Int(rooms[rank]) - Self.alignment)
            }
        }
        self.window = allocated
        self.blocks = blocks
        try check(MPI_Win_lock_all(misp_mode_nocheck(), allocated), "MPI_Win_lock_all")
        // The first touch takes the pages now, and near the core that will write them.
        if let mine = blocks[communicator.rank], let start = mine.baseAddress { memset(start, 0, mine.count) }
        try synchronize()
    }

    func block(of rank: Int) -> UnsafeMutableRawBufferPointer? { blocks[rank] }

    func synchronize() throws {
        guard let window else { return }
        try check(MPI_Win_sync(window), "MPI_Win_sync")
        try Pulse.waiting { try check(MPI_Barrier(local), "MPI_Barrier") }
        try check(MPI_Win_sync(window), "MPI_Win_sync")
    }

    func free() throws {
        guard let held = window else { return }
        try check(MPI_Win_unlock_all(held), "MPI_Win_unlock_all")
        try check(MPI_Win_free(&window), "MPI_Win_free")
        window = nil
    }

    /// Whether the shared memory of this host has `bytes` left; true where it does not say.
    private static func hostHas(_ bytes: Double) -> Bool {
        var status = statvfs()
        guard statvfs("/dev/shm", &status) == 0 else { return true }
        return Double(status.f_bavail) * Double(status.f_frsize) > bytes
    }
}
