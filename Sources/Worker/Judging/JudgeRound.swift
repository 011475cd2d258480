import Coordinator
import Core
import Foundation

/// Asks a list of items, several at once, in one thread.
final class JudgeRound {
    private struct Request {
        let item: JudgeItem
        let asked: String
        var attempts = 0
    }

    /// Of waiting before the next attempt, in seconds: doubled from the first on, up to the last.
    private static let waits = (first: 1.0, last: 60.0)
    /// Within which a signal is noticed.
    private static let milliseconds: Int32 = 100

    private let settings: JudgeConfiguration
    private let key: String?
    private let name: String
    private let file: JudgementFile
    private let client: HTTPClient
    /// In the order in which they are asked, the next one last.
    private var waiting: [Request]
    private var underWay: [HTTPClient.Ticket: Request] = [:]
    private var progress: PhaseProgress
    private var done: Int
    private var replies = 0
    /// Until then nothing is asked: a server that is overloaded is so for every item.
    private var pause: ContinuousClock.Instant?
    /// After it nothing more is asked; what is under way is awaited, as it is paid for.
    private var failure: MISPError?

    /// - Parameters:
    ///   - items: with their digests
    ///   - total: of the benchmark, with those that were judged before
    init(
        _ settings: JudgeConfiguration, _ key: String?, name: String, _ items: [(JudgeItem, String)], of total: Int,
        _ file: JudgementFile
    ) throws {
        (self.settings, self.key, self.name, self.file) = (settings, key, name, file)
        client = try HTTPClient()
        waiting = items.reversed().map { Request(item: $0.0, asked: $0.1) }
        done = total - items.count
        progress = PhaseProgress("\(name): verdicts", of: total, isTold: true)
    }

    func run() throws {
        while failure == nil && !waiting.isEmpty || !underWay.isEmpty {
            try stopIfAsked()
            if failure == nil { try start() }
            for (ticket, outcome) in try client.wait(milliseconds: Self.milliseconds) {
                guard let request = underWay.removeValue(forKey: ticket) else { continue }
                try take(JudgeReply(outcome, settings, hasReplied: replies > 0, key: key), request)
            }
            Pulse.note()
        }
        if let failure { throw failure }
    }

    private func stopIfAsked() throws(MISPError) {
        guard Interruption.isAsked else { return }
        throw MISPError(
            "stopped; the \(done) verdicts so far are kept", at: file.path, remedy: "resume with the same command",
            kind: .interrupted)
    }

    private func start() throws(MISPError) {
        if let pause, ContinuousClock.now < pause { return }
        pause = nil
        while underWay.count < settings.parallel, let request = waiting.popLast() {
            let ticket = try client.post(
                try request.item.body(settings), to: settings.endpoint, authorization: key.map { "Bearer \($0)" },
                timeout: settings.timeout)
            underWay[ticket] = request
        }
    }

    private func take(_ reply: JudgeReply, _ request: Request) throws {
        var request = request
        request.attempts += 1
        switch reply {
        case .text(let text):
            replies += 1
            try take(text, request)
        case .malformed(let reason):
            replies += 1
            again(request, "its reply is of no use: \(reason)")
        case .later(let reason, let wait):
            later(request, reason, wait)
        case .refused(let what, let remedy):
            fail(MISPError(what, at: settings.endpoint, remedy: remedy))
        }
    }

    private func take(_ text: String, _ request: Request) throws {
        let (verdict, problem) = request.item.scale.verdict(of: text)
        let isLast = request.attempts > settings.retries
        if verdict != nil || isLast {
            try file.append(request.item, asked: request.asked, verdict: verdict, reply: text)
        }
        guard verdict == nil else {
            done += 1
            progress.update(done)
            return
        }
        guard isLast else { return waiting.append(request) }
        fail(
            MISPError(
                "the judge's reply for \(request.item.id) \(problem), but must hold \(request.item.scale.form): "
                    + "'\(text.shortened(to: 200))'", at: file.path,
                remedy: "ask again with the same command, or put a verdict in place of the null in its line, the last "
                    + "one of \(request.item.id)"))
    }

    /// Once more, at once.
    private func again(_ request: Request, _ reason: String) {
        guard request.attempts > settings.retries else { return waiting.append(request) }
        giveUp(request, reason)
    }

    /// Once more, after a while in which nothing is asked.
    private func later(_ request: Request, _ reason: String, _ wait: Double?) {
        guard request.attempts <= settings.retries else { return giveUp(request, "no reply: \(reason)") }
        let doubled = Self.waits.first * pow(2, Double(min(request.attempts - 1, 30)))
        let seconds = wait ?? min(doubled, Self.waits.last)
        let end = ContinuousClock.now + .seconds(seconds)
        // Requests of one time mostly fail alike: the first is told of.
        if pause.map({ end - $0 > .seconds(1) }) ?? true {
            Console.say("\(name): \(reason); asking again in \(Int(seconds)) s")
        }
        pause = max(pause ?? end, end)
        waiting.append(request)
    }

    private func giveUp(_ request: Request, _ reason: String) {
        fail(
            MISPError(
                "gave no verdict of \(request.item.id) in \(request.attempts) attempts: \(reason)",
                at: settings.endpoint, remedy: "the \(done) verdicts so far are kept; resume with the same command"))
    }

    /// Of several failures the first is told.
    private func fail(_ error: MISPError) { failure = failure ?? error }
}
