import Testing
import Worker

/// A host that has too little memory for its ranks, and what would fit.
@Suite struct HostMemoryTests {
    private let gib = 0x1p30
    /// 14 GiB mapped, 6.5 GiB a rank, as LLaVA-1.5-7B takes.
    private var seven: MemoryEstimate {
        MemoryEstimate(weights: 14 * gib, trained: 0, activations: 5.8 * gib, groupsPerStep: 8, ranks: 2)
    }

    @Test func whatFitsIsNotMentioned() {
        for (ranks, available) in [(2, 28.0), (1, 21)] {
            let host = HostMemory(available: available * gib)
            #expect(seven.warning(ranks, on: host, recompute: 3 * gib, streaming: gib) == nil)
        }
    }

    @Test(arguments: [
        (2, 24.0, "start at most 1 rank on"), (8, 40.0, "start at most 4 ranks on"),
        (1, 18.0, "set compute.members to recompute"), (1, 16.0, "set compute.members to streaming"),
        (2, 12.0, "it fits no rank"),
    ])
    func whatDoesNotFitIsSaidWithWhatWould(ranks: Int, available: Double, advice: String) throws {
        let host = HostMemory(available: available * gib)
        let line = try #require(seven.warning(ranks, on: host, recompute: 3 * gib, streaming: gib))
        #expect(line.contains(advice) && line.contains("14.0 GiB of mapped weights"), "\(line)")
    }

    /// 1 GiB of trained values: 5.3 GiB a rank with gradient, moments and partial sums, and of the checkpoint 2 GiB,
    /// which one rank of the host holds.
    @Test func aCheckpointIsHeldOnce() {
        let full = MemoryEstimate(weights: 14 * gib, trained: 1 << 28, activations: 0, groupsPerStep: 8, ranks: 2)
        #expect(full.warning(2, on: HostMemory(available: 27 * gib), recompute: 0, streaming: 0) == nil)
        #expect(full.warning(2, on: HostMemory(available: 26 * gib), recompute: 0, streaming: 0) != nil)
    }
}
