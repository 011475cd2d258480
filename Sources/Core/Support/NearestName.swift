/// Finds what someone who mistyped a name most likely meant.
public enum NearestName {
    /// The known name with the fewest edits to `name`, the earlier one of two; nil when even that looks unlike it (more
    /// than about a third of its letters differ).
    public static func find(_ name: String, among known: some Sequence<String>) -> String? {
        let ranked = known.map { (name: $0, distance: distance(name.lowercased(), $0.lowercased())) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return 3 * best.distance <= max(name.count, best.name.count) + 1 ? best.name : nil
    }

    /// `did you mean beta?`, or all known names when none is near: the remedy of an error.
    public static func remedy(_ name: String, among known: some Collection<String>) -> String {
        if let nearest = find(name, among: known) { return "did you mean \(nearest)?" }
        return "known: \(known.joined(separator: ", "))"
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment).
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a), Array(b))
        var older: [Int] = []
        var previous = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var edits = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { edits = min(edits, older[j - 1] + 1) }
                row.append(edits)
            }
            (older, previous) = (previous, row)
        }
        return previous[b.count]
    }
}
