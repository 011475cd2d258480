import Core

/// What a configuration's text may not do to whoever reads it: no configuration needs it, and a few lines of it take
/// all memory or the stack.
enum YAMLBounds {
    /// Of a file; a configuration has some kilobytes.
    static let mostBytes = 1 << 20
    private static let mostDepth = 64

    /// Before it is parsed: lists and sections may nest 64 deep.
    ///
    /// Counted are brackets, and the columns before a line's first word, each of which can open a level.
    static func check(_ text: String, at place: String) throws(MISPError) {
        guard text.utf8.count <= mostBytes else {
            throw MISPError(
                "has \(text.utf8.count) bytes, and a configuration at most \(mostBytes)", at: place,
                remedy: "is this the configuration?")
        }
        var depth = 0
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let indentation = line.utf8.prefix { " -?\t".utf8.contains($0) }.count
            for byte in line.utf8 {
                if "[{".utf8.contains(byte) { depth += 1 }
                if "]}".utf8.contains(byte) { depth = max(depth - 1, 0) }
            }
            guard depth <= mostDepth, indentation <= 2 * mostDepth else {
                throw MISPError("nests lists or sections too deep", at: "\(place):\(index + 1)")
            }
        }
    }

    /// Before it is parsed: refuses an anchor that an alias may name, as a few aliases of aliases make a tree that
    /// nobody can walk, and as a key it is walked while it is parsed.
    ///
    /// Where an anchor can stand depends on tags, quotes and block scalars, so its place is not asked: a name that
    /// stands behind an ampersand and behind an asterisk is taken for both. Either alone is text, or changes nothing.
    static func checkAnchors(_ text: String, at place: String) throws(MISPError) {
        let bytes = Array(text.utf8)
        let aliases = Set(names(behind: UInt8(ascii: "*"), in: bytes).map(\.name))
        guard let anchor = names(behind: UInt8(ascii: "&"), in: bytes).first(where: { aliases.contains($0.name) })
        else {
            return
        }
        let line = bytes[..<anchor.offset].reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        throw MISPError(
            "&\(String(decoding: anchor.name, as: UTF8.self)) is an anchor, and anchors and aliases are not read",
            at: "\(place):\(line)", remedy: "write the value out where it is needed")
    }

    /// The names, as YAML's scanner reads them, behind each `mark`.
    private static func names(behind mark: UInt8, in bytes: [UInt8]) -> [(name: [UInt8], offset: Int)] {
        bytes.indices.lazy.filter { bytes[$0] == mark }.compactMap { offset in
            let name = bytes[(offset + 1)...].prefix(while: isOfName)
            return name.isEmpty ? nil : (Array(name), offset)
        }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        let letter = byte | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "_-".utf8.contains(byte)
    }
}
