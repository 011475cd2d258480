/// Which keys of a preference file's rows are read, and which are known to say nothing that training needs.
enum RowKeys {
    static let negative: Set<String> = ["image", "score"]
    /// Where a row comes from, and what others thought of it; `mine` writes the probability of a negative.
    private static let ignored: Set<String> = [
        "source", "dataset", "split", "metadata", "score_chosen", "score_rejected", "probability", "channel",
    ]

    /// The keys of a row that nothing reads, each with the nearest one that is read.
    static func unread(_ row: JSON) -> [(key: String, nearest: String?)] {
        func strange(_ object: JSON, _ known: Set<String>, _ prefix: String) -> [(key: String, nearest: String?)] {
            (object.object?.keys ?? []).filter {
                !known.contains($0) && !ignored.contains($0) && !RowFormat.refused.contains($0)
            }.map {
                (prefix + $0, NearestName.find($0, among: known.sorted()).map { prefix + $0 })
            }
        }
        let format = (try? RowFormat(JSONField(row, file: ""))) ?? .prompt
        return strange(row, format.keys, "")
            + (row["negatives"]?.array ?? []).flatMap { strange($0, negative, "negatives[].") }
    }
}

/// A key of rows that nothing reads.
public struct UnreadKey: Sendable, Equatable {
    /// `rejcted`, or `negatives[].scor`
    public let key: String
    /// The key that it looks like.
    public let nearest: String?
    /// Of the first row that has it.
    public let line: Int
    /// Rows that have it.
    public package(set) var rows = 1

    /// `'rejcted' (did you mean rejected?)`
    public var words: String {
        "'\(key.shortened(to: 60))'" + (nearest.map { " (did you mean \($0)?)" } ?? "")
    }
}
