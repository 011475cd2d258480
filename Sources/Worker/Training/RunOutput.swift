import Coordinator
import Core
import Foundation

/// What a run leaves in its output folder and says on the terminal. Rank 0 does it; on other ranks nothing happens.
final class RunOutput {
    private let folder: URL
    private let isFirst: Bool
    private let metrics: MetricsWriter?
    private let evaluations: MetricsWriter?
    private let benchmarks: MetricsWriter?
    private let answers: MetricsWriter?
    private let events: EventFile?
    private var progress: Progress
    private var stage: StageProgress?

    /// - Parameter step: taken before; the lines of later ones go.
    init(
        _ run: TrainingRun<some VectorArithmetic>, order: StepOrder, continuingAfter step: Int
    ) throws {
        let configuration = run.configuration
        folder = configuration.output
        isFirst = run.communicator.rank == 0
        progress = Progress(steps: order.totalSteps)
        guard isFirst else {
            metrics = nil
            evaluations = nil
            benchmarks = nil
            answers = nil
            events = nil
            return
        }
        try OutputFolder.make(folder)
        try FileOutput.write(
            configuration.yaml(environment: .current(ranks: run.communicator.size)),
            to: folder.appending(path: "config.yaml"))
        metrics = try MetricsWriter(folder.appending(path: "metrics.jsonl"), continuingAfter: step)
        evaluations =
            run.eval == nil
            ? nil : try MetricsWriter(folder.appending(path: "eval.jsonl"), continuingAfter: step)
        benchmarks =
            configuration.evaluation.benchmarks == nil
            ? nil : try MetricsWriter(folder.appending(path: Self.benchmarksFile), continuingAfter: step)
        answers =
            configuration.evaluation.answers == 0
            ? nil : try MetricsWriter(folder.appending(path: RunRecord.answersFile), continuingAfter: step)
        let tensorboard = folder.appending(path: "tensorboard")
        if step == 0 { try? FileManager.default.removeItem(at: tensorboard) }
        events = try EventFile(in: tensorboard, continuingAfter: step)
    }

    /// Says what is about to be done.
    static func announce(_ run: TrainingRun<some VectorArithmetic>, _ order: StepOrder) {
        guard run.communicator.rank == 0 else { return }
        let ranks = run.communicator.size == 1 ? "1 rank" : "\(run.communicator.size) ranks"
        Console.say(
            "\(run.configuration.objective.kind.rawValue) on \(run.train.groups.count) groups, "
                + "\(order.totalSteps) steps of \(order.groupsPerStep) groups, \(ranks); "
                + "\(run.model.parameters.count) trained parameters")
        run.configuration.compute.precision.tell(run.communicator)
    }

    /// Begins a phase before training that has `total` parts.
    func stage(_ name: String, of total: Int) {
        if isFirst { stage = StageProgress(name, total: total) }
    }

    func stageProgress(_ done: Int) { stage?.update(done) }

    /// Before something else is said.
    func pause() { if isFirst { progress.pause() } }

    func report(_ report: TrainingStep.Report) throws {
        guard isFirst else { return }
        try metrics?.append(report.metrics)
        try events?.append(report.metrics.scalars, step: report.metrics.step)
        progress.update(report.metrics, groups: report.groups, tokens: report.rows)
    }

    func reportEvaluation(_ means: StepMetrics) throws {
        guard isFirst else { return }
        let values = HeldOutEvaluation.metrics.map { ($0.rawValue, means[$0]) }
        var line = JSON.Object([("step", .integer(means.step))])
        for (name, value) in values { line[name] = .number(value) }
        try evaluations?.append(.object(line))
        try events?.append(values.map { ("eval/\($0)", $1) }, step: means.step)
        // Where no reward is greater than another, none is right or wrong.
        let accuracy = means[.rewardMargin] == 0 ? .nan : means[.rewardAccuracy]
        Console.say(
            String(format: "step %d: held-out loss %.4f", means.step, means[.loss])
                + (accuracy.isNaN ? "" : String(format: "  accuracy %.3f", accuracy)))
    }

    /// The held-out losses that were reported, on rank 0.
    var evaluatedLosses: [(loss: Double, step: Int)] {
        guard evaluations != nil else { return [] }
        let lines = (try? JSON.lines(contentsOf: folder.appending(path: "eval.jsonl"))) ?? []
        return lines.compactMap { line in
            guard let loss = line.value["loss"]?.double, let step = line.value["step"]?.int else { return nil }
            return (loss, step)
        }
    }

    /// A line for each step after which benchmarks were answered.
    static let benchmarksFile = "benchmarks.jsonl"

    /// - Parameter measures: by name, such as `pope/accuracy`
    func reportBenchmarks(_ measures: [(name: String, value: Double)], after step: Int) throws {
        guard isFirst else { return }
        var line = JSON.Object([("step", .integer(step))])
        for (name, value) in measures { line[name] = .number(value) }
        try benchmarks?.append(.object(line))
        try events?.append(measures.map { ("benchmarks/\($0.name)", $0.value) }, step: step)
        var told: Set<Substring> = []
        for (name, value) in measures where told.insert(name.prefix { $0 != "/" }).inserted {
            Console.say(String(format: "step %d: %@ %.4f", step, name.replacing("/", with: " "), value))
        }
    }

    /// Collective. Whether the evaluation after so many steps is done and written; so it is where there is none to do.
    func hasEvaluation(at step: Int, _ communicator: any Communicator) throws -> Bool {
        try has(evaluations, "eval.jsonl", step, communicator)
    }

    /// Collective. The same of benchmarks.
    func hasBenchmarks(at step: Int, _ communicator: any Communicator) throws -> Bool {
        try has(benchmarks, Self.benchmarksFile, step, communicator)
    }

    /// - Parameter lines: of JSON
    func reportAnswers(_ lines: [Data]) throws {
        for line in lines { try answers?.append(JSON(parsing: line)) }
    }

    /// Collective. The same of pictures.
    func hasAnswers(at step: Int, _ communicator: any Communicator) throws -> Bool {
        try has(answers, RunRecord.answersFile, step, communicator)
    }

    private func has(
        _ writer: MetricsWriter?, _ file: String, _ step: Int, _ communicator: any Communicator
    ) throws -> Bool {
        guard writer != nil else { return try communicator.max([isFirst ? 1 : 0])[0] > 0 }
        let lines = try? JSON.lines(contentsOf: folder.appending(path: file))
        let isThere = (lines ?? []).contains { $0.value["step"]?.int == step }
        return try communicator.max([isThere ? 1 : 0])[0] > 0
    }

    /// Writes what was trained: the adapter; and the whole model where more than an adapter was trained.
    func finish(_ run: TrainingRun<some VectorArithmetic>) throws {
        guard isFirst else { return }
        let trainable = run.model.trainable
        var written: [String] = []
        if trainable.language == .lora || trainable.vision == .lora {
            try LowRankAdapterFolder.write(
                run.model, baseModel: run.configuration.model.path.path, to: folder.appending(path: "adapter"))
            written.append("adapter")
        }
        if trainable.language == .full || trainable.projector == .full || trainable.vision == .full {
            try run.model.write(to: folder.appending(path: "model"), besides: run.folder.url)
            written.append("model")
        }
        try ReportPage(runs: [RunRecord(folder, isEvaluated: false)]).write(to: folder.appending(path: "report.html"))
        Console.say("wrote \(written.joined(separator: " and ")) in \(folder.relativePath)")
    }
}

/// Tells of a phase before training, every few seconds.
private struct StageProgress {
    private let name: String
    private let total: Int
    private var last = ContinuousClock.now

    init(_ name: String, total: Int) {
        (self.name, self.total) = (name, total)
        Console.say("\(name) of \(total) groups")
    }

    mutating func update(_ done: Int) {
        guard ContinuousClock.now - last > .seconds(Progress.interval) else { return }
        last = .now
        Console.say("\(name): \(done) of \(total)")
    }
}
