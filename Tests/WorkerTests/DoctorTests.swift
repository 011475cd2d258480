import Foundation
import TestSupport
import Testing
import Worker

/// What `doctor` concludes, and that it runs on any number of ranks.
@Suite(.serialized) struct DoctorTests {
    private let well = RankFacts(
        host: "node1", cores: 64, threads: 1, kernel: "AVX2", alone: 60e9, together: 55e9, sharedMemory: 8192)

    private func remedies(_ ranks: [RankFacts], hosts: [Int]? = nil) -> [String] {
        Diagnosis.findings(ranks, hosts: hosts ?? ranks.map { _ in 0 }).compactMap { finding in
            finding.remedy == nil ? nil : finding.name
        }
    }

    @Test func conclusions() {
        #expect(remedies(Array(repeating: well, count: 8)).isEmpty)
        func changed(_ change: (inout RankFacts) -> Void) -> [RankFacts] {
            var ranks = Array(repeating: well, count: 4)
            change(&ranks[2])
            return ranks
        }
        var many = well
        many.threads = 32
        #expect(remedies(Array(repeating: many, count: 4)) == ["threads and cores"])
        #expect(remedies(changed { $0.kernel = "AVX-512" }).isEmpty)
        #expect(remedies(changed { $0.kernel = "OpenBLAS Prescott" }) == ["matrix kernel"])
        var without = well
        without.kernel = "OpenBLAS ARMV8"
        #expect(remedies(Array(repeating: without, count: 4)) == ["matrix kernel"])
        #expect(remedies(changed { $0.together = 20e9 }) == ["slowest of the ranks"])
        #expect(remedies(changed { $0.sharedMemory = 64 }) == ["free in /dev/shm"])
        var slow = well
        slow.together = 20e9
        #expect(remedies(Array(repeating: slow, count: 4)) == ["matrix products"])
        // What the processor lacks cannot be fixed.
        func bfloat16(_ ranks: [RankFacts]) -> String? {
            Diagnosis.findings(ranks, hosts: ranks.map { _ in 0 }).first { $0.name == "bfloat16 products" }?.value
        }
        #expect(bfloat16([well, well]) == "no faster than float32 ones here")
        var native = well
        native.bfloat16 = "AVX512-BF16"
        #expect(bfloat16([native, native]) == "AVX512-BF16")
        #expect(bfloat16([native, well, well]) == "AVX512-BF16, but no faster than float32 ones on 2 of 3 ranks")
        // A host of its own for each rank.
        #expect(remedies(changed { $0.sharedMemory = 64 }, hosts: [0, 1, 2, 3]).isEmpty)
    }

    @Test(arguments: [nil, 1, 3] as [Int?]) func runs(ranks: Int?) throws {
        let run = try runRanks(ranks, "misp-worker", ["doctor"])
        // What there is to fix depends on the machine.
        #expect([0, 2].contains(run.status), "\(run.errors)")
        #expect(run.output.contains("GFLOP/s") && run.output.contains("to fix"), "\(run.output)")
        #expect(run.output.contains("gradient reduction") == ((ranks ?? 1) > 1))
    }
}
