import Core
import Foundation
import TestSupport
import Testing
import Worker

/// What the documentation tells people to type and to write is read by the program.
@Suite struct DocumentationTests {
    /// README.md, CONTRIBUTING.md and docs/.
    private static let pages: [URL] = {
        let docs = repository.appending(path: "docs")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: docs.path).sorted()) ?? []
        return ["README.md", "CONTRIBUTING.md"].map { repository.appending(path: $0) }
            + names.filter { $0.hasSuffix(".md") }.map { docs.appending(path: $0) }
    }()

    /// The contents of fenced blocks in `language`.
    private func blocks(_ language: String, in page: URL) throws -> [String] {
        let pieces = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```")
        return pieces.indices.filter { $0 % 2 == 1 && pieces[$0].hasPrefix(language + "\n") }
            .map { String(pieces[$0].dropFirst(language.count + 1)) }
    }

    /// A shell's words: what stands in double quotes is one.
    private func words(_ line: Substring) -> [String] {
        line.matches(of: /"([^"]*)"|[^\s"]+/).map { String($0.1 ?? $0.0) }
    }

    /// Arguments of `launch/local … -- ARGUMENTS`, `launch/debug -- ARGUMENTS` and `misp-worker ARGUMENTS`.
    private func commands(in page: URL) throws -> [[String]] {
        try blocks("sh", in: page).flatMap { $0.split(separator: "\n") }.compactMap { line in
            let words = self.words(line.prefix { $0 != "#" })
            if words.first == "misp-worker" { return Array(words.dropFirst()) }
            let launchers = ["launch/local", "launch/debug", "misp-local"]
            guard let first = words.first, launchers.contains(first), words.contains("--") else { return nil }
            return words.split(separator: "--", maxSplits: 1).last.map(Array.init)
        }
    }

    @Test func commandsParse() throws {
        var count = 0
        for page in Self.pages {
            for command in try commands(in: page) {
                #expect(throws: Never.self, "\(page.lastPathComponent): \(command)") {
                    try Program.checkCommand(command)
                    _ = try Program.parseAsRoot(command)
                }
                count += 1
            }
        }
        #expect(count >= 3)
    }

    /// A checkout has no misp-worker on the search path: commands for it go through a script that is there.
    @Test func commandsAreTypedAsInACheckout() throws {
        var count = 0
        for page in Self.pages {
            let text = try String(contentsOf: page, encoding: .utf8)
            // A page's part on what is installed shows that.
            let checkout = text.split(separator: "\n## ").filter { !$0.hasPrefix("Installed") }.joined(separator: "\n")
            for match in checkout.matches(of: /(?:^|\n|`|-n \d+ )misp-worker ([a-z]+) [-A-Za-z]/) {
                Issue.record("\(page.lastPathComponent): misp-worker \(match.1), not launch/local -- \(match.1)")
            }
            for match in text.matches(of: /(?:^|\n|`)launch\/([a-z.]+)/) {
                let script = repository.appending(path: "launch/\(match.1)").path
                #expect(FileManager.default.fileExists(atPath: script), "\(page.lastPathComponent): launch/\(match.1)")
                count += 1
            }
        }
        #expect(count > 20)
    }

    @Test func configurationsAreRead() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        var count = 0
        for text in try Self.pages.flatMap({ try blocks("yaml", in: $0) }) {
            try Data(text.utf8).write(to: file)
            #expect(throws: Never.self, "\(text)") {
                if text.contains("benchmarks:") {
                    _ = try EvaluationConfiguration(contentsOf: file)
                } else if text.contains("embedder:") {
                    _ = try MineConfiguration(contentsOf: file)
                } else {
                    _ = try RunConfiguration(contentsOf: file)
                }
            }
            count += 1
        }
        #expect(count >= 2)
    }

    @Test(arguments: [
        "first.yaml", "emoji/sft.yaml", "emoji/misp.yaml", "easy-vqa/sft.yaml", "easy-vqa/misp.yaml",
        "easy-vqa/mined.yaml", "easy-vqa/dpo.yaml", "easy-vqa/mdpo.yaml", "easy-vqa/more.yaml", "as-the-paper.yaml",
        "qwen2.5-vl.yaml", "smolvlm.yaml",
    ])
    func examplesAreRead(name: String) throws {
        #expect(throws: Never.self) {
            try RunConfiguration(contentsOf: repository.appending(path: "examples/\(name)"))
        }
    }

    @Test func otherExamplesAreRead() throws {
        for folder in ["emoji", "easy-vqa"] {
            let examples = repository.appending(path: "examples/\(folder)")
            #expect(throws: Never.self) { try MineConfiguration(contentsOf: examples.appending(path: "mine.yaml")) }
        }
        #expect(throws: Never.self) {
            try EvaluationConfiguration(contentsOf: repository.appending(path: "examples/easy-vqa/eval.yaml"))
        }
    }

    /// The page on mining gives the defaults that the program has.
    @Test func minesKeysAndDefaults() throws {
        let page = try #require(Self.pages.first { $0.lastPathComponent == "mining.md" })
        let folder = try TemporaryFolder()
        try Data(try #require(try blocks("yaml", in: page).first).utf8).write(to: folder["documented.yaml"])
        try Data("{model: {path: models/clip-vit-base-patch32}, data: {prompts: groups.jsonl}}".utf8).write(
            to: folder["mine.yaml"])
        let environment = RunConfiguration.Environment(version: "", processor: "", cores: 1, blas: "", ranks: 1)
        func resolved(_ name: String) throws -> String {
            try MineConfiguration(contentsOf: folder[name]).yaml(environment: environment)
        }
        #expect(try resolved("documented.yaml") == resolved("mine.yaml"))
    }

    /// Rows of other trainers say what the row says that stands above them.
    @Test func rowsOfOtherTrainersAreRead() throws {
        let page = try #require(Self.pages.first { $0.lastPathComponent == "data.md" })
        let rows = try blocks("jsonl", in: page).flatMap { $0.split(separator: "\n") }
        #expect(rows.count == 3)
        for row in rows {
            let group = try PreferenceGroup(JSON(parsing: row.utf8, at: "jsonl"), file: "jsonl", line: 1, images: ".")
            #expect([group.prompt, group.chosen, group.rejected] == ["What is on the table?", "An apple.", "A pear."])
            #expect(group.image == "./a.jpg" && group.message == nil)
        }
    }

    @Test func groupsAreRead() throws {
        var count = 0
        for line in try Self.pages.flatMap({ try blocks("json", in: $0) }) {
            let group = try PreferenceGroup(JSON(parsing: line.utf8, at: "json"), file: "json", line: 1, images: ".")
            #expect(group.negatives.count == 2)
            count += 1
        }
        #expect(count >= 2)
    }
}
