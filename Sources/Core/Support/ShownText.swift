/// Text of others (paths, keys, prompts, answers) on its way to a terminal or into a message.
extension StringProtocol {
    /// The text with every character that a terminal would obey written out: ESC becomes `\u{1B}`.
    ///
    /// Those are the control characters (C0 but tab and line feed, DEL, C1), the marks that change the direction of
    /// writing, and the separators of lines and paragraphs.
    public var shown: String {
        guard unicodeScalars.contains(where: \.commandsTerminal) else { return String(self) }
        var result = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar.commandsTerminal {
                result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// At most `limit` characters: of a longer text the beginning and the end.
    public func shortened(to limit: Int) -> String {
        guard unicodeScalars.count > limit else { return String(self) }
        let tail = limit / 4
        let start = unicodeScalars.prefix(limit - tail - 1)
        return String(String.UnicodeScalarView(start)) + "…"
            + String(String.UnicodeScalarView(unicodeScalars.suffix(tail)))
    }
}

extension Unicode.Scalar {
    fileprivate var commandsTerminal: Bool {
        switch value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F: true
        case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
