import ArgumentParser
import Coordinator
import Core
import Foundation

package struct CompareDraws: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "sampling", abstract: "Compares the draws of negatives on a trained model's own groups.",
        discussion: """
            Computes the gradient of every sequence of some groups, and from them how far each draw's gradient of the \
            image loss lies from that of the whole pool: bias, noise, effective sample size, by the number of \
            negatives. Writes sampling.json and sampling.html:

              \(Typed.program) sampling --config run.yaml --out sampling --groups 50

            The policy is the model with the adapter that the run has trained, or the one named.
            """)

    @OptionGroup package var options: RunOptions

    @Option(help: ArgumentHelp("The folder to write into.", valueName: "folder"))
    var out: String

    @Option(help: ArgumentHelp("The policy's PEFT adapter.", valueName: "folder"))
    var adapter: String?

    @Option(help: "Groups, the first of the file with a pool of two or more.") var groups = 32
    @Option(help: "Draws of each group.") var draws = 1000
    @Option(parsing: .upToNextOption, help: "Numbers of negatives.") var counts: [Int] = [1, 2, 3, 5, 8]

    package init() {}

    package func validate() throws {
        guard 1...1_000_000 ~= groups, 2...1_000_000 ~= draws else {
            throw ValidationError("--groups takes a number from 1 to 1000000, and --draws one from 2")
        }
        guard !counts.isEmpty, counts.allSatisfy({ 1...10_000 ~= $0 }), Set(counts).count == counts.count else {
            throw ValidationError("--counts takes different numbers from 1 to 10000")
        }
    }

    package func run() throws {
        var configuration = try options.configuration()
        let beta = configuration.objective.settings.beta
        // The groups as the file has them, whatever the objective would put in the place of their pictures.
        configuration.objective = RunConfiguration.Objective()
        let own = configuration.output.appending(path: "adapter")
        let isThere = FileManager.default.fileExists(atPath: own.appending(path: "adapter_config.json").path)
        guard
            let policy = adapter.map({ URL(filePath: $0) }) ?? (isThere ? own : configuration.model.adapter)
        else {
            throw MISPError(
                "has no adapter, and without one all draws are alike", at: configuration.output.relativePath,
                remedy: "train the run first, or give --adapter")
        }
        throw ExitCode(
            Communicators.run { communicator in
                let laboratory = SamplingLaboratory(
                    adapter: policy, beta: beta, groups: groups, draws: draws, counts: counts.sorted())
                let result = try laboratory.result(configuration, communicator)
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    try result.write(to: URL(filePath: out))
                    Console.show(result.lines)
                }
                return 0
            })
    }
}
