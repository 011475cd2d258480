import Foundation
import TestSupport
import Testing

private let hasHosts = (try? runScript("cluster/netns", ["can"]))?.status == 0

/// In their short forms. They run the release build.
@Suite(.serialized, .enabled(if: isReleaseBuilt, "no release build")) struct ClusterTests {
    #if os(Linux)
        @Test(arguments: ["float32", "bfloat16"]) func killedRanksChangeNothing(precision: String) throws {
            let run = try runScript("cluster/kill-test", ["--kills", "3", "--seed", "1", "--precision", precision])
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.errors.contains("all ended in the same bits"), "\(run.errors)")
        }
    #endif

    @Test(.enabled(if: hasHosts, "hosts on one machine need root and network namespaces"))
    func hostsOverTCPGiveTheSameBits() throws {
        let run = try runScript("cluster/hosts-test")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.errors.contains("4 hosts of 2 ranks: the bits of one rank"), "\(run.errors)")
    }

    @Test(.enabled(if: hasHosts, "mounting needs root"))
    func disksThatFailEndTheRunAndNoMore() throws {
        let run = try runScript("cluster/disk-test")
        // 77: root, but not allowed to mount.
        #expect(run.status == 0 || run.status == 77, "\(run.errors)")
        #expect(run.status == 77 || run.errors.components(separatedBy: "to the same bits").count == 6, "\(run.errors)")
    }

    @Test func everyScriptHasHelp() throws {
        for script in [
            "launch/hosts", "launch/supervise", "launch/walkthrough", "cluster/kill-test", "cluster/hosts-test",
            "cluster/link-test", "cluster/disk-test", "cluster/race-test", "cluster/slurm-test",
        ] {
            #expect(try runScript(script, ["--help"]).status == 0, "\(script)")
        }
        #expect(try runScript("launch/hosts", ["-n", "2"]).status == 2)
        #expect(try runScript("launch/supervise", ["--restarts", "x"]).status == 2)
        #expect(try runScript("launch/supervise", ["-n", "2"]).status == 2)
    }
}
