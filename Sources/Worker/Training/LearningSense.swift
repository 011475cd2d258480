import Core

/// Whether groups hold what an objective compares: without that a run trains to a loss that never changes.
struct LearningSense {
    private let objective: any Objective
    /// What is told of groups that lack all of it.
    private let lacks: [String]
    private let total: Int
    private let silent: Int
    private let place: String
    private let unread: [UnreadKey]

    /// - Parameters:
    ///   - groups: as training sees them
    ///   - place: of their file
    ///   - unread: keys of its rows that nothing reads
    init(_ objective: any Objective, _ groups: [EncodedGroup], at place: String, unread: [UnreadKey]) {
        self.init(
            objective, total: groups.count, lacks: groups.compactMap { Self.lack(of: $0, objective.needs) }, at: place,
            unread: unread)
    }

    /// - Parameter lacks: what `lack` says of the groups that have nothing to compare
    init(_ objective: any Objective, total: Int, lacks: [String], at place: String, unread: [UnreadKey]) {
        (self.objective, self.total, silent) = (objective, total, lacks.count)
        (self.place, self.unread) = (place, unread)
        var counts: [(lack: String, groups: Int)] = []
        for lack in lacks {
            if let index = counts.firstIndex(where: { $0.lack == lack }) {
                counts[index].groups += 1
            } else {
                counts.append((lack, 1))
            }
        }
        self.lacks = counts.map { counts.count == 1 ? $0.lack : "\($0.groups) \($0.lack)" }
    }

    /// nil for a group from which the objective learns; else what it lacks.
    static func lack(of group: EncodedGroup, _ needs: ObjectiveNeeds) -> String? {
        if needs.chosenAlone { return nil }
        var lacks: [String] = []
        if needs.rejected {
            if let rejected = group.rejected, rejected.tokens != group.chosen.tokens { return nil }
            lacks.append(group.rejected == nil ? "without rejected" : "with the same chosen and rejected")
        }
        if needs.negatives != .none {
            if group.negatives.contains(where: { $0 != group.image }) { return nil }
            lacks.append(group.negatives.isEmpty ? "without negatives" : "with their own picture as the negative")
        }
        return lacks.joined(separator: " and ")
    }

    /// - Throws: `MISPError` at the file where no group has anything to compare
    func check() throws(MISPError) {
        guard silent == total else { return }
        let keys = unread.prefix(5).map(\.words).joined(separator: ", ")
        throw MISPError(
            "none of its \(total) groups has anything that \(objective.name) compares: all are "
                + lacks.joined(separator: ", ") + (keys.isEmpty ? "" : "; nothing reads their \(keys)"), at: place,
            remedy: "give the rows \(wanted), or choose another objective.kind")
    }

    private var wanted: String {
        let needs = objective.needs
        let fields = (needs.rejected ? ["rejected"] : []) + (needs.negatives == .none ? [] : ["negatives"])
        return fields.joined(separator: " or ")
    }

    /// What is worth a word although the run goes on: keys that nothing reads, and groups with nothing to compare.
    var notes: [String] {
        var lines = unread.prefix(10).map { key in
            let rows = key.rows == 1 ? "" : ", and \(key.rows - 1) more \(key.rows == 2 ? "row" : "rows")"
            return "\(place):\(key.line): nothing reads the key \(key.words)\(rows)"
        }
        if unread.count > 10 { lines.append("\(place): … and \(unread.count - 10) more such keys") }
        if silent > 0 {
            lines.append(
                "\(place): \(silent) of \(total) "
                    + "groups have nothing that \(objective.name) compares, and teach nothing: "
                    + lacks.joined(separator: ", "))
        }
        return lines
    }
}
