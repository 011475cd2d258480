import Core
import Foundation

/// A benchmark whose answers a judge rates: what a judge is asked, and the file of its ratings.
protocol JudgedBenchmark: Benchmark {
    static var prompt: JudgePromptKind { get }
    /// What a judge is asked of the answers, in the order of the questions.
    func items(_ answers: [Answer], _ prompt: JudgePrompt) -> [JudgeItem]
    /// The judgements of all items as `ratings` and the benchmark's own scripts read them.
    func ratings(_ judgements: [Judgement], judge: String, model: String) -> (name: String, text: String)
}

/// The prompt of a kind of benchmark: misp's own words, and which placeholders those of others have.
struct JudgePromptKind {
    let own: String
    let needed: [String]
    var optional: [String] = []

    /// - Parameter file: nil for misp's own words
    func read(_ file: URL?) throws(MISPError) -> JudgePrompt {
        guard let file else { return JudgePrompt(own: own) }
        return try JudgePrompt(contentsOf: file, needed: needed, known: needed + optional)
    }
}

/// Has the judge rate the answers to benchmarks; on one rank.
struct JudgePanel {
    private let judge: Judge
    private let prompts: [BenchmarkKind: JudgePrompt]

    /// Reads everything that asking needs, before any model is asked; nil where there is nothing to rate.
    init?(_ configuration: EvaluationConfiguration) throws(MISPError) {
        let kinds = Set(configuration.benchmarks.filter(\.isJudged).map(\.kind))
        guard let settings = configuration.judge, !kinds.isEmpty else { return nil }
        judge = try Judge(settings)
        var prompts: [BenchmarkKind: JudgePrompt] = [:]
        for kind in kinds { prompts[kind] = try kind.judgePrompt?.read(settings.prompts[kind.rawValue]) }
        self.prompts = prompts
    }

    /// Has the answers rated, and opens the benchmark anew with the ratings.
    ///
    /// - Parameters:
    ///   - model: whose answers they are
    ///   - folder: the benchmark's, in which replies and ratings are kept
    /// - Returns: nil for a benchmark that needs no judge, or has ratings
    func rate(
        _ source: BenchmarkSource, _ benchmark: any Benchmark, _ answers: [Answer], model: String, in folder: URL
    ) throws -> (benchmark: any Benchmark, judge: JSON)? {
        guard source.isJudged, let judged = benchmark as? any JudgedBenchmark, let prompt = prompts[source.kind] else {
            return nil
        }
        let record = judge.record(prompt)
        Console.say(
            "\(source.name): judged by \(judge.settings.model) at \(judge.settings.url), prompt: \(prompt.name)")
        let file = try JudgementFile(
            folder.appending(path: JudgementFile.name), judge: record, identity: Judge.identity)
        let judgements = try judge.ask(judged.items(answers, prompt), as: source.name, keeping: file)
        let (name, text) = judged.ratings(judgements, judge: judge.settings.model, model: model)
        var rated = source
        (rated.ratings, rated.isJudged) = (folder.appending(path: name), false)
        try FileOutput.write(text, to: folder.appending(path: name))
        return (try source.kind.open(rated), record)
    }
}

extension BenchmarkKind {
    /// Of the kinds that a judge rates.
    var judgePrompt: JudgePromptKind? {
        switch self {
        case .mmhal: RatedBenchmark.prompt
        case .wildvision: ArenaBenchmark.prompt
        default: nil
        }
    }

    /// Whether the judge of the kind sees the pictures and compares with a baseline.
    var isArena: Bool { self == .wildvision }
}
