import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Report: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Lays runs side by side: a table, and a page of curves and answers.",
        discussion: """
            Every run writes its own report.html. For several runs, or one that is not finished:

              \(Typed.program) report runs/dpo runs/misp --out comparison.html

            Measures of evaluations stand beside the curves: those of each run's folder `evaluation`, and of folders \
            that are named too. Losses of different objectives stand in pictures of their own.
            """)

    @Argument(help: ArgumentHelp("The output folders of runs, and of evaluations.", valueName: "folder"))
    var folders: [String]

    @Option(
        help: ArgumentHelp("The page to write; of a single run, its own report.html unless given.", valueName: "file"))
    var out: String?

    @Option(help: "Smooths the curves of steps: 0 (not at all) to below 1, such as 0.9.")
    var smooth = 0.0

    package init() {}

    package func validate() throws {
        guard smooth >= 0, smooth < 1 else {
            throw ValidationError("--smooth is \(smooth), but must be at least 0 and below 1")
        }
    }

    package func run() throws {
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    let page = try page()
                    Console.show(page.lines)
                    let file =
                        out.map { URL(filePath: $0) }
                        ?? (page.runs.count == 1 ? page.runs[0].folder.appending(path: "report.html") : nil)
                    if let file {
                        try page.write(to: file)
                        Console.say("wrote \(file.relativePath)")
                    }
                }
                return 0
            })
    }

    private func page() throws -> ReportPage {
        var page = ReportPage(runs: [], smoothing: smooth)
        for folder in folders.map({ URL(filePath: $0) }) {
            if RunRecord.isThere(folder) {
                page.runs.append(try RunRecord(folder))
            } else if EvaluationRecord.isThere(folder) {
                page.evaluations.append(try EvaluationRecord(folder))
            } else {
                throw MISPError(
                    "has neither metrics.jsonl of a run nor results.json of an evaluation", at: folder.relativePath,
                    remedy: "give the output folder of a run or of an evaluation")
            }
        }
        return page
    }
}
