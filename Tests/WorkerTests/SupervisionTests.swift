import Coordinator
import Core
import Foundation
import TestSupport
import Testing
import Worker

@Suite struct WatchdogTests {
    private func beat(_ rank: Int, work: Int = 0, calls: Int = 0, waiting: Bool = false, last: Bool = false) -> Beat {
        var beat = Beat(token: "t", rank: rank, host: rank < 2 ? "a" : "b", process: Int32(100 + rank))
        (beat.work, beat.calls, beat.isWaiting, beat.isLast) = (work, calls, waiting, last)
        return beat
    }

    /// A beat each second of each rank, as `state` says, up to the verdict.
    private func verdict(
        _ ranks: Int = 4, hangAfter: Double = 100, until end: Int = 1000, _ state: (_ rank: Int, _ time: Int) -> Beat?
    ) -> (time: Int, text: String)? {
        var watchdog = Watchdog(ranks: ranks, hangAfter: hangAfter, start: 0)
        for time in 0..<end {
            for rank in 0..<ranks { if let beat = state(rank, time) { watchdog.hear(beat, at: Double(time)) } }
            if let verdict = watchdog.verdict(at: Double(time)) { return (time, verdict.description) }
        }
        return nil
    }

    @Test func aRunThatMovesIsLeftAlone() {
        #expect(verdict { beat($0, work: $1 / 90) } == nil)
        // One rank works for long while the others wait.
        #expect(verdict { $0 == 2 ? beat(2, work: $1 / 90) : beat($0, calls: 1, waiting: true) } == nil)
        // Ended, one after the other.
        #expect(verdict { $1 < 5 + $0 ? beat($0, work: $1) : $1 == 5 + $0 ? beat($0, last: true) : nil } == nil)
        #expect(verdict(hangAfter: 0) { $1 < 5 ? beat($0) : nil } == nil)
    }

    @Test func namesTheRankThatStandsStill() throws {
        let found = try #require(
            verdict { $0 == 2 ? beat(2, work: min($1, 50), calls: 3) : beat($0, calls: 4, waiting: true) })
        #expect((150...152).contains(found.time))
        #expect(found.text.hasPrefix("rank 2 (host b, process 102) has got no further for 100 s"), "\(found.text)")
    }

    @Test func namesTheRanksThatFellSilent() throws {
        let found = try #require(verdict { $0 >= 2 && $1 > 20 ? nil : beat($0, calls: 4, waiting: true) })
        #expect((80...82).contains(found.time))
        #expect(found.text.hasPrefix("ranks 2, 3 (host b) have not been heard of for 61 s"), "\(found.text)")
    }

    @Test func namesTheRankThatMissesACall() throws {
        let found = try #require(verdict { rank, _ in beat(rank, calls: rank == 1 ? 6 : 7, waiting: true) })
        #expect(found.text.hasPrefix("rank 1 (host a, process 101) has waited for others"), "\(found.text)")
        let all = try #require(verdict { rank, _ in beat(rank, calls: 7, waiting: true) })
        #expect(all.text.hasPrefix("ranks 0, 1, 2, 3 (hosts a, b) have waited"), "\(all.text)")
    }

    @Test func namesTheRanksThatDoNotStart() throws {
        let found = try #require(verdict { $0 == 3 ? nil : beat($0, work: $1) })
        #expect((100...102).contains(found.time))
        #expect(found.text.hasPrefix("rank 3 did not start within 100 s"), "\(found.text)")
    }

    @Test func datagramsMayOvertakeEachOther() {
        var watchdog = Watchdog(ranks: 1, hangAfter: 10, start: 0)
        for (time, work) in [(0, 1), (1, 3), (2, 2), (3, 2), (4, 3)] {
            watchdog.hear(beat(0, work: work), at: Double(time))
        }
        watchdog.hear(beat(7, work: 9), at: 4)
        #expect(watchdog.beats == [beat(0, work: 3)])
        #expect(watchdog.verdict(at: 10.5) == nil)
        #expect(watchdog.verdict(at: 11.5) != nil)
    }
}

@Suite struct RestartTests {
    @Test(arguments: [0, 2, 3] as [Int32]) func someEndingsAreFinal(status: Int32) {
        var policy = RestartPolicy(limit: 5)
        #expect(policy.decide(status: status, wasAsked: false, saved: 1) == .end)
    }

    @Test func countsUpToTheLimitAndAnewAfterACheckpoint() {
        var policy = RestartPolicy(limit: 2)
        #expect(policy.decide(status: 137, wasAsked: false, saved: 0) == .restart(number: 1, pause: 0))
        #expect(policy.decide(status: nil, wasAsked: false, saved: 0) == .restart(number: 2, pause: 2))
        #expect(policy.decide(status: 1, wasAsked: false, saved: 5) == .restart(number: 1, pause: 0))
        #expect(policy.decide(status: 1, wasAsked: true, saved: 5) == .end)
        #expect(policy.decide(status: 1, wasAsked: false, saved: 5) == .restart(number: 2, pause: 2))
        #expect(policy.decide(status: 1, wasAsked: false, saved: 5) == .end)
    }

    @Test func goesOnOnlyOnceTheRunHasBegun() {
        let given = ["train", "--config", "run.yaml", "--resume", "--set", "seed=1"]
        #expect(Supervisor.arguments(given, goingOn: false) == given)
        #expect(
            Supervisor.arguments(given, goingOn: true)
                == ["train", "--resume-if-any", "--config", "run.yaml", "--set", "seed=1"])
        #expect(Supervisor.arguments(["score", "--config", "x"], goingOn: true) == ["score", "--config", "x"])
    }

    @Test func readsHostFiles() throws {
        let hosts = try HostFile(parsing: "# two\n\nnode1 slots=8 max_slots=9\n node2 slots=4 # half\n", file: "h")
        #expect(hosts.text == "node1 slots=8\nnode2 slots=4\n")
        #expect(hosts.ranks(of: 12) == 12)
        #expect(hosts.ranks(of: 64) == 8)
        #expect(hosts.ranks(of: 63) == 12)
        #expect(throws: MISPError("names no host", at: "h")) { try HostFile(parsing: "# none\n", file: "h") }
        let wrong = #expect(throws: MISPError.self) { try HostFile(parsing: "\nnode1\n", file: "h") }
        #expect(wrong?.description == "h:2: does not say how many ranks node1 takes; write node1 slots=8")
    }

    @Test func leavesOutHostsThatDoNotAnswer() throws {
        let folder = try TemporaryFolder()
        let agent = folder["agent"]
        try Data("#!/bin/sh\ncase $1 in dead) exit 255;; mute) exec sleep 60;; esac\nshift\nexec \"$@\"\n".utf8)
            .write(to: agent)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: agent.path)
        let hosts = try HostFile(
            parsing: ["localhost", "alive", "dead", "mute"].map { "\($0) slots=2\n" }.joined(), file: "h")
        #expect(hosts.answering(agent: [agent.path], seconds: 2).hosts.map(\.name) == ["localhost", "alive"])
    }
}

/// Whole runs under `misp-worker supervise`.
@Suite(.serialized) struct SupervisedRunTests {
    private let fixture: TrainingFixture

    init() throws {
        fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                negatives: {count: 2}
                optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 150}
                checkpoint: {every: 1, keep: 2}
                """, adapter: false)
    }

    private func supervised(
        _ options: [String], _ set: [String] = [], meanwhile: (Int32) -> Void = { _ in }
    ) throws -> RankRun {
        try runRanks(
            nil, "misp-worker",
            ["supervise", "-n", "4", "--launcher=mpirun --map-by :OVERSUBSCRIBE --bind-to none"] + options
                + ["--", "train", "--config", fixture.folder["run.yaml"].path, "--set", "output=out"] + set,
            environment: [
                "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "SWIFT_BACKTRACE": "enable=no",
            ], meanwhile: meanwhile)
    }

    /// The processes of the run's ranks.
    private func ranks() -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.filter { process in
            guard let data = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { return false }
            let words = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.first?.hasSuffix("/misp-worker") == true && words.dropFirst().first == "train"
                && words.contains(fixture.folder["run.yaml"].path)
        }
    }

    private func waitForSteps(_ count: Int) {
        for _ in 0..<3000 {
            if ((try? fixture.metrics().count) ?? 0) >= count { return }
            usleep(10_000)
        }
    }

    #if os(Linux)
        @Test func aKilledAndAStoppedRankChangeNothing() throws {
            let whole = try fixture.train(output: "whole")
            #expect(whole.status == 0)
            let run = try supervised(["--hang-after", "4"]) { _ in
                for (steps, signal) in [(20, SIGKILL), (60, SIGSTOP)] {
                    waitForSteps(steps)
                    ranks().randomElement().map { _ = kill($0, signal) }
                }
            }
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.errors.contains("starting it again from"), "\(run.errors)")
            #expect(run.errors.contains("have not been heard of") || run.errors.contains("has not been heard of"))
            #expect(try fixture.comparableMetrics() == fixture.comparableMetrics("whole"))
            let name = "adapter/adapter_model.safetensors"
            #expect(try fixture.bytes("out/\(name)") == fixture.bytes("whole/\(name)"))
            #expect(ranks().isEmpty)
        }
    #endif

    /// A picture that is a pipe nobody writes to: reading it never ends, and no signal or error tells of it.
    @Test func aRankThatHangsIsNamed() throws {
        try FileManager.default.copyItem(
            at: fixture.checkpoint.appending(path: "images"), to: fixture.folder["images"])
        let picture = fixture.folder["images/rgba.png"]
        try FileManager.default.removeItem(at: picture)
        #expect(mkfifo(picture.path, 0o600) == 0)
        let run = try supervised(
            ["--restarts", "0", "--hang-after", "4"], ["data.images=\(fixture.folder.url.path)"])
        #expect(run.status == 1, "\(run.errors)")
        #expect(run.errors.contains("got no further for 4 s; the others wait (after step 0)"), "\(run.errors)")
        #expect(ranks().isEmpty)
    }

    @Test func wrongInputIsNotTriedAgain() throws {
        let run = try supervised([], ["optimizer.betas=[2, 3]"])
        #expect(run.status == 2)
        #expect(!run.errors.contains("starting it again"), "\(run.errors)")
    }

    @Test func aLauncherThatCannotStartIsNotTriedForLong() throws {
        let run = try runRanks(nil, "misp-worker", ["supervise", "-n", "2", "--launcher=false", "--", "train"])
        #expect(run.status == 1)
        #expect(run.errors.components(separatedBy: "starting it again").count == 2, "\(run.errors)")
    }

    @Test func endsInterruptedWhenAsked() throws {
        let run = try supervised([], ["optimizer.steps=100000", "checkpoint.every=100000"]) { process in
            waitForSteps(3)
            kill(process, SIGTERM)
        }
        #expect(run.status == 3, "\(run.errors)")
        #expect(run.errors.contains("go on with --resume"), "\(run.errors)")
    }
}
