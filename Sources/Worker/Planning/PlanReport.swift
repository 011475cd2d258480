import Coordinator
import Core
import Foundation

/// What `plan` says: a line for each number of ranks, and where more of them stop helping.
package struct PlanReport {
    package struct Row {
        package let ranks: Int
        package let hosts: Int
        package let step: CostModel.Step
        let memoryPerRank: Double
        let memoryPerHost: Double
        /// Over the first row's time for a step, times its ranks.
        package var speedup = 1.0
    }

    package private(set) var rows: [Row] = []
    private let model: CostModel
    private let groups: [[Double]]
    private let ranksPerHost: Int
    private var groupsPerStep: Int { groups.first?.count ?? 0 }
    private let totalSteps: Int
    private let parameters: Int
    private let repeating: (groups: Int, count: Int)?

    /// - Parameters:
    ///   - groups: costs of the groups of some steps, in operations
    ///   - repeating: how many groups the file has, and how many it is taken to have
    ///   - memory: for a number of ranks
    package init(
        _ model: CostModel, groups: [[Double]], parameters: Int, totalSteps: Int, ranks: [Int], ranksPerHost: Int,
        repeating: (groups: Int, count: Int)? = nil, memory: (Int) -> MemoryEstimate
    ) {
        (self.model, self.groups, self.ranksPerHost) = (model, groups, ranksPerHost)
        (self.totalSteps, self.parameters, self.repeating) = (totalSteps, parameters, repeating)
        let alone = model.step(groups: groups, parameters: parameters, ranks: 1, ranksPerHost: ranksPerHost).total
        for ranks in ranks {
            let step = model.step(groups: groups, parameters: parameters, ranks: ranks, ranksPerHost: ranksPerHost)
            let (local, memory) = (min(ranks, ranksPerHost), memory(ranks))
            rows.append(
                Row(
                    ranks: ranks, hosts: (ranks + ranksPerHost - 1) / ranksPerHost, step: step,
                    memoryPerRank: memory.perRank, memoryPerHost: memory.perHost + Double(local) * memory.perRank,
                    speedup: alone / step.total))
        }
    }

    package var lines: [String] {
        let title =
            "  ranks  hosts  per rank  per host  gradients    reduce     AdamW      step  speed-up  busy  all steps"
        return assumptions + [title] + rows.map(line) + advice
    }

    private func line(_ row: Row) -> String {
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(1, width - text.count)) + text
        }
        return right("\(row.ranks)", 7) + right("\(row.hosts)", 7) + right(Quantity.bytes(row.memoryPerRank), 11)
            + right(Quantity.bytes(row.memoryPerHost), 11) + right(Quantity.seconds(row.step.compute), 11)
            + right(Quantity.seconds(row.step.reduction), 10) + right(Quantity.seconds(row.step.optimizer), 10)
            + right(Quantity.seconds(row.step.total), 10) + right(String(format: "%.1f", row.speedup), 10)
            + right(String(format: "%.0f %%", 100 * row.step.efficiency), 7)
            + right(Quantity.seconds(row.step.total * Double(totalSteps)), 11)
    }

    private var assumptions: [String] {
        let measured = model.hosts.enumerated().map { busy, host in
            String(
                format: "  %d busy: %.1f GFLOP/s in gradients, %.1f GB/s adding, %.0f µs a small call, each",
                busy + 1, host.operations / 1e9, host.bandwidth / 1e9, host.latency * 1e6)
        }
        let network = String(
            format: "network, as given: %.1f Gb/s a host, %.0f µs", model.network.bandwidth * 8 / 1e9,
            model.network.latency * 1e6)
        let crowd = min(ranksPerHost, rows.map(\.ranks).max() ?? 1)
        var assumed: [String] = []
        if crowd > model.hosts.count {
            let fast = min(crowd, model.room)
            assumed.append(
                "a host, as assumed: each of \(fast) ranks is as fast as \(model.hosts.count) busy were here"
                    + (crowd > fast ? "; \(crowd) share the cores of \(fast)" : ""))
        }
        if let repeating {
            assumed.append("groups, as assumed: \(repeating.count), the file's \(repeating.groups) over and over")
        }
        return ["measured here, by ranks of a host:"] + measured + assumed + [
            network, "a step of \(groupsPerStep) groups, \(parameters) trained parameters, \(totalSteps) steps:",
        ]
    }

    /// The first row whose ranks compute less than half of the time, why, and what would help.
    private var advice: [String] {
        guard let row = rows.first(where: { $0.step.efficiency < 0.5 && $0.ranks > 1 }) else {
            return ["the ranks compute for at least half of the time in all of these"]
        }
        let step = row.step
        let waiting = step.compute - step.meanCompute
        let percent = String(format: "%.0f %%", 100 * step.efficiency)
        let head = "at \(row.ranks) ranks they compute for only \(percent) of the time: "
        if waiting > step.reduction + step.optimizer {
            let reason =
                row.ranks > groupsPerStep
                ? "\(groupsPerStep) groups a step leave \(row.ranks - groupsPerStep) ranks without one"
                : "the most expensive rank's groups take "
                    + "\(String(format: "%.1f", step.compute / step.meanCompute)) times the mean"
            return [
                head + reason,
                "  " + moreGroups(on: row.ranks)
                    + ", and so does sharing groups out by member (compute.members: streaming)",
            ]
        }
        return [
            head + "reducing \(Quantity.bytes(4 * Double(parameters))) takes "
                + "\(Quantity.seconds(step.reduction)) a step",
            "  " + moreGroups(on: row.ranks) + ", and so do fewer trained parameters (a smaller lora.r or fewer "
                + "lora.targets) and a faster network",
        ]
    }

    /// How many groups a step, up to 64 a rank, would keep the ranks busy: the first step's ones so many times over.
    private func moreGroups(on ranks: Int) -> String {
        let advice = "more groups a step help (optimizer.groups_per_step"
        guard let costs = groups.first, !costs.isEmpty else { return advice + ")" }
        for factor in sequence(first: 2, next: { 2 * $0 }).prefix(while: { $0 * costs.count <= 64 * ranks }) {
            let more = (0..<factor).flatMap { _ in costs }
            let step = model.step(groups: [more], parameters: parameters, ranks: ranks, ranksPerHost: ranksPerHost)
            guard step.efficiency >= 0.8 else { continue }
            return advice + ": \(more.count) keep them busy for \(String(format: "%.0f %%", 100 * step.efficiency)))"
        }
        return advice + ")"
    }
}

extension PlanReport {
    /// For programs: the rows as JSON.
    var json: JSON {
        .array(
            rows.map { row in
                [
                    "ranks": .integer(row.ranks), "hosts": .integer(row.hosts),
                    "memory/rank": .number(row.memoryPerRank), "memory/host": .number(row.memoryPerHost),
                    "time/compute": .number(row.step.compute), "time/reduce": .number(row.step.reduction),
                    "time/optimizer": .number(row.step.optimizer), "time/step": .number(row.step.total),
                    "speedup": .number(row.speedup), "efficiency": .number(row.step.efficiency),
                    "network_bytes": .number(row.step.networkBytes),
                ]
            })
    }
}
