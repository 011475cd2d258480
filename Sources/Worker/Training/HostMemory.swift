import Foundation

/// What memory this host has for its ranks.
package struct HostMemory: Sendable, Equatable {
    /// Bytes that can be had without swapping: the system's own estimate, or what the control group leaves.
    package let available: Double

    package init(available: Double) { self.available = available }

    /// nil where the system does not say.
    static var current: HostMemory? {
        guard let total = meminfo("MemAvailable") else { return nil }
        return HostMemory(available: min(total, controlGroup ?? .infinity))
    }

    private static func meminfo(_ key: String) -> Double? {
        let lines = text("/proc/meminfo")?.split(separator: "\n") ?? []
        guard let line = lines.first(where: { $0.hasPrefix("\(key):") }) else { return nil }
        return line.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map { $0 * 1024 }
    }

    /// The least that any control group above this process leaves (version 2), or version 1's; the cache of files can
    /// be had too.
    private static var controlGroup: Double? {
        let own = text("/proc/self/cgroup")?.split(separator: "\n") ?? []
        var room: Double?
        for line in own {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { continue }
            if parts[1].isEmpty {
                for folder in folders(below: "/sys/fs/cgroup", parts[2]) {
                    let left = left(folder, "memory.max", "memory.current", "inactive_file")
                    room = [room, left].compactMap { $0 }.min()
                }
            } else if parts[1].split(separator: ",").contains("memory") {
                for folder in folders(below: "/sys/fs/cgroup/memory", parts[2]) {
                    let left = left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                    room = [room, left].compactMap { $0 }.min()
                }
            }
        }
        return room
    }

    /// The root and every folder on the way to `path`.
    private static func folders(below root: String, _ path: String) -> [String] {
        path.split(separator: "/").reduce(into: [root]) { $0.append("\($0[$0.count - 1])/\($1)") }
    }

    private static func left(_ folder: String, _ limit: String, _ usage: String, _ cache: String) -> Double? {
        func number(_ name: String) -> Double? {
            text("\(folder)/\(name)").flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }
        guard let limit = number(limit), let usage = number(usage) else { return nil }
        let files = text("\(folder)/memory.stat")?.split(separator: "\n").first { $0.hasPrefix("\(cache) ") }
        let free = files?.split(separator: " ").last.flatMap { Double($0) } ?? 0
        return max(limit - usage + free, 0)
    }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}

extension MemoryEstimate {
    /// A line where `ranks` ranks of a host will take more than it has, with what would fit; nil where they fit.
    ///
    /// - Parameters:
    ///   - recompute: bytes of activations where layer inputs alone are kept
    ///   - streaming: and where members are computed one at a time
    package func warning(_ ranks: Int, on host: HostMemory, recompute: Double, streaming: Double) -> String? {
        let needed = perHost + Double(ranks) * perRank
        guard needed > host.available else { return nil }
        let fitting = max((host.available - perHost) / perRank, 0)
        let others = perRank - activations
        let lean = [("recompute", recompute), ("streaming", streaming)].first { _, bytes in
            bytes < activations && perHost + others + bytes <= host.available
        }
        let advice =
            fitting >= 1
            ? "start at most \(Int(min(fitting, 1e6))) \(fitting < 2 ? "rank" : "ranks") on a host like this"
            : lean.map { "set compute.members to \($0.0), and start one rank" }
                ?? "it fits no rank: take a host with more memory"
        return "memory: \(ranks) \(ranks == 1 ? "rank" : "ranks") of this host will take about "
            + "\(Quantity.bytes(needed)) (\(Quantity.bytes(perRank)) a rank, and \(Quantity.bytes(weights)) of mapped "
            + "weights), but it has \(Quantity.bytes(host.available)): the run would be slow or be ended; \(advice)"
    }
}
