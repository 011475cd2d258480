import Coordinator
import Core
import Foundation

/// Starts a run by its launcher, watches it, ends it when it hangs, and starts it again from its last checkpoint.
package struct Supervisor {
    struct Settings {
        var ranks: Int
        /// Nil for ranks of this host alone.
        var hosts: HostFile?
        /// Where they were read.
        var file = "supervise"
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
        var hasBegun = false
        var saved = 0
        var step = 0
        /// Whether any rank was heard of.
        var wasHeard = false
        var seconds = 0.0
    }

    private static let secondsToAnswer = 15.0
    /// For a launcher that is asked to end, until it is killed.
    private static let secondsToEnd = 5.0
    /// For a launcher that was told to end at once, before it is told again, and killed.
    private static let secondsInsisted = 2.0
    /// For a launcher none of whose ranks has started, from the first request to end until it is ended.
    private static let secondsToStart = 5.0
    /// A launcher to many hosts that ended later than this had started its ranks, of which nothing came through.
    private static let secondsToRefuse = 60.0

    private let settings: Settings
    /// Whether all ranks are on this host; Slurm chooses hosts itself.
    private let isLocal: Bool
    private let listener: BeatListener
    private let worker: String
    private let signals = PassedSignals()

    init(_ settings: Settings) throws {
        self.settings = settings
        isLocal = settings.hosts == nil && settings.launcher[0].split(separator: "/").last != "srun"
        listener = try BeatListener(isLocal: isLocal)
        guard let worker = Bundle.main.executablePath else {
            throw MISPError("cannot find its own file", at: "supervise", kind: .defect)
        }
        self.worker = worker
    }

    /// Returns the status of the run's last start.
    func execute() throws -> Int32 {
        signals.watch()
        var policy = RestartPolicy(limit: settings.restarts, isLocal: isLocal)
        var total = Attempt()
        var unheard = 0
        while true {
            let attempt = try start(total)
            total.hasBegun = total.hasBegun || attempt.hasBegun
            total.wasHeard = total.wasHeard || attempt.wasHeard
            total.saved = max(total.saved, attempt.saved)
            unheard = attempt.wasHeard ? 0 : unheard + 1
            if signals.isAsked { return askedStatus(attempt, saved: total.saved) }
            if let status = refusal(attempt, unheard: unheard, everHeard: total.wasHeard) { return status }
            let decision = policy.decide(status: attempt.status, wasAsked: false, saved: total.saved)
            guard case .restart(let number, let pause) = decision else {
                return finalStatus(attempt, isRepeated: decision == .endAsRepeated)
            }
            let how = attempt.status.map { "the run ended with status \($0)" } ?? "the run was ended"
            let saved = total.saved
            let from =
                !total.hasBegun ? "from its beginning" : saved > 0 ? "from step \(saved)" : "from its last checkpoint"
            say(
                "\(how); starting it again \(from) (restart \(number) of \(settings.restarts) without a new checkpoint)"
            )
            for _ in 0..<Int(pause * 10) where !signals.isAsked { usleep(100_000) }
            if signals.isAsked { return askedStatus(attempt, saved: saved) }
        }
    }

    /// The status to end with where the launcher refuses to start the run, and would again; nil where it does not.
    private func refusal(_ attempt: Attempt, unheard: Int, everHeard: Bool) -> Int32? {
        guard unheard > 0, let status = attempt.status, ![0, 2, 3].contains(status) else { return nil }
        // Killed, which may not happen again.
        let wasKilled = [128 + SIGKILL, 128 + SIGTERM].contains(status)
        let isRefusal =
            isLocal
            ? unheard > 1 || !everHeard && !wasKilled
            : unheard > 1 && !everHeard && attempt.seconds < Self.secondsToRefuse
        guard isRefusal else { return nil }
        say("\(settings.launcher[0]) ended with status \(status) before any rank had started; it is not tried again")
        return status
    }

    /// For a run that is not started again.
    private func finalStatus(_ attempt: Attempt, isRepeated: Bool) -> Int32 {
        guard let status = attempt.status else {
            if settings.restarts > 0 { say("giving up after \(settings.restarts) restarts without a new checkpoint") }
            return MISPError.Kind.defect.rawValue
        }
        if [0, 2, 3].contains(status) { return status }
        if isRepeated {
            say(
                "it ended with status \(status) "
                    + "a second time (after step \(attempt.step)), without a checkpoint between: it is not tried again")
        } else if settings.restarts > 0 {
            say("giving up after \(settings.restarts) restarts without a new checkpoint")
        }
        return status
    }

    /// For a run that was asked to end. One that died before it could is interrupted all the same, if there is a
    /// checkpoint; a launcher that ended well without a rank has done nothing.
    private func askedStatus(_ attempt: Attempt, saved: Int) -> Int32 {
        let status = attempt.status ?? MISPError.Kind.defect.rawValue
        if [2, 3].contains(status) || status == 0 && attempt.wasHeard { return status }
        guard saved > 0 else {
            // A checkpoint may have been written that the dead run no longer told of.
            if attempt.hasBegun { say("ended as asked; no checkpoint is known of: resume with --resume-if-any") }
            return attempt.wasHeard ? status : 128 + SIGTERM
        }
        say("ended as asked; the last checkpoint is that of step \(saved): resume with --resume")
        return MISPError.Kind.interrupted.rawValue
    }

    /// - Parameter total: what is known of the run so far
    private func start(_ total: Attempt) throws -> Attempt {
        var ranks = settings.ranks
        var launch = settings.launcher
        var file: URL?
        defer { if let file { try? FileManager.default.removeItem(at: file) } }
        if let all = settings.hosts {
            let hosts = try answering(all, isFirst: !total.wasHeard)
            guard !hosts.hosts.isEmpty, !signals.isAsked else { return Attempt() }
            ranks = hosts.ranks(of: ranks)
            if ranks < settings.ranks {
                say("\(ranks) ranks instead of \(settings.ranks): there are \(hosts.slots) slots")
            }
            let name = FileManager.default.temporaryDirectory.appending(path: "misp-hosts-\(UUID().uuidString)")
            try FileOutput.write(hosts.text, to: name)
            file = name
            launch += ["--hostfile", name.path, "-x", Heartbeat.variable]
        }
        launch += ["-n", "\(ranks)", worker] + Self.arguments(settings.arguments, goingOn: total.hasBegun)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = launch
        process.standardInput = FileHandle.nullDevice
        process.environment = ProcessInfo.processInfo.environment
            .merging([Heartbeat.variable: listener.whereabouts]) { $1 }
        do { try process.run() } catch {
            throw MISPError("cannot be started (\(SystemReason.text(error)))", at: launch[0])
        }
        return watch(process, ranks: ranks)
    }

    /// The hosts to start on. That none answers at all before the run has ever started is for a person to mend.
    private func answering(_ all: HostFile, isFirst: Bool) throws -> HostFile {
        let answers = HostAnswers(all, agent: settings.agent, seconds: Self.secondsToAnswer) { signals.isAsked }
        let silent = answers.silent
        guard !silent.isEmpty, !signals.isAsked else { return answers.answering }
        let words = silent.prefix(8).map { "\($0.name)\($0.reason.map { " (\($0))" } ?? "")" }.joined(separator: ", ")
        let names = words + (silent.count > 8 ? ", …" : "")
        if isFirst, answers.answering.hosts.isEmpty {
            throw MISPError(
                "no host answers: \(names)", at: settings.file,
                remedy: "see that `\(settings.agent.joined(separator: " ")) \(silent[0].name) true` works")
        }
        say("left out, as \(silent.count == 1 ? "it does" : "they do") not answer: \(names)")
        return answers.answering
    }

    /// Returns when the launcher has ended, or was made to.
    private func watch(_ process: Process, ranks: Int) -> Attempt {
        let start = Self.now
        var watchdog = Watchdog(ranks: ranks, hangAfter: settings.hangAfter, start: start)
        var verdict: Watchdog.Verdict?
        while process.isRunning {
            watchdog.look(at: Self.now)
            if let beat = listener.next(within: 100) { watchdog.hear(beat, at: Self.now) }
            signals.pass(to: process.processIdentifier)
            if isOverdue(watchdog) {
                end(process, watchdog.beats)
                break
            }
            watchdog.look(at: Self.now)
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
        var attempt = Attempt(
            status: verdict == nil ? status : nil, hasBegun: watchdog.hasBegun, saved: watchdog.saved,
            step: watchdog.step, wasHeard: !watchdog.beats.isEmpty, seconds: Self.now - start)
        // Of ranks that end in different ways the launcher reports one.
        if watchdog.foundInputFault { attempt.status = MISPError.Kind.input.rawValue }
        return attempt
    }

    /// Whether a launcher that was asked to end has had its time: it hangs before its ranks have started, or was told
    /// to end at once. With no watch (`--hang-after 0`) ranks on other hosts may be there though none is heard.
    private func isOverdue(_ watchdog: Watchdog) -> Bool {
        if let since = signals.insistedSince, Self.now - since > Self.secondsInsisted { return true }
        guard let since = signals.askedSince, watchdog.beats.isEmpty, isLocal || settings.hangAfter > 0 else {
            return false
        }
        return Self.now - since > Self.secondsToStart
    }

    /// A launcher that has lost a host may never end by itself, and its ranks here would be left behind.
    private func end(_ process: Process, _ beats: [Beat]) {
        let children = ProcessTree.children(of: process.processIdentifier)
        kill(process.processIdentifier, SIGTERM)
        let end = Self.now + Self.secondsToEnd
        while process.isRunning, Self.now < end { usleep(50_000) }
        if process.isRunning { ProcessTree.kill(process.processIdentifier) }
        process.waitUntilExit()
        for beat in beats where beat.host == Heartbeat.hostName && Self.isWorker(beat.process, worker) {
            kill(beat.process, SIGKILL)
        }
        // Agents that hang.
        for child in children { kill(child, SIGKILL) }
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
    static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

    private func say(_ line: String) {
        StandardStreams.tell("misp: supervise: \(line)\n")
    }
}
