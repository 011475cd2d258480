import Coordinator
import Core
import Foundation

/// What a run leaves in its output folder and says on the terminal. Rank 0 does it; on other ranks nothing happens.
final class RunOutput {
    private let folder: URL
    private let isFirst: Bool
    private let metrics: MetricsWriter?
    private let evaluations: MetricsWriter?
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
        let accuracy = means[.rewardAccuracy]
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

    /// Collective. Whether the evaluation after so many steps is done and written; so it is where there is none to do.
    func hasEvaluation(at step: Int, _ communicator: any Communicator) throws -> Bool {
        guard evaluations != nil else { return try communicator.max([isFirst ? 1 : 0])[0] > 0 }
        let lines = try? JSON.lines(contentsOf: folder.appending(path: "eval.jsonl"))
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
        try ReportPage(runs: [RunRecord(folder)]).write(to: folder.appending(path: "report.html"))
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
