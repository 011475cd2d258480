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

    /// All was stopped for a while, the watcher too: a laptop's lid, `scontrol suspend`.
    @Test(arguments: [5, 60, 100_000]) func aWatcherThatWasStoppedAccusesNobody(gap: Int) {
        var watchdog = Watchdog(ranks: 2, hangAfter: 10, start: 0)
        func live(_ times: Range<Int>, from start: Int, heard: Set<Int> = [0, 1]) -> String? {
            for time in times.map({ Double($0 + start) }) {
                watchdog.look(at: time)
                for rank in heard.sorted() { watchdog.hear(beat(rank, work: rank == 0 ? Int(time) : 5), at: time) }
                if let verdict = watchdog.verdict(at: time) { return verdict.description }
            }
            return nil
        }
        #expect(live(0..<8, from: 0) == nil)
        watchdog.look(at: Double(gap + 8))
        #expect(watchdog.verdict(at: Double(gap + 8)) == nil)
        // Rank 1 had stood still for 7 s of 10, and has 3 left.
        #expect(live(0..<3, from: gap + 8) == nil)
        #expect(live(3..<9, from: gap + 8)?.hasPrefix("rank 1 (host a, process 101) has got no further") == true)
        // A rank that stays silent is named all the same.
        #expect(live(9..<30, from: gap + 8, heard: [0])?.hasPrefix("rank 1 ") == true)
    }

    @Test func hearsWhatRanksEndedWith() {
        for (statuses, isFault) in [([0, 0], false), ([1, 2], true), ([2, 2], true), ([137, 3], false)] {
            var watchdog = Watchdog(ranks: 2, hangAfter: 10, start: 0)
            for (rank, status) in statuses.enumerated() {
                var beat = beat(rank, last: true)
                beat.status = Int32(status)
                watchdog.hear(beat, at: 1)
            }
            #expect(watchdog.foundInputFault == isFault, "\(statuses)")
        }
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
        var policy = RestartPolicy(limit: 5, isLocal: true)
        #expect(policy.decide(status: status, wasAsked: false, saved: 1) == .end)
    }

    @Test func countsUpToTheLimitAndAnewAfterACheckpoint() {
        var policy = RestartPolicy(limit: 2, isLocal: false)
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

    /// A crash is the program's own doing, and the same each time; a rank that was killed may live the next time.
    @Test func aCrashThatRepeatsIsFinal() {
        for status in [1, 134, 139] as [Int32] {
            var policy = RestartPolicy(limit: 5, isLocal: true)
            #expect(policy.decide(status: status, wasAsked: false, saved: 0) == .restart(number: 1, pause: 0))
            #expect(policy.decide(status: status, wasAsked: false, saved: 4) == .restart(number: 1, pause: 0))
            #expect(policy.decide(status: status, wasAsked: false, saved: 4) == .endAsRepeated, "\(status)")
        }
        for statuses in [[137, 137, 137], [nil, nil, nil], [139, 137, 139], [143, 143, 143]] as [[Int32?]] {
            var policy = RestartPolicy(limit: 5, isLocal: true)
            for (number, status) in statuses.enumerated() {
                let decision = policy.decide(status: status, wasAsked: false, saved: 0)
                #expect(decision == .restart(number: number + 1, pause: [0, 2, 4][number]), "\(statuses)")
            }
        }
        // Between hosts a lost link ends ranks with 1 too.
        var policy = RestartPolicy(limit: 5, isLocal: false)
        for number in 1...3 {
            let decision = policy.decide(status: 1, wasAsked: false, saved: 0)
            #expect(decision == .restart(number: number, pause: [0, 2, 4][number - 1]))
        }
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

    #if os(Linux)
        /// A picture on which this process holds a lease: whoever opens it waits for three quarters of a minute
        /// (fcntl(2), F_SETLEASE), and no signal or error tells of it.
        @Test func aRankThatHangsIsNamed() throws {
            let (setLease, writeLease, noLease) = (Int32(1024), Int32(1), Int32(2))
            try FileManager.default.copyItem(
                at: fixture.checkpoint.appending(path: "images"), to: fixture.folder["images"])
            let file = open(fixture.folder["images/rgba.png"].path, O_RDWR)
            defer { close(file) }
            // The kernel tells the holder that somebody waits.
            let before = signal(SIGIO, SIG_IGN)
            defer { signal(SIGIO, before) }
            #expect(fcntl(file, setLease, writeLease) == 0)
            let run = try supervised(
                ["--restarts", "0", "--hang-after", "4"], ["data.images=\(fixture.folder.url.path)"])
            _ = fcntl(file, setLease, noLease)
            #expect(run.status == 1, "\(run.errors)")
            #expect(run.errors.contains("got no further for 4 s; the others wait (after step 0)"), "\(run.errors)")
            #expect(ranks().isEmpty)
        }
    #endif

    @Test func wrongInputIsNotTriedAgain() throws {
        let run = try supervised([], ["optimizer.betas=[2, 3]"])
        #expect(run.status == 2)
        #expect(!run.errors.contains("starting it again"), "\(run.errors)")
    }

    /// A launcher of the test's own: a script that is given `-n 2 misp-worker train …`.
    private func launched(by script: String, _ options: [String] = [], _ set: [String] = []) throws -> RankRun {
        try fixture.write("#!/bin/bash\n\(script)\n", to: "launcher")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fixture.folder["launcher"].path)
        return try runRanks(
            nil, "misp-worker",
            ["supervise", "-n", "2", "--launcher", fixture.folder["launcher"].path] + options
                + ["--", "train", "--config", fixture.folder["run.yaml"].path, "--set", "output=out"] + set)
    }

    @Test(arguments: [1, 127, 243] as [Int32]) func aLauncherThatRefusesIsNotTriedAgain(status: Int32) throws {
        let run = try launched(by: "echo no slots >&2; exit \(status)")
        #expect(run.status == status)
        #expect(!run.errors.contains("starting it again"), "\(run.errors)")
        #expect(
            run.errors.contains("launcher ended with status \(status) before any rank had started"), "\(run.errors)")
    }

    @Test func aLauncherThatIsNotThereIsTheUsersFault() throws {
        for launcher in ["/nonexistent/mpirun", "no-such-launcher -x Y", " "] {
            let run = try runRanks(nil, "misp-worker", ["supervise", "-n", "2", "--launcher", launcher, "--", "train"])
            #expect(run.status == 2, "\(launcher): \(run.errors)")
            #expect(run.errors.contains("--launcher: "), "\(run.errors)")
        }
    }

    /// Whatever the launcher makes of ranks that end in different ways.
    @Test(arguments: [1, 137, 0] as [Int32]) func aRanksWordThatTheInputIsAtFaultIsFinal(status: Int32) throws {
        let run = try launched(by: "shift 2; \"$@\"; exit \(status)", [], ["data.train=nowhere.jsonl"])
        #expect(run.status == 2, "\(run.errors)")
        #expect(!run.errors.contains("starting it again"), "\(run.errors)")
    }

    @Test func aCrashAtTheSamePlaceIsNotTriedFiveTimes() throws {
        let run = try launched(by: "shift 2; \"$@\"; exit 139", [], ["optimizer.steps=2"])
        #expect(run.status == 139, "\(run.errors)")
        #expect(run.errors.components(separatedBy: "starting it again").count == 2, "\(run.errors)")
        #expect(run.errors.contains("a second time (after step 2), without a checkpoint between"), "\(run.errors)")
    }

    /// It ignores all that can be ignored, as mpirun does when it has lost a host or waits for an agent.
    @Test func aLauncherThatHangsBeforeItsRanksStartIsEnded() throws {
        var child: Int32?
        let run = try runRanks(
            nil, "misp-worker",
            ["supervise", "-n", "2", "--launcher", try hangingLauncher().path, "--", "train"]
        ) { process in
            for _ in 0..<500 where !FileManager.default.fileExists(atPath: fixture.folder["pid"].path) {
                usleep(10_000)
            }
            child = (try? String(contentsOf: fixture.folder["pid"], encoding: .utf8)).flatMap { Int32($0) }
            kill(process, SIGTERM)
        }
        #expect(run.status == 128 + SIGTERM, "\(run.errors)")
        #expect(run.seconds < 30)
        #expect(kill(try #require(child), 0) != 0)
    }

    private func hangingLauncher() throws -> URL {
        try fixture.write(
            """
            #!/bin/bash
            trap '' TERM USR1 INT HUP
            folder='\(fixture.folder.url.path)'
            printf %s $$ >"$folder/new" && mv "$folder/new" "$folder/pid"
            while :; do sleep 0.2; done

            """, to: "launcher")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fixture.folder["launcher"].path)
        return fixture.folder["launcher"]
    }

    @Test func endsInterruptedWhenAsked() throws {
        let run = try supervised([], ["optimizer.steps=100000", "checkpoint.every=100000"]) { process in
            waitForSteps(3)
            kill(process, SIGTERM)
        }
        #expect(run.status == 3, "\(run.errors)")
        #expect(run.errors.contains("resume with --resume"), "\(run.errors)")
    }
}
