import Foundation

/// All lines of a preference file: the groups that can be read, and what is wrong with the other lines.
///
/// Whether the images exist is not looked at.
public struct PreferenceFile: Sendable {
    public let url: URL
    /// In the order of the file, with their lines counted from 1.
    public private(set) var groups: [(line: Int, group: PreferenceGroup)] = []
    /// A line that is no group: its first fault.
    public private(set) var malformed: [MISPError] = []
    /// A group with the id of an earlier one.
    public private(set) var repeated: [MISPError] = []

    /// - Parameter images: the folder from which relative image paths start.
    /// - Throws: `MISPError` for a file that cannot be read or holds no line at all.
    public init(contentsOf url: URL, images: URL) throws(MISPError) {
        self.url = url
        var lineOfID: [UTF8Key: Int] = [:]
        for (line, value) in try JSON.lineResults(contentsOf: url) {
            let group: PreferenceGroup
            do throws(MISPError) {
                group = try PreferenceGroup(value.get(), file: url.relativePath, line: line, images: images.path)
            } catch {
                malformed.append(error)
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
}
