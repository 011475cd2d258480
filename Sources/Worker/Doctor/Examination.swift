import Coordinator
import Core
import Foundation

/// Measures what `doctor` tells.
struct Examination {
    /// Floats of the reduction that is timed: 64 MiB.
    private static let elements = 1 << 24

    private let communicator: any Communicator

    init(_ communicator: any Communicator) { self.communicator = communicator }

    /// Collective. The same on every rank.
    func findings() throws -> [Finding] {
        let facts = try facts()
        var findings = [
            Finding("version", Release.version),
            Finding("processor", RunConfiguration.Environment.current(ranks: 1).processor),
        ]
        findings += Diagnosis.findings(facts, hosts: communicator.hosts)
        findings.append(contentsOf: try reduction())
        return findings
    }

    /// Collective. By rank.
    private func facts() throws -> [RankFacts] {
        // One rank of a host after the other, then all.
        var alone = 0.0
        let most = try communicator.max([Double(communicator.localSize)])[0]
        for turn in 0..<Int(most) {
            try communicator.barrier()
            if communicator.localRank == turn { alone = MachineRate.measure() }
        }
        try communicator.barrier()
        let together = MachineRate.measure(seconds: 0.5)
        let own = RankFacts(
            host: ProcessInfo.processInfo.hostName, cores: usableCores, threads: BLAS.threads, kernel: BLAS.kernel,
            bfloat16: BFloat16.isFaster ? BFloat16.kernel : nil, alone: alone, together: together,
            sharedMemory: Self.freeMebibytes("/dev/shm"))
        let data = try communicator.agree { try JSONEncoder().encode(own) }
        return try communicator.allGather(data).map { try JSONDecoder().decode(RankFacts.self, from: $0) }
    }

    /// Collective. A reduction as training does it, and the time of a small message.
    private func reduction() throws -> [Finding] {
        let reduction = try OrderedReduction(
            elements: Self.elements, communicator: communicator, sharingParameters: true)
        let plan = ShardPlan(costs: Array(repeating: 1, count: communicator.size), ranks: communicator.size)
        let parameters = UnsafeMutableBufferPointer<Float>.allocate(capacity: Self.elements)
        defer { parameters.deallocate() }
        parameters.initialize(repeating: 1)
        reduction.gradient.update(repeating: 1e-3)
        var best = Double.infinity
        for _ in 0..<3 {
            try communicator.barrier()
            var clock = Stopwatch()
            try reduction.reduceScatter(plan)
            try reduction.gather(reduction.sharedParameters ?? parameters)
            best = min(best, try communicator.max([clock.lap()])[0])
        }
        let shares = reduction.sharesMemory
        try reduction.close()
        let calls = try (0..<101).map { _ in
            var clock = Stopwatch()
            _ = try communicator.max([0])
            return clock.lap()
        }
        let latency = try communicator.max([calls.sorted()[calls.count / 2]])[0]
        guard communicator.size > 1 else { return [] }
        let rate = Double(4 * Self.elements) / best
        return [
            Finding(
                "gradient reduction",
                String(format: "%.2f GB/s for 64 MiB, %@", rate / 1e9, shares ? "in shared memory" : "by messages"),
                remedy: communicator.hostCount == 1 && !shares
                    ? "the ranks cannot share memory: enlarge /dev/shm, or set TMPDIR to a local folder" : nil),
            Finding(
                "small message", String(format: "%.1f µs", latency * 1e6),
                remedy: communicator.hostCount == 1 && latency > 5e-3
                    ? "ranks spin while others wait for their core: start fewer, or set OMPI_MCA_mpi_yield_when_idle=1"
                    : nil),
        ]
    }

    private static func freeMebibytes(_ folder: String) -> Int {
        let values = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        return ((values?[.systemFreeSize] as? NSNumber)?.intValue ?? 0) >> 20
    }
}
