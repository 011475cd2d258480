import Foundation

/// All lines of a preference file: the groups that can be read, and what is wrong with the other lines.
///
/// Whether the images exist is not looked at.
public struct PreferenceFile: Sendable {
    /// The file.
    public let url: URL
    /// In the order of the file, with their lines counted from 1.
    public private(set) var groups: [(line: Int, group: PreferenceGroup)] = []
    /// A line that is no group: its first fault.
    public private(set) var malformed: [MISPError] = []
    /// A group with the id of an earlier one.
    public private(set) var repeated: [MISPError] = []
    /// Keys that nothing reads, in the order in which they appear.
    public private(set) var unread: [UnreadKey] = []

    /// - Parameter images: the folder from which relative image paths start.
    /// - Throws: `MISPError` for a file that cannot be read, is of another format or holds no line at all.
    public init(contentsOf url: URL, images: URL) throws(MISPError) {
        self.url = url
        try Self.checkFormat(url)
        var lineOfID: [UTF8Key: Int] = [:]
        for (line, value) in try JSON.lineResults(contentsOf: url) {
            let strange = (try? value.get()).map(RowKeys.unread) ?? []
            note(strange, line: line)
            let group: PreferenceGroup
            do throws(MISPError) {
                group = try PreferenceGroup(value.get(), file: url.relativePath, line: line, images: images.path)
            } catch {
                malformed.append(Self.naming(strange, error))
                continue
            }
            if let first = lineOfID[UTF8Key(group.id)] {
                repeated.append(
                    MISPError(
                        "'\(group.id)' is the id of line \(first) too", at: "\(url.relativePath):\(line): id",
                        remedy: "give every group an id of its own, or none"))
            } else {
                lineOfID[UTF8Key(group.id)] = line
            }
            groups.append((line, group))
        }
        if groups.isEmpty, malformed.isEmpty {
            throw MISPError("holds no preference groups", at: url.relativePath)
        }
    }

    private mutating func note(_ strange: [(key: String, nearest: String?)], line: Int) {
        var seen: Set<String> = []
        for (key, nearest) in strange where seen.insert(key).inserted {
            if let index = unread.firstIndex(where: { $0.key.hasSameBytes(as: key) }) {
                unread[index].rows += 1
            } else if unread.count < Self.notedKeys {
                unread.append(UnreadKey(key: key, nearest: nearest, line: line))
            }
        }
    }

    /// Rows of any number may each bring new ones.
    private static let notedKeys = 100

    /// A line that lacks something says which of its keys nobody reads: one of them may be what is lacking.
    private static func naming(_ strange: [(key: String, nearest: String?)], _ error: MISPError) -> MISPError {
        guard error.remedy == nil || error.remedy == RowFormat.known, !strange.isEmpty else { return error }
        let named = strange.prefix(5).map { UnreadKey(key: $0.key, nearest: $0.nearest, line: 0).words }
        return MISPError(
            error.what, at: error.place,
            remedy: "nothing reads its \(named.joined(separator: ", "))" + (error.remedy.map { "; \($0)" } ?? ""),
            kind: error.kind)
    }

    /// Files that hold rows in another way.
    private static func checkFormat(_ url: URL) throws(MISPError) {
        let place = url.relativePath
        var status = stat()
        guard stat(url.path, &status) == 0 else {
            guard errno == ENOENT else { return }
            throw MISPError(
                "does not exist", at: place,
                remedy: "if mining writes it, run \(Typed.program) mine --config mine.yaml first")
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw MISPError("is a folder, not a file of groups (JSON lines)", at: place, remedy: "name the file in it")
        }
        // A pipe is read once.
        guard status.st_mode & S_IFMT == S_IFREG, let file = try? FileHandle(forReadingFrom: url) else { return }
        defer { try? file.close() }
        let start = (try? file.read(upToCount: 4096)) ?? Data()
        if let kind = FileKind(start) {
            throw MISPError("is \(kind.name), not JSON lines", at: place, remedy: kind.remedy)
        }
        if start.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw MISPError(
                "begins with a byte-order mark, which JSON lines have not", at: place,
                remedy: "save it as UTF-8 without")
        }
        let first = start.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        if first == UInt8(ascii: "[") {
            throw MISPError(
                "is one JSON array, not JSON lines", at: place,
                remedy: "write a row a line, such as with jq -c '.[]'")
        }
        let line = start.split(separator: UInt8(ascii: "\n"), maxSplits: 1).first ?? Data()
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespaces)
        if text == "{" {
            throw MISPError(
                "has a row over several lines", at: "\(place):1", remedy: "write a row a line, such as with jq -c .")
        }
        if first != UInt8(ascii: "{"), text.contains(where: { ",;\t".contains($0) }),
            ["prompt", "chosen", "image", "question"].contains(where: { text.lowercased().contains($0) })
        {
            throw MISPError(
                "looks like a table (CSV), not JSON lines", at: "\(place):1",
                remedy: "convert it to JSON lines, a row a line")
        }
    }
}
