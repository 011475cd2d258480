import Core
import Foundation

/// What `evaluate` does, as `eval.yaml` describes it.
package struct EvaluationConfiguration: Equatable {
    /// Keys the resampling, and the draws of answers where temperature is above 0.
    var seed: UInt64 = 0
    var output: URL
    /// The run whose model answers; nil where `model` is given, or all answers were made elsewhere.
    var run: URL?
    var model: RunConfiguration.Model?
    /// A checkpoint of the run, in place of its result.
    var checkpoint: URL?
    /// Answers with the run's model alone, whatever was trained.
    var base = false
    /// Of the questions' pictures; the run's own unless given.
    var transparency: Transparency?
    var sampling = SamplingChoice()
    /// Of the products; the run's own unless given, and float32 where there is no run.
    var precision: Precision?
    var threads = 1
    /// Rounds of the bootstrap and of permutations.
    var rounds = 2000
    var benchmarks: [BenchmarkSource] = []
    /// Who rates the answers of benchmarks that need it and have no ratings; nil for nobody.
    var judge: JudgeConfiguration?

    private static let keys = [
        "seed", "output", "run", "model", "base", "checkpoint", "data", "answers", "compute", "threads",
        "resamples", "benchmarks", "judge",
    ]
    private static let answerKeys = [
        "max_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "generation_config",
    ]
    private static let benchmarkKeys = [
        "kind", "name", "questions", "images", "annotations", "ratings", "baseline", "answers", "prompt", "suffix",
        "limit",
    ]

    /// - Parameter isAnsweredInTraining: whether a model that the file does not name answers
    /// - Throws: `MISPError` that names file, line and key
    package init(
        contentsOf url: URL, overrides: [String] = [], isAnsweredInTraining: Bool = false
    ) throws(MISPError) {
        let document = try ConfigurationDocument(contentsOf: url, overrides: overrides)
        let root = document.field
        try root.checkKeys(Self.keys)
        output =
            try root["output"].fileURL()
            ?? ConfigurationField.resolve("runs/\(document.name)", from: document.places.folder)
        seed = UInt64(try root["seed"].int(default: 0, from: 0))
        run = try root["run"].fileURL()
        try root["model"].checkKeys(RunConfiguration.Model.keys.map(\.name))
        if root["model"].isPresent { model = try RunConfiguration.Model(root["model"]) }
        if run != nil, model != nil {
            throw root["model"].failure("is given beside run", remedy: "keep one of the two")
        }
        base = try root["base"].bool(default: false)
        checkpoint = try root["checkpoint"].fileURL()
        // A bare name is that of one of the run's own, unless there is such a folder.
        if let name = try root["checkpoint"].string(), !name.contains("/"), let place = checkpoint,
            !FileManager.default.fileExists(atPath: place.path)
        {
            checkpoint = URL(filePath: name)
        }
        if checkpoint != nil, run == nil || base {
            throw root["checkpoint"].failure(
                base ? "is given beside base" : "is given without a run",
                remedy: base ? "keep one of the two" : "set run to the configuration that it was trained with")
        }
        try root["data"].checkKeys(["transparency"])
        let transparency = root["data"]["transparency"]
        if transparency.isPresent { self.transparency = try transparency.choice(default: Transparency.white) }
        try root["compute"].checkKeys(["precision"])
        let precision = root["compute"]["precision"]
        if precision.isPresent { self.precision = try precision.choice(default: Precision.float32) }
        threads = try root["threads"].int(default: threads, from: 1, to: 4096)
        rounds = try root["resamples"].int(default: rounds, from: 0, to: 1_000_000)
        try root["answers"].checkKeys(Self.answerKeys)
        sampling = try SamplingChoice(root["answers"], seed: seed)
        if root["judge"].isPresent {
            let kinds = BenchmarkKind.allCases.filter { $0.judgePrompt != nil }
            judge = try JudgeConfiguration(root["judge"], kinds: kinds.map(\.rawValue))
        }
        guard let list = try root["benchmarks"].list(), !list.isEmpty else {
            throw root["benchmarks"].failure("is missing", remedy: "list the benchmarks, each with its kind")
        }
        for item in list {
            try item.checkKeys(Self.benchmarkKeys)
            let source = try BenchmarkSource(item, hasJudge: judge != nil)
            guard !benchmarks.contains(where: { $0.name == source.name }) else {
                throw item["name"].failure("'\(source.name)' names two benchmarks", remedy: "give each its own name")
            }
            benchmarks.append(source)
        }
        if !isAnsweredInTraining, run == nil, model == nil,
            let asked = benchmarks.firstIndex(where: { $0.answers == nil })
        {
            throw list[asked].failure(
                "there is nobody to answer", remedy: "set run, or model.path, or give the benchmark answers")
        }
    }
}

extension BenchmarkSource {
    fileprivate init(_ item: ConfigurationField, hasJudge: Bool) throws(MISPError) {
        guard let kind = try item["kind"].string().flatMap({ BenchmarkKind(rawValue: $0) }) else {
            let known = BenchmarkKind.allCases.map(\.rawValue)
            throw item["kind"].failure(
                "is not a benchmark", remedy: NearestName.remedy((try? item["kind"].string()) ?? "", among: known))
        }
        self.kind = kind
        name = try item["name"].string() ?? kind.rawValue
        guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else {
            throw item["name"].failure("'\(name)' cannot name a folder")
        }
        questions = try item["questions"].fileURLs()
        guard !questions.isEmpty else {
            throw item["questions"].failure("is missing", remedy: "give the benchmark's file of questions")
        }
        images = try item["images"].fileURL() ?? item.places.folder
        annotations = try item["annotations"].fileURLs()
        ratings = try item["ratings"].fileURL()
        answers = try item["answers"].fileURL()
        isJudged = hasJudge && ratings == nil && kind.judgePrompt != nil
        baseline = try item["baseline"].fileURL()
        if isJudged, kind.isArena, baseline == nil {
            throw item["baseline"].failure(
                "is missing",
                remedy: "give the answers that the judge compares with, a file of JSON lines "
                    + "{question_id, output}")
        }
        prompt = try item["prompt"].string()
        suffix = try item["suffix"].string() ?? ""
        if item["limit"].isPresent { limit = try item["limit"].int(default: 0, from: 1) }
    }
}

extension SamplingChoice {
    fileprivate init(_ section: ConfigurationField, seed: UInt64) throws(MISPError) {
        self.init()
        self.seed = seed
        let counts = GenerationConfiguration.counts
        func count(_ key: String, from least: Int) throws(MISPError) -> Int? {
            guard section[key].isPresent else { return nil }
            let value = try section[key].int(default: least, from: least)
            guard value <= counts.upperBound else {
                throw section[key].failure("is \(value), but must be at most \(counts.upperBound)")
            }
            return value
        }
        func number(_ key: String, _ expected: String, _ isGood: (Double) -> Bool) throws(MISPError) -> Double? {
            guard section[key].isPresent else { return nil }
            return try section[key].number(default: 1, expected) { $0.isFinite && isGood($0) }
        }
        maxTokens = try count("max_tokens", from: counts.lowerBound)
        temperature = try number("temperature", "0 or more") { $0 >= 0 }
        topK = try count("top_k", from: 0)
        topP = try number("top_p", "greater than 0 and at most 1") { $0 > 0 && $0 <= 1 }
        repetitionPenalty = try number("repetition_penalty", "greater than 0") { $0 > 0 }
        followsFile = try section["generation_config"].bool(default: true)
    }
}

extension ConfigurationField {
    /// One path or a list of them.
    func fileURLs() throws(MISPError) -> [URL] {
        guard isPresent else { return [] }
        guard case .sequence? = node else { return [try fileURL()].compactMap { $0 } }
        var paths: [URL] = []
        for item in try list() ?? [] { if let path = try item.fileURL() { paths.append(path) } }
        return paths
    }
}
