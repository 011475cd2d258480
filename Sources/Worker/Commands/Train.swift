import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Train: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains a model on preference groups.",
        discussion: """
            Reads run.yaml, trains, and writes metrics, checkpoints and the adapter to the output folder:

              misp-worker train --config run.yaml --set optimizer.learning_rate=1e-6 seed=1
            """)

    @OptionGroup package var options: RunOptions

    @Flag(help: "Goes on from the newest whole checkpoint in the output folder.")
    package var resume = false

    @Flag(help: "Goes on as --resume does, or starts anew where there is no whole checkpoint.")
    package var resumeIfAny = false

    package init() {}

    package func run() throws {
        let configuration = try options.configuration()
        let status = Communicators.run { communicator in
            var run = try TrainingRun(configuration, communicator: communicator)
            try run.execute(resumeIfAny ? .resumingIfAny : resume ? .resuming : .anew)
            return 0
        }
        throw ExitCode(status)
    }
}
