import Foundation
import TestSupport
import Testing

/// The scripts of cluster/.
private enum Cluster {
    static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

    static var isBuilt: Bool {
        FileManager.default.isExecutableFile(atPath: root.appending(path: ".build/release/misp-worker").path)
    }

    /// Status and standard error of a script.
    static func run(_ script: String, _ arguments: [String] = []) throws -> (status: Int32, errors: String) {
        let folder = try TemporaryFolder()
        try Data().write(to: folder["errors"])
        let process = Process()
        process.executableURL = root.appending(path: script)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["MISP_BUILT": "1"]) { $1 }
            .filter { !$0.key.hasPrefix("OMPI_MCA_") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: folder["errors"])
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOf: folder["errors"], encoding: .utf8))
    }

    static let hasHosts = (try? run("cluster/netns", ["can"]))?.status == 0
}

/// In their short forms. They run the release build.
@Suite(.serialized, .enabled(if: Cluster.isBuilt, "no release build")) struct ClusterTests {
    #if os(Linux)
        @Test func killedRanksChangeNothing() throws {
            let (status, errors) = try Cluster.run("cluster/kill-test", ["--kills", "3", "--seed", "1"])
            #expect(status == 0, "\(errors)")
            #expect(errors.contains("all ended in the same bits"), "\(errors)")
        }
    #endif

    @Test(.enabled(if: Cluster.hasHosts, "hosts on one machine need root and network namespaces"))
    func hostsOverTCPGiveTheSameBits() throws {
        let (status, errors) = try Cluster.run("cluster/hosts-test")
        #expect(status == 0, "\(errors)")
        #expect(errors.contains("4 hosts of 2 ranks: the bits of one rank"), "\(errors)")
    }

    @Test(.enabled(if: Cluster.hasHosts, "mounting needs root"))
    func disksThatFailEndTheRunAndNoMore() throws {
        let (status, errors) = try Cluster.run("cluster/disk-test")
        // 77: root, but not allowed to mount.
        #expect(status == 0 || status == 77, "\(errors)")
        #expect(status == 77 || errors.components(separatedBy: "to the same bits").count == 6, "\(errors)")
    }

    @Test func everyScriptHasHelp() throws {
        for script in [
            "launch/hosts", "launch/supervise", "cluster/kill-test", "cluster/hosts-test", "cluster/link-test",
            "cluster/disk-test", "cluster/race-test", "cluster/slurm-test",
        ] {
            #expect(try Cluster.run(script, ["--help"]).status == 0, "\(script)")
        }
        #expect(try Cluster.run("launch/hosts", ["-n", "2"]).status == 2)
        #expect(try Cluster.run("launch/supervise", ["--restarts", "x"]).status == 2)
        #expect(try Cluster.run("launch/supervise", ["-n", "2"]).status == 2)
    }
}
