import Foundation
import TestSupport
import Testing

/// Within a target a folder uses only folders that do not use it, and docs/architecture.md has the arrows as they are.
@Suite struct FolderArrowsTests {
    static let targets = ["Core", "Worker"]

    /// By folder, the folders whose types its files name. A type's name that stands in two folders, or in another type
    /// too, says nothing and is left out.
    private static func arrows(of target: String) throws -> [String: Set<String>] {
        let root = repository.appending(path: "Sources/\(target)")
        var files: [(folder: String, text: String)] = []
        for case let file as URL in FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) ?? .init()
        where file.pathExtension == "swift" {
            // A folder within a folder is a part of it.
            let path = file.standardizedFileURL.pathComponents.dropFirst(root.standardizedFileURL.pathComponents.count)
            files.append((path.count > 1 ? path.first ?? "." : ".", try code(of: file)))
        }
        #expect(files.count > 50)
        var (homes, nested) = ([String: Set<String>](), Set<String>())
        let kinds = "(?:struct|class|enum|protocol|actor|typealias)"
        for (folder, text) in files {
            for name in names(text, "(?m)^(?:(?!private|fileprivate)\\w+ )*\(kinds) (\\w+)") {
                homes[name, default: []].insert(folder)
            }
            nested.formUnion(names(text, "(?m)^[ \\t]+(?:\\w+ )*\(kinds) (\\w+)"))
        }
        var arrows: [String: Set<String>] = [:]
        for (folder, text) in files {
            for name in Set(names(text, "\\b([A-Z]\\w+)\\b")) {
                guard let home = homes[name], home.count == 1, !home.contains(folder), !nested.contains(name) else {
                    continue
                }
                arrows[folder, default: []].formUnion(home)
            }
            arrows[folder, default: []].formUnion([])
        }
        return arrows
    }

    /// Without comments and text.
    private static func code(of file: URL) throws -> String {
        var text = try String(contentsOf: file, encoding: .utf8)
        for pattern in ["(?m)//.*$", "(?s)\"\"\".*?\"\"\"", "Unicode\\.Scalar"] {
            text = text.replacingOccurrences(of: pattern, with: "", options: .regularExpression)
        }
        return text
    }

    private static func names(_ text: String, _ pattern: String) -> [String] {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return [] }
        let all = NSRange(text.startIndex..., in: text)
        return expression.matches(in: text, range: all).compactMap { match in
            Range(match.range(at: 1), in: text).map { String(text[$0]) }
        }
    }

    /// The folders from the ground up: each uses only earlier ones. What is left over stands in a circle.
    private static func order(_ arrows: [String: Set<String>]) -> (sorted: [String], circle: [String]) {
        var (sorted, rest) = ([String](), arrows)
        while let next = rest.filter({ $0.value.isSubset(of: sorted) }).keys.min() {
            sorted.append(next)
            rest[next] = nil
        }
        return (sorted, rest.keys.sorted())
    }

    @Test(arguments: targets) func noFolderStandsInACircle(target: String) throws {
        let (sorted, circle) = Self.order(try Self.arrows(of: target))
        #expect(circle == [], "\(circle) use each other")
        #expect(sorted.count >= 10)
    }

    /// The test notices a circle.
    @Test func circlesAreSeen() {
        #expect(Self.order(["A": [], "B": ["A", "C"], "C": ["B"]]).circle == ["B", "C"])
    }

    /// `MISP_UPDATE_DOCS=1` writes the tables anew.
    @Test func theTablesAreAsTheSourcesAre() throws {
        let page = repository.appending(path: "docs/architecture.md")
        var text = try String(contentsOf: page, encoding: .utf8)
        for target in Self.targets {
            let arrows = try Self.arrows(of: target)
            let rows = Self.order(arrows).sorted.filter { $0 != "." }.map { folder -> String in
                let uses = arrows[folder, default: []].sorted().joined(separator: ", ")
                return "| \(folder) | \(uses.isEmpty ? "–" : uses) |\n"
            }
            let marks = ("<!-- arrows of \(target) -->\n", "<!-- end -->")
            let start = try #require(text.range(of: marks.0)).upperBound
            let end = try #require(text.range(of: marks.1, range: start..<text.endIndex)).lowerBound
            let table = "| folder | uses |\n|---|---|\n" + rows.joined()
            if ProcessInfo.processInfo.environment["MISP_UPDATE_DOCS"] == "1" {
                text.replaceSubrange(start..<end, with: table)
                try Data(text.utf8).write(to: page)
            }
            #expect(text.contains(marks.0 + table + marks.1), "MISP_UPDATE_DOCS=1 writes the tables of \(target) anew")
        }
    }
}
