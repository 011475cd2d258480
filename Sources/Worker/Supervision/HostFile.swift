import Coordinator
import Core
import Foundation

/// Hosts and how many ranks each takes, as `mpirun --hostfile` reads them: `node1 slots=8`.
package struct HostFile: Equatable, Sendable {
    package struct Host: Equatable, Sendable {
        /// As the launcher takes it: a name or an IPv4 address, with `user@` before it where ssh needs one.
        package let name: String
        package let slots: Int

        package init(name: String, slots: Int) { (self.name, self.slots) = (name, slots) }
    }

    package var hosts: [Host]

    package var slots: Int { hosts.reduce(0) { $0 + $1.slots } }

    package init(hosts: [Host]) { self.hosts = hosts }

    /// Lines may end as on any system and hold comments behind `#`. What is not understood is an error at its line: a
    /// host that was dropped in silence would be missed by nobody.
    package init(parsing text: String, file: String) throws {
        hosts = []
        let text = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let place = "\(file):\(number + 1)"
            guard let host = try Self.host(line.prefix { $0 != "#" }, at: place) else { continue }
            // mpirun refuses a host that is named twice, in many words.
            if let other = hosts.first(where: { Self.identity($0.name) == Self.identity(host.name) }) {
                throw MISPError(
                    "\(host.name) is the same host as \(other.name), which has a line already", at: place,
                    remedy: "write one line, \(other.name) slots=\(other.slots + host.slots)")
            }
            hosts.append(host)
        }
        guard !hosts.isEmpty else { throw MISPError("names no host", at: file) }
    }

    package init(contentsOf url: URL) throws {
        let text: String
        do { text = try String(contentsOf: url, encoding: .utf8) } catch {
            throw MISPError(
                "cannot be read as text", at: url.relativePath, remedy: "give a file of lines such as node1 slots=8")
        }
        try self.init(parsing: text, file: url.relativePath)
    }

    package var text: String { hosts.map { "\($0.name) slots=\($0.slots)\n" }.joined() }

    /// Throws where the hosts have less room than the ranks need, with all of them there.
    package func checkRoom(for ranks: Int, file: String) throws(MISPError) {
        guard slots < ranks else { return }
        throw MISPError(
            "has \(slots) slots for \(ranks) ranks", at: file, remedy: "ask for -n \(slots), or name more slots")
    }

    /// How many of `ranks` ranks to start here: all where there is room. Else as many as there is room for, and of a
    /// power of two the next lower one, as results on powers of two have the same bits.
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
        return name == "localhost" || name == "127.0.0.1" || name == own || name == String(own.prefix { $0 != "." })
    }

    /// The same for two names of one host, as far as names alone tell.
    private static func identity(_ name: String) -> String {
        let host = name.split(separator: "@").last.map { $0.lowercased() } ?? name
        return isHere(host) ? "localhost" : host
    }
}

extension HostFile {
    private static let mostSlots = 65_536
    /// What Open MPI reads as well: how many ranks may be put there beyond the slots, which is never done here.
    private static let limits: Set = ["max_slots", "max-slots", "slots_max", "slots-max"]

    /// The host of a line without its comment; nil where it is empty.
    private static func host(_ line: Substring, at place: String) throws -> Host? {
        var words = line.split(whereSeparator: \.isWhitespace).flatMap(parts)
        guard !words.isEmpty else { return nil }
        let name = try checkedName(words.removeFirst(), at: place)
        let remedy = "write \(name) slots=8"
        var given: [String: Int] = [:]
        while !words.isEmpty {
            let key = words.removeFirst()
            guard key == "slots" || limits.contains(key) else {
                throw MISPError("'\(shown(key))' is not understood", at: place, remedy: remedy)
            }
            guard words.first == "=", words.count > 1, let count = Int(words[1]), (1...mostSlots).contains(count) else {
                throw MISPError("'\(key)' wants a number from 1 to \(mostSlots)", at: place, remedy: remedy)
            }
            guard given.updateValue(count, forKey: key) == nil else {
                throw MISPError("'\(key)' is given twice", at: place, remedy: remedy)
            }
            words.removeFirst(2)
        }
        guard let slots = given["slots"] else {
            throw MISPError("does not say how many ranks \(name) takes", at: place, remedy: remedy)
        }
        return Host(name: name, slots: slots)
    }

    /// A word in parts, of which each `=` is one: spaces may stand around it or not.
    private static func parts(_ word: Substring) -> [String] {
        word.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            .reduce(into: []) { parts, part in parts += parts.isEmpty ? [part] : ["=", part] }
            .filter { !$0.isEmpty }
    }

    /// A name that a launcher may be given: no other option of its, and nothing that a shell would act upon.
    private static func checkedName(_ name: String, at place: String) throws -> String {
        let parts = name.split(separator: "@", omittingEmptySubsequences: false)
        let isPlain =
            parts.count <= 2
            && parts.allSatisfy { part in
                !part.isEmpty && part.first != "-"
                    && part.utf8.allSatisfy { isalnum(Int32($0)) != 0 && $0 < 128 || "._-".utf8.contains($0) }
            }
        guard !isPlain else { return name }
        if name.count(where: { $0 == ":" }) > 1, name.allSatisfy({ $0.isHexDigit || "[]:.%".contains($0) }) {
            throw MISPError(
                "'\(shown(name))' is an IPv6 address, which mpirun does not read here", at: place,
                remedy: "give the host a name, in /etc/hosts or ~/.ssh/config")
        }
        throw MISPError("'\(shown(name))' is not the name of a host", at: place, remedy: "write node1 slots=8")
    }

    /// A word of the file for a message: short, and without characters that a terminal would act upon.
    private static func shown(_ word: String) -> String {
        let clean = word.unicodeScalars.prefix(40).map {
            CharacterSet.controlCharacters.contains($0) ? "?" : String($0)
        }
        return clean.joined() + (word.unicodeScalars.count > 40 ? "…" : "")
    }
}
