import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Demo: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Shows the method end to end on a small model and pictures of its own.",
        discussion: """
            Draws pictures, warms a small model up on careless labels, trains it further with DPO and with MISP-DPO, \
            and prints what the three get wrong on held-out pictures. Minutes on two cores; also as several ranks:

              \(Typed.launcher("demo")) -n 8
            """)

    @Option(help: ArgumentHelp("Where everything is written; a demonstration already there is replaced."))
    package var output = "runs/demo"

    @Option(help: "Keys every random choice.")
    package var seed: UInt64 = 0

    @Flag(help: .hidden)
    package var short = false

    package init() {}

    package func run() throws {
        guard Int(exactly: seed) != nil else {
            throw MISPError("is \(seed), more than \(Int.max)", at: "--seed")
        }
        let status = Communicators.run { communicator in
            try OutputLock.holding(URL(filePath: output), communicator) {
                try Demonstration(
                    folder: URL(filePath: output), seed: seed, size: short ? .short : .full, communicator: communicator
                ).execute()
                return 0
            }
        }
        throw ExitCode(status)
    }
}
