import Foundation
import TestSupport
import Testing

/// docs/troubleshooting.md quotes messages that exist.
@Suite struct TroubleshootingTests {
    /// Quoted messages: the first cell of each row of a table, between backquotes.
    private static func messages(_ page: String) -> [String] {
        page.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| `"), let end = line.range(of: "` |") else { return nil }
            return String(line[line.index(line.startIndex, offsetBy: 3)..<end.lowerBound])
        }
    }

    /// What stands in the sources and launchers, by file.
    private static func sources() throws -> [String] {
        try ["Sources", "launch"].flatMap { folder in
            let root = repository.appending(path: folder)
            let names = try FileManager.default.subpathsOfDirectory(atPath: root.path)
            return names.compactMap { try? String(contentsOf: root.appending(path: $0), encoding: .utf8) }
        }
    }

    /// The parts of a message between what differs.
    private static func fixed(_ message: String) -> [String] {
        message.components(separatedBy: "…").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// Whether one file holds all fixed parts of a message.
    private static func occurs(_ message: String, in sources: [String]) -> Bool {
        let parts = fixed(message)
        return !parts.isEmpty && sources.contains { source in parts.allSatisfy(source.contains) }
    }

    @Test func messagesAreThoseOfTheSources() throws {
        let page = try String(contentsOf: repository.appending(path: "docs/troubleshooting.md"), encoding: .utf8)
        let sources = try Self.sources()
        let messages = Self.messages(page)
        #expect(messages.count > 50)
        #expect(Set(messages).count == messages.count)
        for message in messages {
            let isThere = Self.occurs(message, in: sources)
            #expect(isThere, "no source says: \(message)")
        }
    }

    @Test func aMessageThatChangedIsFound() {
        let page = "| message | cause |\n|---|---|\n| `is 3, but … wants … more` | x |\ntext `no row` |\n"
        #expect(Self.messages(page) == ["is 3, but … wants … more"])
        #expect(Self.fixed("is 3, but … wants … more") == ["is 3, but", "wants", "more"])
        #expect(Self.occurs("has … rows", in: ["has no", "has 3 rows"]))
        #expect(!Self.occurs("has … rows", in: ["has no", "3 rows"]))
        #expect(!Self.occurs("…", in: ["anything"]))
    }
}
