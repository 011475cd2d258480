import Coordinator
import Core
import Testing
import Foundation
import TestSupport

/// Runs of several processes, one at a time: they share few cores.
@Suite(.serialized) struct RankTests {
    @Test(arguments: [1, 2, 3, 4, 8]) func callsMoveTheRightBytes(ranks: Int) throws {
        let run = try runRanks(ranks, "RankProbe", ["calls"])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "ok \(ranks) ranks, hosts \(Array(repeating: 0, count: ranks))\n")
    }

    @Test(arguments: ["0", "1"]) func oneRankNeedsNoLauncher(withoutMPI: String) throws {
        let run = try runRanks(nil, "RankProbe", ["calls"], environment: ["MISP_NO_MPI": withoutMPI])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "ok 1 ranks, hosts [0]\n")
    }

    @Test func switchingMPIOffIsForOneRankOnly() throws {
        let run = try runRanks(2, "RankProbe", ["calls"], environment: ["MISP_NO_MPI": "1"])
        #expect(run.status == 2)
        #expect(run.errors.contains("MISP_NO_MPI=1: 2 ranks were started"))
    }

    @Test func ranksStartedAsStrangersAreRefused() throws {
        let run = try runRanks(nil, "RankProbe", ["calls"], environment: ["PMI_SIZE": "8", "PMI_RANK": "3"])
        #expect(run.status == 2)
        #expect(run.errors.contains("the launcher started 8 ranks"))
    }

    @Test func hostsAreCountedByTheirLowestRank() throws {
        let run = try runRanks(5, "RankProbe", ["calls", "per-host=2"])
        #expect(run.output == "ok 5 ranks, hosts [0, 0, 1, 1, 2]\n", "\(run.errors)")
    }

    @Test func memoryIsSharedWithinAHost() throws {
        #expect(try runRanks(4, "RankProbe", ["memory"]).output == "shared memory of 4\n")
        #expect(try runRanks(3, "RankProbe", ["memory", "per-host=2"]).output == "shared memory of 2\n")
        #expect(try runRanks(2, "RankProbe", ["memory", "per-host=1"]).output == "no shared memory\n")
    }

    /// Launchers that hide the cores from Open MPI make ranks spin; the program sees for itself.
    @Test func crowdedRanksYieldUnlessToldOtherwise() throws {
        let ranks = usableCores + 1
        let host = ["--host", "localhost:\(ranks)"]
        let run = try runRanks(ranks, "RankProbe", ["environment"], launcher: host)
        #expect(run.output == Array(repeating: "1", count: ranks).joined(separator: " ") + "\n", "\(run.errors)")
        let told = try runRanks(
            2, "RankProbe", ["environment"], launcher: host, environment: ["OMPI_MCA_mpi_yield_when_idle": "0"])
        #expect(told.output == "0 0\n", "\(told.errors)")
    }

    @Test func aRunThatHangsIsEnded() throws {
        let run = try runRanks(2, "RankProbe", ["hang"], limit: 3)
        #expect(run.status == -1)
        #expect(run.seconds < 10)
    }
}

@Suite(.serialized) struct ReductionTests {
    /// Ranks, ranks per host, shared memory or not: ways to take the same sums.
    static let ways: [(ranks: Int, perHost: Int, sharing: Bool)] = [
        (1, 1, true), (2, 2, true), (2, 2, false), (4, 4, true), (4, 4, false), (4, 2, true), (8, 8, true),
        (8, 8, false), (8, 4, true), (8, 2, true), (8, 3, true),
    ]

    static func steps(
        _ ranks: Int, perHost: Int, sharing: Bool, parameters: Bool = false
    ) throws -> (steps: [String], last: String) {
        let run = try runRanks(
            ranks, "RankProbe",
            [
                "sums", "elements=150001", "per-host=\(perHost)", "sharing=\(sharing ? 1 : 0)",
                "parameters=\(parameters ? 1 : 0)",
            ])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.lines.count == 6)
        #expect(run.lines.dropLast().allSatisfy { $0.hasSuffix("error small") })
        return (run.lines.dropLast(), run.lines.last ?? "")
    }

    /// One copy of the parameters a host, which each rank changes in its slice.
    @Test(arguments: [(2, 2), (4, 4), (4, 2), (8, 3), (2, 1)]) func sharedParameters(ranks: Int, perHost: Int) throws {
        let own = try Self.steps(ranks, perHost: perHost, sharing: true)
        let shared = try Self.steps(ranks, perHost: perHost, sharing: true, parameters: true)
        #expect(shared == own)
    }

    @Test func oneTwoFourAndEightRanksGiveTheSameBits() throws {
        let alone = try runRanks(nil, "RankProbe", ["sums", "elements=150001"])
        let expected = Array(alone.lines.dropLast())
        try #require(expected.count == 5, "\(alone.errors)")
        for way in Self.ways {
            let run = try Self.steps(way.ranks, perHost: way.perHost, sharing: way.sharing)
            #expect(run.steps == expected, "\(way)")
            #expect(run.last == "sharing \(way.sharing && way.ranks > 1)")
        }
    }

    @Test(arguments: [3, 6]) func otherNumbersAreRightToRoundingAndDoNotDependOnTheWay(ranks: Int) throws {
        let shared = try Self.steps(ranks, perHost: ranks, sharing: true).steps
        #expect(try Self.steps(ranks, perHost: ranks, sharing: false).steps == shared)
        #expect(try Self.steps(ranks, perHost: 2, sharing: true).steps == shared)
    }
}

@Suite(.serialized) struct FailureTests {
    func count(_ text: String, in whole: String) -> Int { whole.components(separatedBy: text).count - 1 }

    @Test func anAgreedFailureIsPrintedOnceAndEndsAllRanks() throws {
        let run = try runRanks(4, "RankProbe", ["fail", "rank=2", "also=3", "how=0"], limit: 20)
        #expect(run.status == 2)
        #expect(count("misp:", in: run.errors) == 1)
        // Named, as others did not fail alike.
        #expect(count("misp: groups.jsonl:7: rank 2 cannot read; mend it (rank 2, host ", in: run.errors) == 1)
        #expect(run.output.isEmpty)
        #expect(run.seconds < 8)
    }

    @Test func aFailureOfOneRankAloneEndsAllRanks() throws {
        let run = try runRanks(4, "RankProbe", ["fail", "rank=3", "how=1"], limit: 20)
        #expect(run.status == 2)
        #expect(count("misp: groups.jsonl:7: rank 3 cannot read; mend it (rank 3, host ", in: run.errors) == 1)
        #expect(run.output.isEmpty)
        #expect(run.seconds < 8)
    }

    @Test func aKilledRankEndsAllRanks() throws {
        let run = try runRanks(3, "RankProbe", ["fail", "rank=1", "how=2"], limit: 20)
        #expect(run.status != 0 && run.status != -1)
        #expect(run.output.isEmpty)
        #expect(run.seconds < 8)
    }
}

@Suite(.serialized) struct CheckpointTests {
    @Test(arguments: [1, 2, 3, 8]) func isWrittenAsItWasWhenItWasTaken(ranks: Int) throws {
        let folder = try TemporaryFolder()
        let run = try runRanks(ranks, "RankProbe", ["checkpoints"], environment: ["PROBE_FOLDER": folder.url.path])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "found step 3 of step-000002 step-000003\n")
    }

    /// A limit on the size of a file stands for a full disk: rank 0 writes, and all end.
    @Test(arguments: [1, 2, 4]) func aFullDiskEndsAllRanksAndSparesWhatIsThere(ranks: Int) throws {
        let folder = try TemporaryFolder()
        let run = try runRanks(
            ranks, "RankProbe", ["checkpoints", "limit=1000"], environment: ["PROBE_FOLDER": folder.url.path], limit: 20
        )
        #expect(run.status == 2)
        #expect(run.output == "found step 2 of step-000001 step-000002\n")
        #expect(run.errors.contains("the checkpoint of step 3 cannot be written ("), "\(run.errors)")
        #expect(run.errors.contains("File too large") && run.errors.contains("resume with --resume"), "\(run.errors)")
        #expect(run.errors.components(separatedBy: "misp:").count == 2)
    }
}
