import Coordinator
import Core
import Foundation
import Testing

/// What one rank can show by itself.
struct SoloTests {
    let ranks = SoloCommunicator()

    @Test(arguments: [0, 1, 16_384, 16_385, 1_000_000]) func slicesCoverTheGradientAtBlocks(elements: Int) {
        let block = OrderedReduction.blockElements
        for count in [1, 2, 3, 7, 8, 100] {
            let slices = (0..<count).map { OrderedReduction.slice(of: $0, of: count, elements: elements) }
            #expect(slices.first?.lowerBound == 0 && slices.last?.upperBound == elements)
            for (slice, next) in zip(slices, slices.dropFirst()) {
                #expect(slice.upperBound == next.lowerBound)
                #expect(slice.upperBound % block == 0 || slice.upperBound == elements)
            }
            let blocks = slices.map { ($0.count + block - 1) / block }
            #expect((blocks.max() ?? 0) - (blocks.min() ?? 0) <= 1)
        }
    }

    @Test(arguments: [0, 5, 40_000]) func reductionOfOneRankIsItsGradient(elements: Int) throws {
        let reduction = try OrderedReduction(elements: elements, communicator: ranks)
        let values: [Float] = (0..<elements).map { Float($0 % 11) - 5 }
        for index in 0..<elements { reduction.gradient[index] = values[index] }
        let sum = try reduction.reduceScatter(ShardPlan(costs: [1], ranks: 1))
        #expect(Array(sum) == values)
        let exact = values.reduce(0.0) { $0 + Double($1 * $1) }
        #expect(try reduction.squaredNorm(.init(sum)) == exact)
        var parameters = [Float](repeating: 3, count: elements)
        try parameters.withUnsafeMutableBufferPointer { try reduction.gather($0) }
        #expect(parameters.allSatisfy { $0 == 3 })

        try reduction.reduceScatter(ShardPlan(costs: [], ranks: 1))
        #expect(reduction.gradient.allSatisfy { $0 == 0 })
        try reduction.close()
    }

    @Test func reductionRefusesWhatDoesNotFit() throws {
        let reduction = try OrderedReduction(elements: 10, communicator: ranks)
        #expect(throws: MISPError.self) { try reduction.reduceScatter(ShardPlan(costs: [1], ranks: 2)) }
        var nine = [Float](repeating: 0, count: 9)
        #expect(throws: MISPError.self) { try nine.withUnsafeMutableBufferPointer { try reduction.gather($0) } }
        #expect(throws: MISPError.self) { try nine.withUnsafeBufferPointer { try reduction.squaredNorm($0) } }
    }

    @Test func agreementReturnsOrTellsTheError() throws {
        #expect(try ranks.agree { 4 } == 4)
        let error = MISPError("bad", at: "a.jsonl:3", remedy: "mend it", kind: .interrupted)
        let failure = #expect(throws: AgreedFailure.self) { try ranks.agree { throw error } }
        #expect(failure?.error == error)
        #expect(failure?.failingRank == 0 && failure?.isMineToPrint == true)
        struct Odd: Error {}
        let odd = #expect(throws: AgreedFailure.self) { try ranks.agree { throw Odd() } }
        #expect(odd?.error.kind == .defect)
    }

    @Test func launchersAreKnownByTheirVariables() {
        func environment(_ variables: [String: String]) -> LaunchEnvironment { .init(variables: variables) }
        #expect(!environment([:]).isLaunched)
        // A batch script's own step, and mpirun within it.
        #expect(!environment(["SLURM_NTASKS": "8"]).isLaunched)
        #expect(environment(["SLURM_STEP_NUM_TASKS": "4", "OMPI_COMM_WORLD_SIZE": "1"]).ranks == 1)
        #expect(environment(["PMIX_RANK": "0"]).isLaunched)
        #expect(environment(["SLURM_STEP_TASKS_PER_NODE": "8(x3),4"]).localRanks == 8)

        let eight = ["OMPI_COMM_WORLD_LOCAL_SIZE": "8"]
        #expect(environment(eight).isCrowded(cores: 2))
        #expect(!environment(eight).isCrowded(cores: 8))
        #expect(!environment(eight.merging(["OMPI_MCA_orte_bound_at_launch": "1"]) { $1 }).isCrowded(cores: 1))
        #expect(!environment([:]).isCrowded(cores: 1))
        #expect(usableCores >= 1)
    }
}
