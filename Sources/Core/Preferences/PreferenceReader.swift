import Foundation

extension PreferenceGroup {
    /// Reads groups from JSON lines, in the order of the file.
    ///
    /// A line is `{"id", "prompt", "chosen", "rejected", "image", "negatives": [{"image", "score"}]}`, or a row of
    /// another trainer (`RowFormat`). `id`, `rejected`, `negatives` and scores may be absent; an absent id becomes
    /// `line-12`. Other fields are ignored.
    ///
    /// - Parameters:
    ///   - images: the folder from which relative image paths start.
    /// - Throws: `MISPError` with file, line and field: what is malformed, missing, empty, of the wrong kind or
    ///   repeated; no group at all; image files that do not exist.
    public static func read(contentsOf file: URL, images: URL) throws(MISPError) -> [PreferenceGroup] {
        let content = try PreferenceFile(contentsOf: file, images: images)
        try content.check(images: images)
        return content.groups.map(\.group)
    }

    /// The group of one line; relative image paths start from the folder `images`.
    package init(_ value: JSON, file: String, line: Int, images: String) throws(MISPError) {
        let row = JSONField(value, file: "\(file):\(line)")
        _ = try row.object()
        self = try PreferenceRow(row: row, line: line, images: images).group()
    }

    /// All missing files are counted before the first one is reported.
    fileprivate static func checkImages(
        of groups: [(line: Int, group: PreferenceGroup)], file: URL, images: URL
    ) throws(MISPError) {
        var checked: Set<String> = []
        var first: (line: Int, path: String)?
        var missing = 0
        for (line, group) in groups {
            for path in [group.image] + group.negatives.map(\.image) where checked.insert(path).inserted {
                if isFile(path) { continue }
                first = first ?? (line, path)
                missing += 1
            }
        }
        guard let first else { return }
        throw MISPError(
            "the image \(first.path) does not exist (missing in all: \(missing) of \(checked.count))",
            at: "\(file.relativePath):\(first.line)",
            remedy: "relative paths start from \(images.path) (data.images)")
    }

    private static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
    }
}

extension PreferenceFile {
    /// - Throws: the first fault of a line, or `MISPError` for image files that do not exist
    public func check(images: URL) throws(MISPError) {
        if let error = malformed.first ?? repeated.first { throw error }
        try PreferenceGroup.checkImages(of: groups, file: url, images: images)
    }
}

/// One line of a preference file.
private struct PreferenceRow {
    let row: JSONField
    let line: Int
    let images: String

    func group() throws(MISPError) -> PreferenceGroup {
        let format = try RowFormat(row)
        let texts = try RowTexts(row, format)
        return PreferenceGroup(
            id: try id(), prompt: texts.prompt, chosen: texts.chosen, rejected: texts.rejected, image: try image(),
            negatives: try format == .messages ? rejectedImages() : negatives(), message: texts.message)
    }

    private func id() throws(MISPError) -> String {
        let field = row["id"]
        guard field.isPresent else { return "line-\(line)" }
        if case .integer(let number)? = field.value { return String(number) }
        return try field.filled()
    }

    private func image() throws(MISPError) -> String {
        let list = row["images"]
        guard list.isPresent else { return try path(row["image"]) }
        if row["image"].isPresent { throw list.failure("stands beside 'image'", remedy: "keep one of the two") }
        let paths = list.value?.array == nil ? [list] : try list.array()
        guard paths.count == 1 else {
            throw list.failure("holds \(paths.count) images; a group has exactly one", remedy: "make a row of each")
        }
        return try path(paths[0])
    }

    /// ms-swift's pictures for which the answer is wrong: negatives without scores.
    private func rejectedImages() throws(MISPError) -> [PreferenceGroup.Negative] {
        let list = row["rejected_images"]
        guard list.isPresent else { return try negatives() }
        if row["negatives"].isPresent {
            throw list.failure("stands beside 'negatives'", remedy: "keep one of the two")
        }
        var negatives: [PreferenceGroup.Negative] = []
        let own = try image()
        for item in list.value?.array == nil ? [list] : try list.array() {
            let negative = PreferenceGroup.Negative(image: try path(item))
            // A rejected conversation about the same picture names it again.
            if negative.image != own { negatives.append(negative) }
        }
        return negatives
    }

    private func negatives() throws(MISPError) -> [PreferenceGroup.Negative] {
        guard row["negatives"].isPresent else { return [] }
        var negatives: [PreferenceGroup.Negative] = []
        for item in try row["negatives"].array() {
            _ = try item.object()
            let score = item["score"]
            let value = score.isPresent ? try score.double() : nil
            if let value, !value.isFinite { throw score.failure("is \(value), not a finite number") }
            negatives.append(PreferenceGroup.Negative(image: try path(item["image"]), score: value))
            guard (negatives[0].score == nil) == (value == nil) else {
                throw score.failure(
                    value == nil ? "is missing" : "is given, but the first negative has none",
                    remedy: "give every negative of a group a score, or none")
            }
        }
        return negatives
    }

    /// A path as the file system takes it: relative ones start from the image folder.
    private func path(_ field: JSONField) throws(MISPError) -> String {
        // {"path", "bytes": null}, as data sets name a picture that is a file.
        let isObject = field.value?.object.map { Set($0.keys).isSubset(of: ["path", "bytes"]) } ?? false
        let field = isObject && field["bytes"].value?.isNull ?? true && field["path"].isPresent ? field["path"] : field
        _ = try PictureReference.path(field)
        let path = try field.filled()
        return path.hasPrefix("/") ? path : "\(images)/\(path)"
    }
}

extension JSONField {
    /// A string that is more than white space.
    func filled() throws(MISPError) -> String {
        let text = try string()
        guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else { throw failure("is empty") }
        return text
    }
}
