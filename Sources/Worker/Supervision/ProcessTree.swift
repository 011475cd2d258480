import Foundation

/// Processes that another one started.
enum ProcessTree {
    /// The processes whose parent `process` is now; none where the system does not say.
    static func children(of process: Int32) -> [Int32] {
        let list = try? String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
        return (list ?? "").split(separator: " ").compactMap { Int32($0) }
    }

    /// Kills a process, those of its group if it leads one, and its children: a launcher's agents and ranks have groups
    /// of their own.
    static func kill(_ process: Int32) {
        let children = children(of: process)
        let isLeader = getpgid(process) == process
        Foundation.kill(isLeader ? -process : process, SIGKILL)
        for child in children { Foundation.kill(child, SIGKILL) }
    }
}
