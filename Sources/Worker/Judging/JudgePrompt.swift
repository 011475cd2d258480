import Core
import Foundation

/// What a judge is asked, with `{placeholders}` for what differs from item to item.
struct JudgePrompt {
    /// Between a system message and the user's.
    private static let divider = "---"

    /// As results name it: a path, or whose words they are.
    let name: String
    private let system: String?
    private let user: String

    /// misp's own words.
    init(own text: String) {
        name = "misp's own"
        (system, user) = (nil, text)
    }

    /// A template from a file; a line `---` divides a system message from the user's.
    ///
    /// - Parameters:
    ///   - needed: placeholders that it must have
    ///   - known: all that it may have
    init(contentsOf file: URL, needed: [String], known: [String]) throws(MISPError) {
        name = file.relativePath
        let text: String
        do {
            text = try String(contentsOf: file, encoding: .utf8)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: name)
        }
        let used = Set(text.matches(of: Self.placeholder).map { String($0.1) })
        if let missing = needed.first(where: { !used.contains($0) }) {
            throw MISPError(
                "has no {\(missing)}", at: name,
                remedy: "write \(needed.map { "{\($0)}" }.joined(separator: ", ")) where these belong")
        }
        if let other = used.subtracting(known).min() {
            throw MISPError(
                "{\(other)} stands for nothing", at: name, remedy: NearestName.remedy(other, among: known))
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        var system: String?
        if let place = lines.firstIndex(where: { $0.trimmingCharacters(in: .whitespaces) == Self.divider }) {
            system = lines[..<place].joined(separator: "\n")
            lines = lines[(place + 1)...]
        }
        (self.system, user) = (system, lines.joined(separator: "\n"))
    }

    private static var placeholder: Regex<(Substring, Substring)> { /\{([a-z_]+)\}/ }

    /// Tells prompts apart, wherever they lie.
    var digest: Digest {
        var hash = SHA256()
        hash.add(system ?? "")
        hash.add(user)
        return hash.finish()
    }

    /// The texts of an item. What is put in is not looked through for placeholders.
    func filled(_ values: [String: String]) -> (system: String?, user: String) {
        func fill(_ text: String) -> String {
            text.replacing(Self.placeholder) { match in values[String(match.1)] ?? String(match.0) }
        }
        return (system.map(fill), fill(user))
    }
}
