import CMPI
import Foundation

/// What the launcher of this process told it by environment variables.
package struct LaunchEnvironment {
    let variables: [String: String]

    package init(variables: [String: String]) { self.variables = variables }

    static var current: LaunchEnvironment { .init(variables: ProcessInfo.processInfo.environment) }

    /// The number of ranks started together, where the launcher says; the innermost launcher comes first.
    package var ranks: Int? { number("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS") }

    /// This process's number among the ranks, where the launcher says.
    package var rank: Int? { number("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID") }

    /// The number of ranks started on this host.
    package var localRanks: Int? {
        if let count = number("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "PMI_LOCAL_SIZE") { return count }
        // Slurm counts by node, `8(x3),4`; its largest node stands for all.
        let counts = (variables["SLURM_STEP_TASKS_PER_NODE"] ?? "").split(separator: ",")
        return counts.compactMap { Int($0.prefix { $0.isNumber }) }.max()
    }

    /// Whether a launcher started this process as part of a run. Without one MPI could find nobody either.
    package var isLaunched: Bool {
        ranks != nil || variables.keys.contains { $0.hasPrefix("PMIX_") || $0.hasPrefix("PMI_") }
    }

    /// Whether ranks that wait should let go of the core: more ranks than cores, none of which is a rank's own.
    package func isCrowded(cores: Int) -> Bool {
        variables["OMPI_MCA_orte_bound_at_launch"] == nil && (localRanks ?? 1) > cores
    }

    /// Open MPI notices crowding only when it counted the cores itself; `--host name:8` hides them from it, and then
    /// ranks that spin take hundreds of times as long over a small message. Before `MPI_Init`.
    static func yieldWhenCrowded() {
        guard current.isCrowded(cores: usableCores) else { return }
        setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0)
    }

    private func number(_ names: String...) -> Int? {
        names.lazy.compactMap { variables[$0].flatMap { Int($0) } }.first
    }
}

/// The cores this process may run on: the scheduler's mask, and no more than the container's share of time.
public var usableCores: Int {
    var cores = Int(misp_affinity_cores())
    if cores == 0 { cores = ProcessInfo.processInfo.activeProcessorCount }
    #if os(Linux)
        // "quota period" in microseconds, or "max period".
        let limit = (try? String(contentsOfFile: "/sys/fs/cgroup/cpu.max", encoding: .utf8)) ?? ""
        let numbers = limit.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        if numbers.count == 2, numbers[1] > 0 {
            cores = min(cores, Int((numbers[0] / numbers[1]).rounded(.up)))
        }
    #endif
    return max(cores, 1)
}
