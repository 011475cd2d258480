import Core
import Foundation

/// Which hosts answer when a command is run on each of them, and what the others said instead.
package struct HostAnswers: Sendable {
    package struct Silence: Equatable, Sendable {
        package let name: String
        /// The last line of the agent's own words; nil where it had none.
        package let reason: String?
    }

    package private(set) var answering: HostFile
    package private(set) var silent: [Silence] = []

    private struct Question {
        let name: String
        let process: Process
        let errors: Pipe
    }

    /// So many hosts are asked at a time: each takes processes and open files.
    private static let batch = 64

    /// Runs `agent HOST true` for each host but this one.
    ///
    /// - Parameters:
    ///   - seconds: for a batch of hosts
    ///   - isAsked: whether to wait no longer
    package init(_ file: HostFile, agent: [String], seconds: Double, isAsked: () -> Bool = { false }) {
        answering = file
        let names = file.hosts.map(\.name).filter { !HostFile.isHere($0) }
        for start in stride(from: 0, to: names.count, by: Self.batch) {
            ask(names[start..<min(start + Self.batch, names.count)], agent, seconds, isAsked)
        }
        let left = Set(silent.map(\.name))
        answering.hosts.removeAll { left.contains($0.name) }
    }

    private mutating func ask(
        _ names: ArraySlice<String>, _ agent: [String], _ seconds: Double, _ isAsked: () -> Bool
    ) {
        var questions: [Question] = []
        for name in names {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = agent + [name, "true"]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            let errors = Pipe()
            process.standardError = errors
            if (try? process.run()) == nil {
                silent.append(Silence(name: name, reason: nil))
            } else {
                questions.append(Question(name: name, process: process, errors: errors))
            }
        }
        let end = DispatchTime.now() + seconds
        for question in questions {
            let process = question.process
            while process.isRunning, DispatchTime.now() < end, !isAsked() { usleep(20_000) }
            if process.isRunning {
                ProcessTree.kill(process.processIdentifier)
                silent.append(Silence(name: question.name, reason: "no answer within \(Int(seconds)) s"))
            } else if process.terminationStatus != 0 {
                silent.append(Silence(name: question.name, reason: Self.lastLine(question.errors)))
            }
        }
    }

    /// What stands in the pipe now: a process that the agent left behind may hold it open for ever.
    private static func lastLine(_ pipe: Pipe) -> String? {
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
        return line.map { String($0.filter { !$0.isNewline && $0.asciiValue != 27 }.prefix(160)) }
    }
}
