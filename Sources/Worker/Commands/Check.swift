import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Check: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Reads everything a run needs, and computes nothing.",
        discussion: """
            Looks at the configuration, the model's tensors, every group, every picture's header and every sequence's \
            length, and says what the run will take. Ends at the first class of problems, listing them.
            """)

    @Option(help: ArgumentHelp("The configuration of the run (YAML).", valueName: "run.yaml"))
    package var config: String

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Values over those of the file.", valueName: "key=value"))
    package var set: [String] = []

    package init() {}

    package func run() throws {
        let configuration = try RunConfiguration(contentsOf: URL(filePath: config), overrides: set)
        throw ExitCode(
            Communicators.run { communicator in
                try InputCheck(configuration, communicator: communicator).execute()
            })
    }
}
