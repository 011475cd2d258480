import Coordinator
import Core
import Foundation

/// Starts a run by its launcher, watches it, ends it when it hangs, and starts it again from its last checkpoint.
package struct Supervisor {
    struct Settings {
        var ranks: Int
        /// Nil for ranks of this host alone.
        var hosts: HostFile?
        var restarts: Int
        var hangAfter: Double
        /// `mpirun` and its options, but for the number of ranks and the hosts.
        var launcher: [String]
        /// What runs a command on a host, such as `ssh`.
        var agent: [String]
        /// The worker's own.
        var arguments: [String]
    }

    private struct Attempt {
        /// Nil when it was ended as hung.
        var status: Int32?
        var hasBegun: Bool
        var saved: Int
        /// Whether any rank was heard of.
        var wasHeard: Bool
    }

    private static let secondsToAnswer = 15.0
    /// For a launcher that is asked to end, until it is killed.
    private static let secondsToEnd = 5.0

    private let settings: Settings
    private let listener: BeatListener
    private let worker: String
    private let signals = PassedSignals()

    init(_ settings: Settings) throws {
        self.settings = settings
        listener = try BeatListener()
        guard let worker = Bundle.main.executablePath else {
            throw MISPError("cannot find its own file", at: "supervise", kind: .defect)
        }
        self.worker = worker
    }

    /// Returns the status of the run's last start.
    func execute() throws -> Int32 {
        signals.watch()
        var policy = RestartPolicy(limit: settings.restarts)
        var saved = 0
        var hasBegun = false
        var unheard = 0
        while true {
            let attempt = try start(goingOn: hasBegun)
            hasBegun = hasBegun || attempt.hasBegun
            saved = max(saved, attempt.saved)
            unheard = attempt.wasHeard ? 0 : unheard + 1
            // It is the launcher that fails.
            if settings.hosts == nil, unheard > 1 { return attempt.status ?? MISPError.Kind.defect.rawValue }
            let decision = policy.decide(status: attempt.status, wasAsked: signals.isAsked, saved: saved)
            guard case .restart(let number, let pause) = decision else {
                if let status = attempt.status, [0, 2, 3].contains(status) { return status }
                if signals.isAsked { return askedStatus(attempt, saved: saved) }
                if settings.restarts > 0 {
                    say("giving up after \(settings.restarts) restarts without a new checkpoint")
                }
                return attempt.status ?? MISPError.Kind.defect.rawValue
            }
            let how = attempt.status.map { "the run ended with status \($0)" } ?? "the run was ended"
            let from = !hasBegun ? "from its beginning" : saved > 0 ? "from step \(saved)" : "from its last checkpoint"
            say(
                "\(how); starting it again \(from) (restart \(number) of \(settings.restarts) without a new checkpoint)"
            )
            for _ in 0..<Int(pause * 10) where !signals.isAsked { usleep(100_000) }
            if signals.isAsked { return askedStatus(attempt, saved: saved) }
        }
    }

    /// For a run that was asked to end but died before it could: interrupted all the same, if there is a checkpoint.
    private func askedStatus(_ attempt: Attempt, saved: Int) -> Int32 {
        guard saved > 0 else { return attempt.status ?? MISPError.Kind.defect.rawValue }
        say("ended as asked; the last checkpoint is that of step \(saved): go on with --resume")
        return MISPError.Kind.interrupted.rawValue
    }

    private func start(goingOn: Bool) throws -> Attempt {
        var ranks = settings.ranks
        var launch = settings.launcher
        var file: URL?
        defer { if let file { try? FileManager.default.removeItem(at: file) } }
        if let all = settings.hosts {
            let hosts = all.answering(agent: settings.agent, seconds: Self.secondsToAnswer)
            let dead = all.hosts.filter { !hosts.hosts.contains($0) }.map(\.name)
            if !dead.isEmpty {
                say(
                    "left out, as \(dead.count == 1 ? "it does" : "they do") not answer: \(dead.joined(separator: ", "))"
                )
            }
            guard !hosts.hosts.isEmpty else { return Attempt(status: nil, hasBegun: false, saved: 0, wasHeard: false) }
            ranks = hosts.ranks(of: ranks)
            if ranks < settings.ranks {
                say("\(ranks) ranks instead of \(settings.ranks): there are \(hosts.slots) slots")
            }
            let name = FileManager.default.temporaryDirectory.appending(path: "misp-hosts-\(UUID().uuidString)")
            try FileOutput.write(hosts.text, to: name)
            file = name
            launch += ["--hostfile", name.path, "-x", Heartbeat.variable]
        }
        launch += ["-n", "\(ranks)", worker] + Self.arguments(settings.arguments, goingOn: goingOn)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = launch
        process.standardInput = FileHandle.nullDevice
        let environment = ProcessInfo.processInfo.environment
        // Slurm chooses the hosts.
        let isHere = settings.hosts == nil && environment["SLURM_JOB_ID"] == nil
        process.environment = environment.merging([Heartbeat.variable: listener.whereabouts(local: isHere)]) { $1 }
        do { try process.run() } catch {
            throw MISPError("cannot be started (\(SystemReason.text(error)))", at: launch[0])
        }
        return watch(process, ranks: ranks)
    }

    /// Returns when the launcher has ended, or was made to.
    private func watch(_ process: Process, ranks: Int) -> Attempt {
        var watchdog = Watchdog(ranks: ranks, hangAfter: settings.hangAfter, start: Self.now)
        var verdict: Watchdog.Verdict?
        while process.isRunning {
            if let beat = listener.next(within: 100) { watchdog.hear(beat, at: Self.now) }
            signals.pass(to: process.processIdentifier)
            verdict = watchdog.verdict(at: Self.now)
            if let verdict {
                say("\(verdict)")
                end(process, watchdog.beats)
                break
            }
        }
        // What arrived last.
        while let beat = listener.next(within: 0) { watchdog.hear(beat, at: Self.now) }
        let status = process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0)
        return Attempt(
            status: verdict == nil ? status : nil, hasBegun: watchdog.hasBegun, saved: watchdog.saved,
            wasHeard: !watchdog.beats.isEmpty)
    }

    /// A launcher that has lost a host may never end by itself, and its ranks here would be left behind.
    private func end(_ process: Process, _ beats: [Beat]) {
        kill(process.processIdentifier, SIGTERM)
        let end = Self.now + Self.secondsToEnd
        while process.isRunning, Self.now < end { usleep(50_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        for beat in beats where beat.host == Heartbeat.hostName && Self.isWorker(beat.process, worker) {
            kill(beat.process, SIGKILL)
        }
    }

    /// Whether the process is a rank of ours still, and not another that has its number.
    private static func isWorker(_ process: Int32, _ worker: String) -> Bool {
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/exe")
        return link == (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) && link != nil
    }

    /// A training run that has begun goes on from its newest checkpoint; anything else is done again.
    package static func arguments(_ given: [String], goingOn: Bool) -> [String] {
        guard goingOn, given.first == "train" else { return given }
        return ["train", "--resume-if-any"] + given.dropFirst().filter { $0 != "--resume" && $0 != "--resume-if-any" }
    }

    /// Seconds of a clock that stands still while the machine sleeps.
    private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

    private func say(_ line: String) {
        FileHandle.standardError.write(Data("misp: supervise: \(line)\n".utf8))
    }
}
