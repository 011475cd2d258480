import Core
import Foundation
import TestSupport
import Testing
import Worker

/// docs/configuration.md has every key there is, with its default, as the program declares it.
@Suite struct ConfigurationPageTests {
    private static let mark = "<!-- the keys -->\n"

    /// A table for each section, in the order of the declarations.
    private static func tables<Root>(_ keys: ConfigurationKeys<Root>, of root: Root) throws -> String {
        var sections: [String?] = []
        for key in keys.all where !sections.contains(key.section) { sections.append(key.section) }
        return sections.map { section -> String in
            let rows = keys.all.filter { $0.section == section }.map { key in
                "| `\(key.name)` | \(key.standard ?? standard(key.write(root))) | \(key.values) | \(key.help) |\n"
            }
            return (section.map { "### \($0)\n\n" } ?? "")
                + "| key | default | values | meaning |\n|---|---|---|---|\n" + rows.joined() + "\n"
        }.joined()
    }

    private static func standard(_ value: JSON) -> String {
        switch value {
        case .null: "none"
        case .string(let text): text
        // As people write numbers: 0.00001 is 1e-05.
        case .number(let number): number == number.rounded() ? "\(Int(number))" : "\(number)"
        case .array(let elements): elements.map(standard).joined(separator: ", ")
        default: value.description
        }
    }

    /// `MISP_UPDATE_DOCS=1` writes the page anew.
    @Test func everyKeyIsOnThePage() throws {
        let folder = try TemporaryFolder()
        func file(_ text: String) throws -> URL {
            let file = folder.url.appending(path: "\(UUID().uuidString).yaml")
            try Data(text.utf8).write(to: file)
            return file
        }
        let run = try RunConfiguration(contentsOf: try file("model: {path: m}\ndata: {train: g.jsonl}\n"))
        let mine = try MineConfiguration(contentsOf: try file("model: {path: m}\ndata: {prompts: g.jsonl}\n"))
        // Sections that need not be there are, so that their defaults are.
        let evaluation = try EvaluationConfiguration(
            contentsOf: try file(
                """
                model: {path: m}
                judge: {url: 'http://localhost/v1', model: m}
                benchmarks: [{kind: pope, questions: q.jsonl}]
                """))
        let text =
            "\n## run.yaml\n\nFor `train`, `check`, `plan`, `score`, `generate` and `export`.\n\n"
            + (try Self.tables(RunConfiguration.keys, of: run))
            + "## mine.yaml\n\nFor `mine` ([mining.md](mining.md)).\n\n"
            + (try Self.tables(MineConfiguration.keys, of: mine))
            + "## eval.yaml\n\nFor `evaluate` ([evaluation.md](evaluation.md)).\n\n"
            + (try Self.tables(EvaluationConfiguration.keys, of: evaluation))
            + "### each of benchmarks\n\n"
            + (try Self.tables(ConfigurationKeys(BenchmarkSource.keys), of: evaluation.benchmarks[0]))
        let page = repository.appending(path: "docs/configuration.md")
        let before = try String(contentsOf: page, encoding: .utf8)
        let written = try #require(before.range(of: Self.mark))
        let expected = before[..<written.upperBound] + "\n\(text.trimmingCharacters(in: .newlines))\n"
        if ProcessInfo.processInfo.environment["MISP_UPDATE_DOCS"] == "1" {
            try Data(expected.utf8).write(to: page)
        }
        #expect(try String(contentsOf: page, encoding: .utf8) == expected, "MISP_UPDATE_DOCS=1 writes the page anew")
    }
}
