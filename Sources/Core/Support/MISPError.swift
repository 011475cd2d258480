/// A failure told to the user in one line: where it is, what is wrong, and what to do about it.
public struct MISPError: Error, CustomStringConvertible, Sendable, Equatable {
    /// What a script that started the program has to tell apart (docs: exit status).
    public enum Kind: Int32, Sendable {
        /// The user's input is at fault: exit status 2.
        case input = 2
        /// Stopped by a signal, after a checkpoint or with other work kept that is gone on with: exit status 3.
        case interrupted = 3
        /// Stopped by a signal before anything was kept: exit status 143, as a shell gives it for SIGTERM.
        case stopped = 143
        /// A defect of the program or a failing machine: exit status 1.
        case defect = 1

        /// Whether somebody asked for the end.
        public var isEnd: Bool { self == .interrupted || self == .stopped }
    }

    /// Whose fault it is, and so the exit status.
    public let kind: Kind
    /// File, line, key or tensor: `groups.jsonl:12`, `config.yaml: optimizer.betas`.
    public let place: String?
    /// What is wrong, mostly as a predicate to the place: `is missing`.
    public let what: String
    /// What to do about it.
    public let remedy: String?

    /// Unless told otherwise, the user's input is at fault.
    public init(_ what: String, at place: String? = nil, remedy: String? = nil, kind: Kind = .input) {
        self.what = what
        self.place = place
        self.remedy = remedy
        self.kind = kind
    }

    /// Characters of each part that a message shows at the most.
    private static let longest = (place: 300, what: 600, remedy: 400)

    /// `place: what; remedy`, on one line of bounded length, without anything that a terminal would obey.
    public var description: String {
        let line = [
            place.map { "\($0.shortened(to: Self.longest.place)): " } ?? "", what.shortened(to: Self.longest.what),
            remedy.map { "; \($0.shortened(to: Self.longest.remedy))" } ?? "",
        ].joined()
        return line.split(whereSeparator: \.isNewline).joined(separator: " ").shown
    }
}
