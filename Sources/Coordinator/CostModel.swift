#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a step takes on any number of ranks, from what one host was measured to do and what a network is said to.
///
/// The time of a step is that of its dearest rank's groups, then the reduction, AdamW and the gathering of parameters,
/// one after the other; nothing overlaps, as in `OrderedReduction`.
public struct CostModel: Sendable {
    /// What ranks of one host do, by how many are busy at once.
    public struct Host: Sendable, Equatable {
        /// Operations per second of one rank's gradients.
        public var operations: Double
        /// Bytes per second that one rank reads and writes adding vectors too large for the caches.
        public var bandwidth: Double
        /// Seconds of a small collective call.
        public var latency: Double
        /// AdamW's elements per second of one rank.
        public var updates: Double

        /// Rates and a latency, in the units of the properties.
        public init(operations: Double, bandwidth: Double, latency: Double, updates: Double) {
            self.operations = operations
            self.bandwidth = bandwidth
            self.latency = latency
            self.updates = updates
        }
    }

    /// What travels between hosts, and how fast.
    public struct Network: Sendable, Equatable {
        /// Seconds until a small message is there.
        public var latency: Double
        /// Bytes per second into and out of a host at the same time.
        public var bandwidth: Double

        /// Seconds, and bytes per second.
        public init(latency: Double, bandwidth: Double) {
            self.latency = latency
            self.bandwidth = bandwidth
        }
    }

    /// By number of busy ranks, from 1 to as many as were measured.
    public let hosts: [Host]
    /// Ranks of a host that have cores of their own; those beyond share them.
    public let room: Int
    /// Between the hosts.
    public let network: Network

    /// `hosts[n − 1]` is what a rank does while n of its host are busy. There is at least one.
    ///
    /// - Parameter room: as many as were measured, unless given
    public init(hosts: [Host], network: Network, room: Int? = nil) {
        self.hosts = hosts
        self.network = network
        self.room = max(room ?? hosts.count, 1)
    }

    /// Small collective calls of a step: agreements, merged metrics, the norm.
    private static let smallCalls = 6.0
    /// What a message costs the processor.
    private static let messageSeconds = 5e-6

    /// Means over the steps that were asked about, in seconds unless it says otherwise.
    public struct Step: Sendable, Equatable {
        /// Seconds of the rank with the dearest groups, and the mean over the ranks.
        public var compute: Double
        /// Seconds of gradients, mean over the ranks.
        public var meanCompute: Double
        /// Seconds of adding gradients, gathering parameters and small collective calls.
        public var reduction: Double
        /// Seconds of AdamW on a rank's slice.
        public var optimizer: Double
        /// Bytes that cross a host's network interface in each direction.
        public var networkBytes: Double

        /// Seconds.
        public var total: Double { compute + reduction + optimizer }
        /// The share of the step in which the ranks compute gradients.
        public var efficiency: Double { total > 0 ? meanCompute / total : 1 }
    }

    /// - Parameters:
    ///   - groups: costs of the groups of some steps, in operations
    ///   - parameters: trained ones
    ///   - ranksPerHost: on the fullest host
    public func step(groups: [[Double]], parameters: Int, ranks: Int, ranksPerHost: Int) -> Step {
        let local = min(ranks, ranksPerHost)
        let host = host(busy: local)
        let hostCount = (ranks + ranksPerHost - 1) / ranksPerHost
        var (dearest, mean) = (0.0, 0.0)
        for costs in groups {
            let plan = ShardPlan(costs: costs, ranks: ranks)
            dearest += (0..<ranks).map { plan.groups(of: $0).reduce(0) { $0 + costs[$1] } }.max() ?? 0
            mean += costs.reduce(0, +) / Double(ranks)
        }
        let steps = Double(max(groups.count, 1))
        let bytes = 4 * Double(parameters)
        return Step(
            compute: dearest / steps / host.operations, meanCompute: mean / steps / host.operations,
            reduction: within(bytes, local, host) + between(bytes, ranks, hostCount)
                + Self.smallCalls * (host.latency + (hostCount > 1 ? log2(Double(hostCount)) * network.latency : 0)),
            optimizer: Double(parameters) / Double(ranks) / host.updates,
            networkBytes: hostCount > 1 ? 2 * bytes * Double(hostCount - 1) / Double(hostCount) : 0)
    }

    /// Adding up slices where they are; parameters are one copy a host.
    private func within(_ bytes: Double, _ ranks: Int, _ host: Host) -> Double {
        guard ranks > 1 else { return 0 }
        let share = bytes / Double(ranks)
        return Double(ranks + 1) * share / host.bandwidth
    }

    /// Each host sends and receives its part of every slice, and then of the parameters.
    private func between(_ bytes: Double, _ ranks: Int, _ hosts: Int) -> Double {
        guard hosts > 1 else { return 0 }
        let messages = 2 * Double(ranks - ranks / hosts)
        return 2 * bytes * Double(hosts - 1) / Double(hosts) / network.bandwidth + 2 * network.latency
            + messages * Self.messageSeconds
    }

    /// More ranks than were measured do what the last of those did, as long as there is room; beyond that they share
    /// it. A small call passes over all of them.
    private func host(busy: Int) -> Host {
        if busy <= min(hosts.count, room) { return hosts[busy - 1] }
        let measured = min(hosts.count, room)
        var host = hosts[measured - 1]
        let share = min(Double(room) / Double(busy), 1)
        host.operations *= share
        host.bandwidth *= share
        host.updates *= share
        host.latency *= Double(busy) / Double(measured)
        return host
    }
}
