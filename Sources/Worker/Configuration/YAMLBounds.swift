import Core

/// What a configuration's text may not do to whoever reads it: no configuration needs it, and a few lines of it take all
/// memory or the stack.
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

    /// Before it is parsed: refuses anchors, without which no alias can be, as a few aliases of aliases make a tree that
    /// nobody can walk.
    ///
    /// An anchor stands where a value begins: at the start of a line, or behind `:`, `-`, a bracket, or a comma in brackets.
    static func checkAnchors(_ text: String, at place: String) throws(MISPError) {
        var depth = 0
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let bytes = Array(line.utf8)
            var (quote, before) = (UInt8(0), UInt8(0))
            for (column, byte) in bytes.enumerated() {
                if quote != 0 {
                    if byte == quote { quote = 0 }
                } else if byte == UInt8(ascii: "#"), column == 0 || bytes[column - 1] == UInt8(ascii: " ") {
                    break
                } else if "\"'".utf8.contains(byte), before == 0 || ":-[{,".utf8.contains(before) {
                    quote = byte
                } else if byte == UInt8(ascii: "&"),
                    before == 0 || ":-[{".utf8.contains(before) || (depth > 0 && before == UInt8(ascii: ","))
                {
                    let name = bytes[(column + 1)...].prefix { !" ,]}\t\r".utf8.contains($0) }
                    guard name.isEmpty else {
                        throw MISPError(
                            "&\(String(decoding: name, as: UTF8.self)) is an anchor, and anchors and aliases are not read",
                            at: "\(place):\(index + 1)", remedy: "write the value out where it is needed")
                    }
                }
                if quote == 0, "[{".utf8.contains(byte) { depth += 1 }
                if quote == 0, "]}".utf8.contains(byte) { depth = max(depth - 1, 0) }
                if byte != UInt8(ascii: " ") { before = byte }
            }
        }
    }
}
