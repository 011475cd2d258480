import Coordinator
import Testing

@Suite struct CostModelTests {
    static let hosts = [
        CostModel.Host(operations: 50e9, bandwidth: 12e9, latency: 2e-6, updates: 1e9),
        CostModel.Host(operations: 40e9, bandwidth: 8e9, latency: 5e-6, updates: 8e8),
    ]
    let model = CostModel(hosts: hosts, network: .init(latency: 30e-6, bandwidth: 3e9))
    /// Four equal groups a step.
    let groups = [[Double]](repeating: [2e9, 2e9, 2e9, 2e9], count: 3)

    @Test func oneRank() {
        let step = model.step(groups: groups, parameters: 1_000_000, ranks: 1, ranksPerHost: 2)
        #expect(abs(step.compute - 8e9 / 50e9) < 1e-12 && step.meanCompute == step.compute)
        #expect(abs(step.optimizer - 1e-3) < 1e-12)
        #expect(step.reduction < 20e-6 && step.networkBytes == 0)
    }

    @Test func oneHost() {
        let step = model.step(groups: groups, parameters: 1_000_000, ranks: 2, ranksPerHost: 2)
        #expect(abs(step.compute - 4e9 / 40e9) < 1e-12)
        // Each adds half of three vectors' traffic.
        #expect(abs(step.reduction - 3 * 2e6 / 8e9 - 6 * 5e-6) < 1e-9)
        #expect(abs(step.optimizer - 0.5e6 / 8e8) < 1e-12)
    }

    /// Ranks beyond those measured share what the measured ones had.
    @Test func crowdedHost() {
        let step = model.step(groups: groups, parameters: 1_000_000, ranks: 4, ranksPerHost: 4)
        #expect(abs(step.compute - 2e9 / 20e9) < 1e-12)
    }

    /// On hosts with more cores than were measured, ranks are as fast as the busiest measured ones until cores run out.
    @Test func largerHost() {
        let large = CostModel(hosts: Self.hosts, network: .init(latency: 30e-6, bandwidth: 3e9), room: 4)
        let groups = [[Double](repeating: 2e9, count: 8)]
        let full = large.step(groups: groups, parameters: 1_000_000, ranks: 4, ranksPerHost: 8)
        #expect(abs(full.compute - 4e9 / 40e9) < 1e-12)
        let crowded = large.step(groups: groups, parameters: 1_000_000, ranks: 8, ranksPerHost: 8)
        #expect(abs(crowded.compute - 2e9 / 20e9) < 1e-12)
        // A rank of two threads here has no room for a second one, whatever was measured.
        let narrow = CostModel(hosts: Self.hosts, network: .init(latency: 30e-6, bandwidth: 3e9), room: 1)
        let shared = narrow.step(groups: groups, parameters: 1_000_000, ranks: 2, ranksPerHost: 2)
        #expect(abs(shared.compute - 8e9 / 25e9) < 1e-12)
    }

    @Test func manyHosts() {
        let two = model.step(groups: groups, parameters: 3_000_000, ranks: 4, ranksPerHost: 2)
        let one = model.step(groups: groups, parameters: 3_000_000, ranks: 2, ranksPerHost: 2)
        #expect(two.networkBytes == 12e6)
        // 12 MB at 3 GB/s, and messages.
        #expect(two.reduction > one.reduction + 4e-3 - 2e-3 && two.reduction < one.reduction + 6e-3)
        // More ranks than groups: the time no longer falls, and most ranks wait.
        let many = model.step(groups: groups, parameters: 3_000_000, ranks: 64, ranksPerHost: 2)
        #expect(many.compute == two.compute && many.efficiency < 0.07)
        #expect(many.total > two.total)
    }

    @Test func unevenGroups() {
        let step = model.step(groups: [[3e9, 1e9]], parameters: 1, ranks: 2, ranksPerHost: 2)
        #expect(abs(step.compute - 3e9 / 40e9) < 1e-12 && abs(step.meanCompute - 2e9 / 40e9) < 1e-12)
    }
}
