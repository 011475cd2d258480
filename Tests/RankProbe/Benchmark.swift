import CMPI
import Coordinator
import Core
import Foundation

/// The ordered reduction beside `MPI_Allreduce`, best of several: `bench mb=64 [sharing=0]`.
func benchmark(_ ranks: any Communicator, _ options: Options) throws {
    let bytes = (options["mb"] ?? 64) << 20
    let elements = bytes / MemoryLayout<Float>.stride
    let reduction = try OrderedReduction(
        elements: elements, communicator: ranks, sharingMemory: options["sharing"] != 0, sharingParameters: true)
    let plan = ShardPlan(costs: Array(repeating: 1, count: ranks.size), ranks: ranks.size)
    let parameters = UnsafeMutableBufferPointer<Float>.allocate(capacity: elements)
    defer { parameters.deallocate() }
    parameters.initialize(repeating: 1)
    reduction.gradient.update(repeating: 1e-3)

    func time(_ work: () throws -> Void) throws -> Double {
        var best = Double.infinity
        for _ in 0..<(options["times"] ?? 5) {
            try ranks.barrier()
            let start = DispatchTime.now().uptimeNanoseconds
            try work()
            best = min(best, try ranks.max([Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9])[0])
        }
        return best
    }
    let scatter = try time { try reduction.reduceScatter(plan) }
    let shared = reduction.sharedParameters ?? parameters
    for index in reduction.slice { shared[index] = 1 }
    let gather = try time { try reduction.gather(shared) }
    let norm = try time { _ = try reduction.squaredNorm(.init(rebasing: parameters[reduction.slice])) }
    var line = String(
        format: "%d MB, %d ranks, sharing %@: reduceScatter %.1f ms, gather %.1f ms, both %.2f GB/s, norm %.1f ms",
        bytes >> 20, ranks.size, reduction.sharesMemory ? "yes" : "no", scatter * 1e3, gather * 1e3,
        Double(bytes) / (scatter + gather) / 1e9, norm * 1e3)
    if ranks is MPICommunicator {
        for (name, piece) in [("Allreduce", elements), ("in 4 MiB pieces", 1 << 20)] {
            let seconds = try time {
                for start in stride(from: 0, to: elements, by: piece) {
                    MPI_Allreduce(
                        misp_in_place(), parameters.baseAddress?.advanced(by: start),
                        Int32(min(piece, elements - start)), misp_float(), misp_sum(), misp_comm_world())
                }
            }
            line += String(format: "; %@ %.1f ms, %.2f GB/s", name, seconds * 1e3, Double(bytes) / seconds / 1e9)
        }
    }
    if ranks.rank == 0 { print(line) }
    try reduction.close()
}
