import Core

/// The pictures that the data itself says a group's response holds for: those of all groups with its prompt and
/// response.
struct SharedAnswers {
    private struct Answer: Hashable {
        let prompt, response: String
    }

    private var rows: [Answer: Set<Int>] = [:]
    /// Of all responses in order.
    let digest: Digest

    init(_ groups: [MiningInput.Group], _ pictures: PictureTable) {
        var hash = SHA256()
        for group in groups { hash.add(group.chosen) }
        digest = hash.finish()
        for group in groups {
            guard let row = pictures.row(of: group.image) else { continue }
            rows[Self.answer(group), default: []].insert(row)
        }
    }

    /// Rows of `pictures`, the group's own among them.
    func rows(of group: MiningInput.Group) -> Set<Int> { rows[Self.answer(group)] ?? [] }

    private static func answer(_ group: MiningInput.Group) -> Answer {
        Answer(prompt: group.prompt, response: group.chosen)
    }
}
