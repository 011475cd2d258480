import Foundation
import TestSupport
import Testing
import Worker

/// The help texts are part of what users script and read, so a change of them is to be seen: Tests/Goldens/help.txt.
@Suite struct HelpTests {
    /// `MISP_UPDATE_HELP=1` writes the file anew.
    @Test func helpTextsAreAsRecorded() throws {
        let commands = [[]] + Program.configuration.subcommands.compactMap { $0.configuration.commandName }.map { [$0] }
        let texts = try commands.map { command -> String in
            let run = try runRanks(
                nil, "misp-worker", command + ["--help"],
                environment: ["COLUMNS": "100", "MISP_COMMAND": "misp-worker", "MISP_LAUNCH": "misp-"])
            #expect(run.status == 0)
            return "$ misp-worker \((command + ["--help"]).joined(separator: " "))\n\(run.output)"
        }
        let text = texts.joined(separator: "\n")
        let file = golden("help.txt")
        if ProcessInfo.processInfo.environment["MISP_UPDATE_HELP"] == "1" { try Data(text.utf8).write(to: file) }
        #expect(try String(contentsOf: file, encoding: .utf8) == text, "MISP_UPDATE_HELP=1 records the new texts")
    }

    @Test func manyRanksGiveHelpOnce() throws {
        let run = try runRanks(3, "misp-worker", ["plan", "--help"])
        #expect(run.status == 0)
        #expect(run.output.components(separatedBy: "USAGE:").count == 2, "\(run.output)")
    }

    /// Help is typed again as it stands: behind a launcher, or by the program's path.
    @Test func commandsAreThoseThatWereTyped() throws {
        let behind = try runRanks(
            nil, "misp-worker", ["train", "--help"],
            environment: ["COLUMNS": "200", "MISP_COMMAND": "launch/local -n 2 --", "MISP_LAUNCH": "launch/"])
        #expect(behind.output.contains("USAGE: launch/local -n 2 -- train --config"), "\(behind.output)")
        #expect(behind.output.contains("\n  launch/local -n 2 -- train --config run.yaml"), "\(behind.output)")
        #expect(!behind.output.contains("misp-worker"), "\(behind.output)")
        let path = try builtProduct("misp-worker").path
        let direct = try runRanks(nil, "misp-worker", ["train"], environment: ["COLUMNS": "200"])
        #expect(direct.status == 2 && direct.errors.contains("see \(path) --help"), "\(direct.errors)")
    }

    /// Completion scripts come from the argument parser and know every command.
    @Test(arguments: ["bash", "zsh", "fish"]) func completionScripts(shell: String) throws {
        let run = try runRanks(nil, "misp-worker", ["--generate-completion-script", shell])
        #expect(run.status == 0)
        let commands = Program.configuration.subcommands.compactMap { $0.configuration.commandName }
        for command in commands {
            #expect(run.output.contains(command), "\(command)")
        }
        // For the name that is installed, wherever the program that wrote it stands.
        #expect(!run.output.contains(".build"))
    }
}
