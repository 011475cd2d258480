import ArgumentParser
import Foundation

/// The options of every command that works on a run's configuration.
package struct RunOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The configuration of the run (YAML).", valueName: "run.yaml"))
    package var config: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Values over those of the file; paths start from the file's folder.", valueName: "key=value")
    )
    package var set: [String] = []

    package init() {}

    /// Reads the file and puts the values over it.
    package func configuration() throws -> RunConfiguration {
        try RunConfiguration(contentsOf: URL(filePath: config), overrides: set)
    }
}
