import Foundation

/// Text of others in a page.
package enum HTML {
    /// The text as it may stand between tags or in a quoted attribute.
    ///
    /// Scalar by scalar, as a browser reads: a quote with a combining accent is one character to Swift and still a
    /// quote to the browser. What no page may hold (control characters) becomes U+FFFD.
    package static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result.append(contentsOf: "&amp;".unicodeScalars)
            case "<": result.append(contentsOf: "&lt;".unicodeScalars)
            case ">": result.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
            case "'": result.append(contentsOf: "&#39;".unicodeScalars)
            case "\t", "\n": result.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": result.append("\u{FFFD}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    /// A table as wide as it needs, in a section that scrolls. The first cell of a row is its head; cells may have
    /// several lines.
    static func table(_ head: [String], _ rows: [[String]]) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            func lines(_ cell: String) -> String {
                cell.split(separator: "\n").map { escaped(String($0)) }.joined(separator: "<br>")
            }
            return "<tr><th>\(escaped(cells.first ?? ""))</th>"
                + cells.dropFirst().map { "<\(tag)>\(lines($0))</\(tag)>" }.joined() + "</tr>"
        }
        return "<section class=\"wide\"><table><thead>\(row(head, "th"))</thead><tbody>"
            + rows.map { row($0, "td") }.joined() + "</tbody></table></section>"
    }

    /// The address of a file in a page that lies in `folder`, percent-encoded.
    static func reference(to file: URL, from folder: URL) -> String {
        var (there, here) = (
            file.standardizedFileURL.pathComponents[...], folder.standardizedFileURL.pathComponents[...]
        )
        while let first = there.first, first == here.first, there.count > 1 {
            there.removeFirst()
            here.removeFirst()
        }
        let path = [String](repeating: "..", count: here.count) + there
        return path.map { $0.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? $0 }
            .joined(separator: "/")
    }

    /// A whole page in one file that needs nothing else.
    ///
    /// - Parameters:
    ///   - body: HTML
    ///   - style: CSS
    static func page(_ title: String, _ body: String, style: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="data:,">
        <title>\(escaped(title))</title>
        <style>\(style)</style></head>
        <body><main>\(body)</main></body></html>

        """
    }
}
