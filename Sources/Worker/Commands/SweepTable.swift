import ArgumentParser
import Coordinator
import Core
import Foundation

package struct SweepTable: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Tabulates runs that differ in settings and seeds.",
        discussion: """
            \(Typed.launcher("sweep")) starts such runs and then this command. It groups the runs by the settings in \
            which they differ, takes means over seeds with 95 % intervals, prints a table, and writes \
            sweep.json and sweep.html:

              \(Typed.program) sweep runs/beta-0.1-seed-0 runs/beta-0.1-seed-1 runs/beta-0.5-seed-0 … --out runs
            """)

    @Argument(
        help: ArgumentHelp(
            "The output folders of runs; an evaluation of one is expected in its folder evaluation.", valueName: "run"))
    var runs: [String]

    @Option(help: ArgumentHelp("The folder to write into.", valueName: "folder"))
    var out: String

    package init() {}

    package func run() throws {
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    let sweep = try Sweep(runs.map { URL(filePath: $0) })
                    let folder = URL(filePath: out)
                    try OutputFolder.make(folder)
                    try FileOutput.write("\(sweep.json)\n", to: folder.appending(path: "sweep.json"))
                    try FileOutput.write(SweepPage(sweep: sweep).html, to: folder.appending(path: "sweep.html"))
                    Console.show(sweep.lines)
                }
                return 0
            })
    }
}
