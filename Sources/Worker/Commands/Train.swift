import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Train: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains a model on preference groups.",
        discussion: """
            Reads run.yaml, trains, and writes metrics, checkpoints and the adapter to the output folder:

              \(Typed.program) train --config run.yaml --set optimizer.learning_rate=1e-6 seed=1
            """)

    @OptionGroup package var options: RunOptions

    @Flag(help: "Goes on from the newest whole checkpoint in the output folder.")
    package var resume = false

    @Flag(help: "Goes on as --resume does, or starts anew where there is no whole checkpoint.")
    package var resumeIfAny = false

    @Flag(help: "Goes on as --resume does, even with other rows, pictures or weights than the run began with.")
    package var resumeOnOtherInput = false

    @Flag(help: "Lets a run that starts anew replace what an earlier one has left in the output folder.")
    package var overwrite = false

    package init() {}

    package func validate() throws {
        if overwrite, resume, !resumeIfAny { throw ValidationError("--overwrite and --resume exclude each other") }
    }

    package func run() throws {
        let configuration = try options.configuration()
        let start = RunStart(
            origin: resumeIfAny ? .resumingIfAny : resume || resumeOnOtherInput ? .resuming : .anew,
            overwrites: overwrite, acceptsOtherInput: resumeOnOtherInput)
        let status = Communicators.run { communicator in
            Interruption.watch()
            return try OutputLock.holding(configuration.output, communicator, patience: patience(start)) {
                let benchmarks = try communicator.agree {
                    try configuration.evaluation.benchmarks.map {
                        try TrainingBenchmarks(contentsOf: $0, of: configuration)
                    }
                }
                try configuration.train(start, communicator: communicator, benchmarks: benchmarks)
                return 0
            }
        }
        throw ExitCode(status)
    }

    /// Seconds for a run that still holds the output: one under supervision may be its own earlier start, whose ranks
    /// are just ending, or whose host was lost and whose lock a file server gives back when the lease is over.
    private func patience(_ start: RunStart) -> Double {
        guard ProcessInfo.processInfo.environment[Heartbeat.variable] != nil else { return 0 }
        return start.origin == .resumingIfAny ? 120 : 5
    }
}
