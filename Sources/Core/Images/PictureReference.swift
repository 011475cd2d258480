/// What stands where a picture's path belongs.
package enum PictureReference {
    /// What the text is if it is no path of a file, and what to do; nil for a path.
    package static func fault(_ text: String) -> (what: String, remedy: String)? {
        let save = "save the picture as a file and give its path"
        let start = text.prefix(300).lowercased()
        if start.hasPrefix("data:") { return ("holds a picture as base64 data (a data: URI), not a path", save) }
        if start.hasPrefix("file:") { return ("is a file: URL, not a path", "give the path alone") }
        if let scheme = start.range(of: "://"), start[..<scheme.lowerBound].allSatisfy({ $0.isLetter || $0.isNumber }) {
            return (
                "is a URL (\(start[..<scheme.upperBound])…), and pictures are read from files alone",
                "download the picture and give its path"
            )
        }
        let isEncoded = ["/9j/", "iVBORw0KGgo", "UklGR", "R0lGOD"].contains { text.hasPrefix($0) }
        let isBase64 = text.utf8.prefix(4096).allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "+/=\n".utf8.contains(byte)
        }
        if text.utf8.count > 255, isEncoded || isBase64 { return ("holds a picture as base64 data, not a path", save) }
        if text.utf8.count > 4096 { return ("is no path: it has \(text.utf8.count) bytes", save) }
        if text.allSatisfy(\.isWhitespace) { return ("is empty", "give the path of a picture") }
        if text.utf8.contains(0) { return ("holds a NUL character", "give a path") }
        return nil
    }

    /// - Throws: `MISPError` at the field for what is no path, an object with the picture's bytes included
    package static func path(_ field: JSONField) throws(MISPError) -> String {
        if let object = field.value?.object, object["bytes"] != nil || object["path"] != nil || object["url"] != nil {
            let names = object.keys.prefix(4).joined(separator: ", ")
            throw field.failure(
                "is an object (\(names)), as data sets keep pictures, not a path",
                remedy: "save the picture as a file and give its path")
        }
        let text = try field.string()
        if let fault = fault(text) { throw field.failure(fault.what, remedy: fault.remedy) }
        return text
    }
}
