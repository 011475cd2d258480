import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Evaluate: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Asks a model the questions of benchmarks and scores its answers.",
        discussion: """
            Ranks share the questions; an evaluation that was stopped goes on where it was. With --compare, lays two \
            evaluations of the same questions side by side instead:

              misp-worker evaluate --config eval.yaml
              misp-worker evaluate --compare runs/eval-base runs/eval-trained
            """)

    @Option(help: ArgumentHelp("Benchmarks and who answers them (YAML).", valueName: "eval.yaml"))
    var config: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Values over those of the file; paths start from the file's folder.", valueName: "key=value")
    )
    var set: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("The output folders of two evaluations.", valueName: "folder"))
    var compare: [String] = []

    @Option(help: ArgumentHelp("The file for the comparison (JSON).", valueName: "file"))
    var out: String?

    @Option(help: "Rounds of the comparison's bootstrap and permutations.")
    var resamples = 10_000

    package init() {}

    package func validate() throws {
        guard compare.isEmpty else {
            if compare.count != 2 { throw ValidationError("--compare takes 2 folders, not \(compare.count)") }
            if config != nil { throw ValidationError("--compare and --config exclude each other") }
            if resamples < 1 { throw ValidationError("--resamples is \(resamples), but must be at least 1") }
            return
        }
        if config == nil { throw ValidationError("give --config, or --compare with two folders") }
        if out != nil { throw ValidationError("--out belongs to --compare; an evaluation has its output folder") }
    }

    package func run() throws {
        guard let config else { return try compareFolders() }
        let configuration = try EvaluationConfiguration(contentsOf: URL(filePath: config), overrides: set)
        throw ExitCode(
            Communicators.run { communicator in
                Interruption.watch()
                let results = try OutputLock.holding(configuration.output, communicator) {
                    try Evaluation(configuration: configuration, communicator: communicator).run()
                }
                if communicator.rank == 0 { RunOutput.show(EvaluationReport(results).lines) }
                return 0
            })
    }

    private func compareFolders() throws {
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    let comparison = try EvaluationComparison(
                        URL(filePath: compare[0]), URL(filePath: compare[1]),
                        Resampling(seed: 0, rounds: resamples))
                    RunOutput.show(comparison.lines)
                    if let out { try FileOutput.write(comparison.json.description + "\n", to: URL(filePath: out)) }
                }
                return 0
            })
    }
}
