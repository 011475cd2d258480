import Core

/// What commands say to whoever started them. Characters that a terminal would obey are written out.
enum Console {
    /// On standard error: how a command gets on, and what it wrote.
    static func say(_ line: String) { StandardStreams.tell("\(line.shown)\n") }

    /// On standard output: what a command was asked for.
    static func show(_ lines: [String]) { print(lines.map(\.shown).joined(separator: "\n")) }
}
