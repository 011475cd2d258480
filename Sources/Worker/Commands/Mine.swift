import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Mine: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "mine", abstract: "Finds negatives for preference groups in a gallery of pictures.",
        discussion: """
            Embeds pictures and prompts, trains a sparse autoencoder on their differences, and writes groups with the \
            negatives it scores highest:

              \(Typed.program) mine --config mine.yaml --set pool=8

            What is computed once is kept: the same command resumes where an earlier one was stopped. Groups that an \
            earlier mining has left are replaced by others only with --overwrite.
            """)

    @Option(help: ArgumentHelp("The configuration of the mining (YAML).", valueName: "mine.yaml"))
    package var config: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Values over those of the file; paths start from the file's folder.", valueName: "key=value")
    )
    package var set: [String] = []

    @Flag(help: "Lets the groups of an earlier mining in the output folder be replaced by others.")
    package var overwrite = false

    package init() {}

    package func run() throws {
        let configuration = try MineConfiguration(contentsOf: URL(filePath: config), overrides: set)
        throw ExitCode(
            Communicators.run { communicator in
                Interruption.watch()
                return try OutputLock.holding(configuration.output, communicator) {
                    try MiningRun(configuration: configuration, communicator: communicator, overwrites: overwrite)
                        .execute()
                    return 0
                }
            })
    }
}
