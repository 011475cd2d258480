import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Evaluate: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Asks a model the questions of benchmarks and scores its answers.",
        discussion: """
            Ranks share the questions; an evaluation that was stopped resumes where it was. With judge in the file, \
            a server is asked for the ratings of benchmarks that need a judge. With --compare, lays two or more \
            evaluations of the same questions side by side instead: differences of each from the first, and a page \
            of pictures, questions and answers, right and hallucinated words marked:

              \(Typed.program) evaluate --config eval.yaml
              \(Typed.program) evaluate --compare runs/eval-base runs/eval-dpo runs/eval-misp
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
        help: ArgumentHelp("The output folders of evaluations, two or more.", valueName: "folder"))
    var compare: [String] = []

    @Option(help: ArgumentHelp("The file for the comparison (JSON).", valueName: "file"))
    var out: String?

    @Option(
        help: ArgumentHelp(
            "The page of answers; compare.html in the last of the folders unless given.", valueName: "file"))
    var page: String?

    @Option(help: "Questions of a benchmark on the page; those in which the evaluations differ come first.")
    var shown = 60

    @Option(help: "Rounds of the comparison's bootstrap and permutations.")
    var resamples = 10_000

    package init() {}

    package func validate() throws {
        guard compare.isEmpty else {
            if compare.count < 2 { throw ValidationError("--compare takes 2 folders or more, not \(compare.count)") }
            if config != nil { throw ValidationError("--compare and --config exclude each other") }
            if resamples < 1 { throw ValidationError("--resamples is \(resamples), but must be at least 1") }
            if shown < 1 { throw ValidationError("--shown is \(shown), but must be at least 1") }
            return
        }
        if config == nil { throw ValidationError("give --config, or --compare with two folders or more") }
        for (name, value) in [("--out", out), ("--page", page)] where value != nil {
            throw ValidationError("\(name) belongs to --compare; an evaluation has its output folder")
        }
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
                if communicator.rank == 0 { Console.show(EvaluationReport(results).lines) }
                return 0
            })
    }

    private func compareFolders() throws {
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree {
                    guard communicator.rank == 0 else { return }
                    let comparisons = try EvaluationComparisons(
                        compare.map { URL(filePath: $0) }, Resampling(seed: 0, rounds: resamples))
                    Console.show(comparisons.lines)
                    if let out { try FileOutput.write(comparisons.json.description + "\n", to: URL(filePath: out)) }
                    try writePage(comparisons)
                }
                return 0
            })
    }

    private func writePage(_ comparisons: EvaluationComparisons) throws {
        let folders = comparisons.folders
        var benchmarks: [AnswerComparison] = []
        for name in try EvaluationFolder.common(folders) {
            let missing = AnswerComparison.missing(name, in: folders)
            guard let first = missing.first else {
                benchmarks.append(try AnswerComparison(name, of: folders))
                continue
            }
            let file = first.file(EvaluationFolder.markedFile, of: name).relativePath
            Console.say(
                "the page leaves out \(name): \(file) does not exist, as an earlier version left it; evaluate again, "
                    + "which keeps the answers")
        }
        guard !benchmarks.isEmpty else { return }
        let file =
            page.map { URL(filePath: $0) } ?? folders[folders.count - 1].url.appending(path: "compare.html")
        let unread = try ComparePage(
            names: ComparePage.names(folders), benchmarks: benchmarks, tables: comparisons.pairs.map(\.rows),
            limit: shown
        ).write(to: file)
        for benchmark in benchmarks {
            Console.show([
                "\(benchmark.name): \(benchmark.count(.verdicts)) of \(benchmark.rows.count) questions are answered "
                    + "right by some and not by others; \(benchmark.count(.words)) more otherwise"
            ])
        }
        Console.say(
            "wrote \(file.relativePath)" + (unread > 0 ? "; \(unread) of its pictures cannot be read" : ""))
    }
}
