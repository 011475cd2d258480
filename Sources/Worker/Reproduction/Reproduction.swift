import Coordinator
import Core
import Foundation

/// The paper in miniature: every arm on every seed, then tables and figures (docs/method.md).
struct Reproduction {
    let output: URL
    let seeds: [UInt64]
    let size: DemoSize
    /// Of each benchmark.
    let questions: Int
    let communicator: any Communicator

    private var isFirst: Bool { communicator.rank == 0 }
    private func folder(_ seed: UInt64) -> URL { output.appending(path: "seed-\(seed)") }

    /// Collective.
    func execute() throws {
        Interruption.watch()
        BLAS.setThreads(1)
        try prepare()
        let benchmarks = ReproductionBenchmarks(
            size: questions, folder: output.appending(path: "benchmarks").absoluteURL)
        try benchmarks.write(communicator)
        var progress = PhaseProgress(
            "reproduction, part", of: seeds.count * ReproductionSeed.parts, isTold: isFirst, isTerminal: false)
        var passed = 0
        for seed in seeds {
            try ReproductionSeed(
                seed: seed, folder: folder(seed), size: size, benchmarks: benchmarks, communicator: communicator,
                passed: { part in
                    passed += 1
                    progress.update(passed, note: "seed \(seed), \(part)")
                    try communicator.agree { try endIfAsked() }
                }
            ).execute()
        }
        let laboratory = try sampling()
        try communicator.agree { if isFirst { try write(laboratory) } }
    }

    /// The folder belongs to this comparison, of this size: other results in it would be mixed up with its own.
    private func prepare() throws {
        let file = output.appending(path: "reproduction.json")
        let mark: JSON = [
            "made_by": "misp-worker reproduce", "version": .string(Release.version), "labels": .integer(size.labels),
            "gallery": .integer(size.gallery), "groups": .integer(size.groups), "questions": .integer(questions),
        ]
        try communicator.agree {
            guard isFirst else { return }
            try OutputFolder.make(output)
            let content = try FileManager.default.contentsOfDirectory(atPath: output.path).filter {
                $0 != OutputLock.name
            }
            guard content.isEmpty || (try? JSON(contentsOf: file)) == mark else {
                throw MISPError(
                    "holds files that are not this comparison's", at: output.relativePath,
                    remedy: "name another folder with --output")
            }
            try FileOutput.write("\(mark)\n", to: file)
        }
    }

    private func endIfAsked() throws(MISPError) {
        guard Interruption.isAsked else { return }
        throw MISPError(
            "stopped; what is done is kept", at: output.relativePath, remedy: "resume with the same command",
            kind: .interrupted)
    }

    /// Collective. The draws' errors on the first seed's MISP-DPO.
    private func sampling() throws -> SamplingResult? {
        guard let seed = seeds.first else { return nil }
        var configuration = try communicator.agree {
            try RunConfiguration(contentsOf: folder(seed).appending(path: "misp.yaml"))
        }
        let beta = configuration.objective.settings.beta
        configuration.objective = RunConfiguration.Objective()
        return try SamplingLaboratory(
            adapter: folder(seed).appending(path: "misp/adapter"), beta: beta, groups: 32, draws: 500,
            counts: [1, 2, 3, 5, 8, 16]
        ).result(configuration, communicator)
    }

    private func write(_ laboratory: SamplingResult?) throws {
        let result = try ReproductionResult(seeds: seeds, folders: seeds.map(folder))
        try FileOutput.write("\(result.json)\n", to: output.appending(path: "results.json"))
        if let laboratory { try laboratory.write(to: output.appending(path: "sampling")) }
        let first = seeds.first.map { "seed-\($0)" } ?? ""
        let map = try? String(contentsOf: output.appending(path: "\(first)/mining-misp/map.svg"), encoding: .utf8)
        let page = ReproductionPage(
            result: result, size: size, map: map ?? "", laboratory: laboratory?.charts ?? "", first: first)
        try FileOutput.write(page.html, to: output.appending(path: "reproduction.html"))
        try writeFigures(result, laboratory, map: map)
        try writeAnswers(output.appending(path: first))
        Console.say("wrote reproduction.html, results.json and figures in \(output.relativePath)")
    }

    /// The page's figures as files.
    private func writeFigures(_ result: ReproductionResult, _ laboratory: SamplingResult?, map: String?) throws {
        let folder = output.appending(path: "figures")
        try OutputFolder.make(folder)
        let figures = ReproductionFigures(result: result)
        var files = [
            ("scores-by-count", FigureSheet(figures: figures.byCount).svg),
            ("scores-by-beta", FigureSheet(figures: figures.byBeta).svg),
        ]
        if let map { files.append(("picks", map)) }
        if let laboratory { files.append(("sampling", laboratory.sheet.svg)) }
        for (name, svg) in files { try FileOutput.write(svg, to: folder.appending(path: "\(name).svg")) }
    }

    /// The answers of some arms to the same questions.
    private func writeAnswers(_ seed: URL) throws {
        let folders = try [ReproductionResult.warmup, "dpo", "random", "misp"].map {
            try EvaluationFolder(seed.appending(path: "\($0)/evaluation"))
        }
        let names = try EvaluationFolder.common(folders).filter { AnswerComparison.missing($0, in: folders).isEmpty }
        let benchmarks = try names.map { try AnswerComparison($0, of: folders) }
        let file = output.appending(path: "compare.html")
        _ = try ComparePage(
            names: ["warm-up", "DPO", "random negatives", "MISP-DPO"], benchmarks: benchmarks, tables: [], limit: 24
        ).write(to: file)
    }
}
