import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Reproduce: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "reproduce", abstract: "Makes the paper's comparison on a small world of its own, with seeds.",
        discussion: """
            For every seed: pictures, a warmed-up model, a CLIP, minings of every kind, and a training and an \
            evaluation for each objective, source of negatives, draw, number of negatives and β. Then tables with \
            intervals and paired tests, and the figures, in reproduction.html and results.json:

              \(Typed.launcher("reproduce"))
              \(Typed.launcher("reproduce")) -n 8 --seeds 10

            What is there is not made again: the same command resumes after an interruption, and more seeds are added \
            to those that are there.
            """)

    @Option(help: ArgumentHelp("Where everything is written.", valueName: "folder"))
    var output = "runs/reproduction"

    @Option(help: "Seeds, from 0 on; 10 and more for a page to be published.")
    var seeds = 2

    @Flag(help: "Two seeds, which is the default: 3 minutes on two fast cores.")
    var quick = false

    @Flag(help: .hidden)
    var short = false

    package init() {}

    package func validate() throws {
        guard 1...10_000 ~= seeds else { throw ValidationError("--seeds takes a number from 1 to 10000") }
        if quick, seeds != 2 { throw ValidationError("--quick and --seeds exclude each other") }
    }

    package func run() throws {
        let folder = URL(filePath: output)
        throw ExitCode(
            Communicators.run { communicator in
                try OutputLock.holding(folder, communicator) {
                    try Reproduction(
                        output: folder, seeds: (0..<seeds).map(UInt64.init), size: short ? .short : .full,
                        questions: short ? 8 : 200, communicator: communicator
                    ).execute()
                    return 0
                }
            })
    }
}
