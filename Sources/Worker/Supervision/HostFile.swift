import Coordinator
import Core
import Foundation

/// Hosts and how many ranks each takes, as `mpirun --hostfile` reads them: `node1 slots=8`.
package struct HostFile: Equatable, Sendable {
    package struct Host: Equatable, Sendable {
        package let name: String
        package let slots: Int
    }

    package var hosts: [Host]

    package var slots: Int { hosts.reduce(0) { $0 + $1.slots } }

    package init(hosts: [Host]) { self.hosts = hosts }

    package init(parsing text: String, file: String) throws {
        hosts = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let name = words.first else { continue }
            let slots = words.dropFirst().first { $0.hasPrefix("slots=") }.flatMap { Int($0.dropFirst(6)) }
            guard let slots, slots > 0 else {
                throw MISPError(
                    "does not say how many ranks \(name) takes", at: "\(file):\(number + 1)",
                    remedy: "write \(name) slots=8")
            }
            hosts.append(Host(name: name, slots: slots))
        }
        guard !hosts.isEmpty else { throw MISPError("names no host", at: file) }
    }

    package init(contentsOf url: URL) throws {
        let text: String
        do { text = try String(contentsOf: url, encoding: .utf8) } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: url.relativePath)
        }
        try self.init(parsing: text, file: url.relativePath)
    }

    package var text: String { hosts.map { "\($0.name) slots=\($0.slots)\n" }.joined() }

    /// How many of `ranks` ranks to start here: all where there is room. Else as many as there is room for, and of a power
    /// of two the next lower one, as results on powers of two have the same bits.
    package func ranks(of ranks: Int) -> Int {
        guard slots < ranks else { return ranks }
        guard ranks & (ranks - 1) == 0 else { return slots }
        var power = 1
        while power * 2 <= slots { power *= 2 }
        return power
    }

    /// Whether a host is this one, which needs no asking.
    package static func isHere(_ name: String) -> Bool {
        let own = Heartbeat.hostName
        return name == "localhost" || name == own || name == String(own.prefix { $0 != "." })
    }

    /// The hosts that answer within `seconds` when `agent HOST true` is run.
    package func answering(agent: [String], seconds: Double) -> HostFile {
        var alive: [String] = []
        var asked: [(name: String, process: Process)] = []
        for host in hosts {
            guard !Self.isHere(host.name) else {
                alive.append(host.name)
                continue
            }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = agent + [host.name, "true"]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            if (try? process.run()) != nil { asked.append((host.name, process)) }
        }
        let end = DispatchTime.now() + seconds
        for (name, process) in asked {
            while process.isRunning, DispatchTime.now() < end { usleep(20_000) }
            if process.isRunning {
                kill(process.processIdentifier, SIGKILL)
            } else if process.terminationStatus == 0 {
                alive.append(name)
            }
        }
        return HostFile(hosts: hosts.filter { alive.contains($0.name) })
    }
}
