import Foundation

/// Commands as they are typed here, so that those in messages and help pages work as they stand.
///
/// A launch script says in the environment how it was called. Without one it is the program's own first argument.
public enum Typed {
    /// What stands before a command of the program: `launch/local -n 2 --`, `.build/release/misp-worker` or
    /// `misp-worker`.
    public static let program = names.program

    /// A launch script: `launch/sweep` in a checkout, `misp-sweep` where it is installed.
    public static func launcher(_ name: String) -> String { names.launchers + name }

    /// What stands before a command on so many ranks of this machine.
    public static func ranks(_ count: Int) -> String { "\(launcher("local")) -n \(count) --" }

    private static let names = names(
        startedAs: CommandLine.arguments.first ?? "misp-worker", environment: ProcessInfo.processInfo.environment)

    /// - Parameter startedAs: the program's first argument. In a checkout it has `.build/` in it; an installed program
    ///   has the launchers beside it, as `misp-NAME`.
    package static func names(
        startedAs: String, environment: [String: String]
    ) -> (program: String, launchers: String) {
        if let program = environment["MISP_COMMAND"], let launchers = environment["MISP_LAUNCH"] {
            return (program, launchers)
        }
        let checkout = startedAs.range(of: ".build/").map { startedAs[..<$0.lowerBound] + "launch/" }
        let folder = startedAs.lastIndex(of: "/").map { startedAs[...$0] } ?? ""
        return (shellWord(startedAs), shellWord(checkout.map(String.init) ?? folder + "misp-"))
    }

    /// A text as a shell reads it as one word.
    private static func shellWord(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            let character = Character(Unicode.Scalar(byte))
            return byte >= 0x80 || character.isLetter || character.isNumber || "-_./+,:@%=".contains(character)
        }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
