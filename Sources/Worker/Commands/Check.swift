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

    @OptionGroup package var options: RunOptions

    package init() {}

    package func run() throws {
        let configuration = try options.configuration()
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree {
                    if let url = configuration.evaluation.benchmarks {
                        _ = try TrainingBenchmarks(contentsOf: url, of: configuration)
                    }
                }
                return try InputCheck(configuration, communicator: communicator).execute()
            })
    }
}
