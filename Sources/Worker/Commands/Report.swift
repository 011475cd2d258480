import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Report: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Lays runs side by side: a table, and a page of curves.",
        discussion: """
            Every run writes its own report.html. For several runs, or one that is not finished:

              \(Typed.program) report runs/dpo runs/misp --out comparison.html
            """)

    @Argument(help: ArgumentHelp("The output folders of runs.", valueName: "run"))
    var runs: [String]

    @Option(
        help: ArgumentHelp("The page to write; of a single run, its own report.html unless given.", valueName: "file"))
    var out: String?

    package init() {}

    package func run() throws {
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    let page = ReportPage(runs: try runs.map { try RunRecord(URL(filePath: $0)) })
                    Console.show(page.lines)
                    let file =
                        out.map { URL(filePath: $0) }
                        ?? (runs.count == 1 ? URL(filePath: runs[0]).appending(path: "report.html") : nil)
                    if let file {
                        try page.write(to: file)
                        Console.say("wrote \(file.relativePath)")
                    }
                }
                return 0
            })
    }
}
