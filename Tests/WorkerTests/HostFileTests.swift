import Core
import Foundation
import TestSupport
import Testing
import Worker

@Suite struct HostFileTests {
    private func hosts(_ text: String) throws -> HostFile { try HostFile(parsing: text, file: "h") }

    private func fault(_ text: String) -> String {
        do {
            return "read as \(try hosts(text).text)"
        } catch {
            return "\(error)"
        }
    }

    @Test func readsWhatMpirunReads() throws {
        let file = try hosts("# two\n\nnode1 slots=8 max_slots=9\n node2 slots=4 # half\n")
        #expect(file.text == "node1 slots=8\nnode2 slots=4\n")
        #expect(file.ranks(of: 12) == 12)
        #expect(file.ranks(of: 64) == 8)
        #expect(file.ranks(of: 63) == 12)
    }

    /// As editors and systems write it; none of the hosts may be lost.
    @Test(arguments: [
        "a slots=1\r\nb slots=2\r\n", "a slots=1\rb slots=2", "\u{FEFF}a slots=1\nb slots=2",
        "a\tslots=1\t\n\tb slots=2",
        "a slots = 1\nb  slots= 2  ", "a slots =1\n\n\nb slots=2 max-slots = 4#c", "a slots=1#\r\n#\r\nb slots=2",
        "a slots=1\u{2028}b slots=2", "a slots=1 \u{A0}\nb slots=2",
    ])
    func linesEndAndSpacesStandAsTheyLike(text: String) throws {
        #expect(try hosts(text).text == "a slots=1\nb slots=2\n")
    }

    @Test(arguments: [
        ("# none\n", "h: names no host"),
        ("\nnode1\n", "h:2: does not say how many ranks node1 takes; write node1 slots=8"),
        ("a slots=1\nb slots=0\n", "h:2: 'slots' wants a number from 1 to 65536"),
        ("a slots=99999999999999999999\n", "h:1: 'slots' wants a number"),
        ("a slots=\n", "h:1: 'slots' wants a number"),
        ("a slots=2,b\n", "h:1: 'slots' wants a number"), ("a slots 4\n", "h:1: 'slots' wants a number"),
        ("a solts=4\n", "h:1: 'solts' is not understood"), ("a 4\n", "h:1: '4' is not understood"),
        ("a slots=4 slots=4\n", "h:1: 'slots' is given twice"), ("a:4\n", "h:1: 'a:4' is not the name of a host"),
        ("::1 slots=2\n", "h:1: '::1' is an IPv6 address"), ("[fe80::1%eth0] slots=2", "h:1: '[fe80::1%eth0]' is"),
        ("-oProxyCommand=x slots=2\n", "h:1: '-oProxyCommand' is not the name of a host"),
        ("a;reboot slots=2\n", "h:1: 'a;reboot' is not the name"), ("nöde slots=2\n", "h:1: 'nöde' is not the name"),
        ("a\u{1B}[2J slots=2\n", "h:1: 'a?[2J' is not the name"), ("=4\n", "h:1: '=' is not the name"),
        ("a slots=1\nb slots=1\nA slots=2\n", "h:3: A is the same host as a, which has a line already"),
        ("localhost slots=1\n127.0.0.1 slots=1", "h:2: 127.0.0.1 is the same host as localhost"),
    ])
    func refusesByLineWhatItDoesNotUnderstand(text: String, message: String) {
        #expect(fault(text).hasPrefix(message), "\(fault(text))")
    }

    @Test func everyFileThatIsWrittenInAnyWayGivesItsHosts() throws {
        var random = KeyedRandom(1, "hostfiles")
        func some(_ choices: String...) -> String { choices[random.below(choices.count)] }
        for _ in 0..<1000 {
            let wanted = (0...random.below(6)).map { HostFile.Host(name: "n\($0).x-y", slots: 1 + random.below(9)) }
            var text = some("", "\u{FEFF}", "# head\r\n")
            for (index, host) in wanted.enumerated() {
                let end = index == wanted.count - 1 ? some("", "\n", "\r\n") : some("\n", "\r\n", "\n\n", " #\r\n")
                let equals = some("=", " =", "= ", "\t=\t")
                let more = some("", " max_slots=\(host.slots)", "\tslots_max = 99", " # slots=7")
                text +=
                    some("", " ", "\t") + host.name + some(" ", "\t", "  ") + "slots\(equals)\(host.slots)\(more)\(end)"
            }
            #expect(try hosts(text) == HostFile(hosts: wanted), "\(text.debugDescription)")
        }
    }

    /// Either a file means hosts, each with its slots, or its line is named; nothing in between, and no trap.
    @Test func whateverStandsThereIsReadOrRefusedByLine() {
        let pieces = [
            "a", "b1", " ", "\n", "\r\n", "slots", "=", "4", "-1", "#", "@", ":", "\u{0}", "max_slots=2", "é", "%",
        ]
        var random = KeyedRandom(2, "hostfiles")
        for _ in 0..<3000 {
            let text = (0..<random.below(14)).map { _ in pieces[random.below(pieces.count)] }.joined()
            do {
                let file = try hosts(text)
                #expect(file.hosts.allSatisfy { $0.slots > 0 && text.contains($0.name) }, "\(text.debugDescription)")
                #expect(try hosts(file.text) == file)
            } catch {
                let isNamed = "\(error)".hasPrefix("h:") && (error as? MISPError)?.kind == .input
                #expect(isNamed, "\(text.debugDescription): \(error)")
            }
        }
    }

    @Test func namesHowManySlotsThereAre() {
        let file = HostFile(hosts: [.init(name: "a", slots: 3)])
        #expect(throws: MISPError("has 3 slots for 4 ranks", at: "h", remedy: "ask for -n 3, or name more slots")) {
            try file.checkRoom(for: 4, file: "h")
        }
        #expect(throws: Never.self) { try file.checkRoom(for: 3, file: "h") }
    }

    @Test func leavesOutHostsThatDoNotAnswerAndSaysWhy() throws {
        let folder = try TemporaryFolder()
        let agent = folder["agent"]
        let script = """
            #!/bin/sh
            case $1 in dead) echo 'no such host: dead' >&2; exit 255;; mute) sleep 60;; esac
            shift
            exec "$@"

            """
        try Data(script.utf8).write(to: agent)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: agent.path)
        let file = try hosts(["localhost", "alive", "dead", "mute"].map { "\($0) slots=2\n" }.joined())
        let answers = HostAnswers(file, agent: [agent.path], seconds: 2)
        #expect(answers.answering.hosts.map(\.name) == ["localhost", "alive"])
        #expect(answers.silent.first { $0.name == "dead" }?.reason == "no such host: dead")
        #expect(answers.silent.first { $0.name == "mute" }?.reason == "no answer within 2 s")
    }
}
