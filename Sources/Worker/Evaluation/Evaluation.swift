import Coordinator
import Core
import Foundation

/// Asks a model a list of benchmarks and scores its answers; the same on every rank.
struct Evaluation {
    let configuration: EvaluationConfiguration
    let communicator: any Communicator

    /// A benchmark's result; nil measures wait for a judge.
    struct Result {
        let source: BenchmarkSource
        let questions: Int
        let card: Scorecard?
        let intervals: [Resampling.Interval]
        /// Who rated the answers, if `judge` had them rated.
        let judge: JSON?
    }

    /// Collective. Rank 0 returns the results; the others return none.
    func run() throws -> [Result] {
        DecodingThreads.set(atLeast: configuration.threads)
        return try run { try prepareAnswers() }
    }

    /// Collective.
    ///
    /// - Parameter prepare: gives who answers, nil where all answers are there
    func run(_ prepare: () throws -> (sheet: AnswerSheet, name: String)?) throws -> [Result] {
        let output = configuration.output
        let benchmarks = try communicator.agree {
            try configuration.benchmarks.map { ($0, try $0.kind.open($0)) }
        }
        let panel = try communicator.agree {
            let panel = communicator.rank == 0 ? try JudgePanel(configuration) : nil
            if communicator.rank == 0 { try OutputFolder.make(output) }
            return panel
        }
        let sheet = try prepare()
        var results: [Result] = []
        for (source, benchmark) in benchmarks {
            let folder = output.appending(path: source.name)
            try communicator.agree { if communicator.rank == 0 { try OutputFolder.make(folder) } }
            let file = folder.appending(path: "answers.jsonl")
            if source.answers == nil, let sheet {
                if communicator.rank == 0 { Console.say("\(source.name): \(benchmark.questions.count) questions") }
                try sheet.sheet.fill(benchmark.questions, communicator: communicator, out: file)
            }
            try communicator.agree {
                guard communicator.rank == 0 else { return }
                let answers = try Answer.read(
                    source.answers ?? file, for: benchmark.questions,
                    others: source.limit == nil ? benchmark.unasked : nil)
                results.append(try score(source, benchmark, answers, panel, model: sheet?.name ?? source.name, folder))
            }
        }
        try communicator.agree { if communicator.rank == 0 { try EvaluationReport(results).write(to: output) } }
        return results
    }

    /// Collective. Loads the model, if there is one to ask, and makes sure that answers left by an earlier run are its
    /// own.
    private func prepareAnswers() throws -> (sheet: AnswerSheet, name: String)? {
        guard configuration.benchmarks.contains(where: { $0.answers == nil }) else { return nil }
        let run = try communicator.agree { try configuration.run.map { try RunConfiguration(contentsOf: $0) } }
        let sampling = try communicator.agree { try resolved(run) }
        if communicator.rank == 0 { sampling.lines.forEach(Console.say) }
        let precision = configuration.precision ?? run?.compute.precision ?? .float32
        precision.tell(communicator)
        return try prepareAnswers(run, sampling, precision, precision.arithmetic)
    }

    private func prepareAnswers<A: VectorArithmetic>(
        _ run: RunConfiguration?, _ sampling: Sampling, _ precision: Precision, _ arithmetic: A.Type
    ) throws -> (sheet: AnswerSheet, name: String) {
        let model: TrainedModel<A> = try communicator.agree { try load(run) }
        let weights = try AgreedInput(communicator) { try model.places.flatMap { try InputPiece.files(of: $0) } }
        return try prepareAnswers(model, sampling, Self.asked(model, sampling, weights.digest, precision))
    }

    static let askedFile = "asked.json"

    /// What answers depend on besides the questions.
    static func asked(
        _ model: TrainedModel<some VectorArithmetic>, _ sampling: Sampling, _ weights: Digest, _ precision: Precision
    ) -> JSON {
        var asked = JSON.Object([
            ("model", .string(model.origin)), ("weights", .string(weights.description)), ("answers", sampling.json),
            ("transparency", .string(model.images.places.processor.transparency.rawValue)),
        ])
        // Earlier versions had float32 alone, and said nothing of it.
        if precision != .float32 { asked["precision"] = .string(precision.rawValue) }
        return .object(asked)
    }

    /// Wherever the model lies.
    static func isSame(_ one: JSON, _ other: JSON) -> Bool { one.without(["model"]) == other.without(["model"]) }

    /// Collective.
    ///
    /// - Parameter asked: what the answers that are there must have been asked for
    func prepareAnswers<A: VectorArithmetic>(
        _ model: TrainedModel<A>, _ sampling: Sampling, _ asked: JSON
    ) throws -> (sheet: AnswerSheet, name: String) {
        try communicator.agree {
            guard communicator.rank == 0 else { return }
            let file = configuration.output.appending(path: Self.askedFile)
            if FileManager.default.fileExists(atPath: file.path) {
                guard try Self.isSame(JSON(contentsOf: file), asked) else {
                    throw MISPError(
                        "the answers there are another model's, or were asked for differently",
                        at: configuration.output.relativePath, remedy: "remove them, or choose another output")
                }
            } else {
                try FileOutput.write(asked.description + "\n", to: file)
            }
            Console.say("answers of \(model.origin)")
        }
        return (AnswerSheet(model, sampling), model.origin)
    }

    private func resolved(_ run: RunConfiguration?) throws -> Sampling {
        guard let url = (configuration.model ?? run?.model)?.path else { throw Self.nobody }
        return try Sampling(configuration.sampling, ModelFolder(url))
    }

    private static let nobody = MISPError(
        "there is nobody to answer", at: "evaluate", remedy: "set run, or model.path")

    private func load<A: VectorArithmetic>(_ run: RunConfiguration?) throws -> TrainedModel<A> {
        if let model = configuration.model {
            return try TrainedModel(
                model, configuration.transparency ?? .white)
        }
        guard var run else { throw Self.nobody }
        run.data.transparency = configuration.transparency ?? run.data.transparency
        return try TrainedModel(
            run,
            weights: configuration.checkpoint.map { .checkpoint($0) } ?? (configuration.base ? .base : .newest))
    }

    private func score(
        _ source: BenchmarkSource, _ unrated: any Benchmark, _ answers: [Answer], _ panel: JudgePanel?, model: String,
        _ folder: URL
    ) throws -> Result {
        for (name, text) in unrated.files(answers, model: model) {
            try FileOutput.write(text, to: folder.appending(path: name))
        }
        let rated = try panel?.rate(source, unrated, answers, model: model, in: folder)
        let benchmark = rated?.benchmark ?? unrated
        let marked = benchmark.questions.indices.map { index in
            benchmark.mark(answers[index].text, at: index).json(benchmark.questions[index]).description
        }
        try FileOutput.write(
            marked.map { $0 + "\n" }.joined(), to: folder.appending(path: EvaluationFolder.markedFile))
        let card = try benchmark.score(answers.map(\.text))
        if let card { try FileOutput.write(card.json.description + "\n", to: folder.appending(path: "counts.json")) }
        let resampling = Resampling(seed: configuration.seed, rounds: configuration.rounds)
        return Result(
            source: source, questions: benchmark.questions.count, card: card,
            intervals: card.map { resampling.intervals($0, name: source.name) } ?? [], judge: rated?.judge)
    }
}
