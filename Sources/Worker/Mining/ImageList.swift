import Core
import Foundation

/// Pictures that a setting names: all of a folder, or those that a file lists.
enum ImageList {
    /// Names of files in a folder that count as pictures; what a picture is tells its content.
    private static let suffixes = ["png", "jpg", "jpeg", "webp"]

    struct Item {
        let path: String
        /// What the list says of the picture.
        var caption: String?
    }

    /// - Parameter images: where relative paths of a list start
    static func read(_ url: URL, images: URL) throws(MISPError) -> [Item] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw MISPError(
                "does not exist", at: url.relativePath,
                remedy: "give a folder of pictures, or a file that lists them, a path a line")
        }
        let items = isFolder.boolValue ? try folder(url).map { Item(path: $0) } : try file(url, images: images)
        guard !items.isEmpty else {
            throw MISPError(
                isFolder.boolValue ? "holds no pictures" : "lists no pictures", at: url.relativePath,
                remedy: isFolder.boolValue
                    ? "pictures end in .\(suffixes.joined(separator: ", ."))" : "give a path a line")
        }
        return items
    }

    /// All pictures below a folder, hidden ones left out, in the order of their paths' bytes.
    private static func folder(_ url: URL) throws(MISPError) -> [String] {
        guard let files = FileManager.default.enumerator(atPath: url.path) else {
            throw MISPError("cannot be listed", at: url.relativePath)
        }
        var paths: [String] = []
        for case let path as String in files {
            let parts = path.split(separator: "/")
            guard !parts.contains(where: { $0.hasPrefix(".") }), let name = parts.last,
                let dot = name.lastIndex(of: "."), suffixes.contains(name[name.index(after: dot)...].lowercased())
            else { continue }
            paths.append("\(url.path)/\(path)")
        }
        return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// A path a line, or JSON lines: a string, or an object with `image` and perhaps `caption`.
    private static func file(_ url: URL, images: URL) throws(MISPError) -> [Item] {
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: url.relativePath)
        }
        var items: [Item] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty { continue }
            var (path, caption) = (line, String?.none)
            if line.hasPrefix("{") || line.hasPrefix("\"") {
                let place = "\(url.relativePath):\(index + 1)"
                let value = JSONField(try JSON(parsing: line, at: place), file: place)
                let isPath = value.value?.string != nil
                path = try PictureReference.path(isPath ? value : value["image"])
                if !isPath, value["caption"].isPresent { caption = try value["caption"].string() }
            } else if let fault = PictureReference.fault(path) {
                throw MISPError(fault.what, at: "\(url.relativePath):\(index + 1)", remedy: fault.remedy)
            }
            items.append(Item(path: path.hasPrefix("/") ? path : "\(images.path)/\(path)", caption: caption))
        }
        return items
    }
}
