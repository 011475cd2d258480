import Core
import Yams

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

    /// Refuses anchors, and with them aliases: a definition stands before its uses, so nothing is followed twice.
    static func checkAnchors(_ node: Node, at place: String) throws(MISPError) {
        if let anchor = node.anchor {
            throw MISPError(
                "&\(anchor.rawValue) is an anchor, and anchors and aliases are not read",
                at: node.mark.map { "\(place):\($0.line)" } ?? place, remedy: "write the value out where it is needed")
        }
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                try checkAnchors(key, at: place)
                try checkAnchors(value, at: place)
            }
        case .sequence(let sequence): for value in sequence { try checkAnchors(value, at: place) }
        case .scalar, .alias: break
        }
    }
}
