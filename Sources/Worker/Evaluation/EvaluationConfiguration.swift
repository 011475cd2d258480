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
    package var benchmarks: [BenchmarkSource] = []
    /// Who rates the answers of benchmarks that need it and have no ratings; nil for nobody.
    var judge: JudgeConfiguration?

    /// - Parameter isAnsweredInTraining: whether a model that the file does not name answers
    /// - Throws: `MISPError` that names file, line and key
    package init(
        contentsOf url: URL, overrides: [String] = [], isAnsweredInTraining: Bool = false
    ) throws(MISPError) {
        let document = try ConfigurationDocument(contentsOf: url, overrides: overrides)
        let root = document.field
        output = ConfigurationField.resolve("runs/\(document.name)", from: document.places.folder)
        try JudgeConfiguration.refuseSecrets(root["judge"])
        try Self.keys.read(document, into: &self, isResolvable: false)
        sampling.seed = seed
        if run != nil, model != nil {
            throw root["model"].failure("is given beside run", remedy: "keep one of the two")
        }
        let list = try root["benchmarks"].list() ?? []
        for (index, item) in list.enumerated() {
            let source = benchmarks[index]
            benchmarks[index].isJudged = judge != nil && source.ratings == nil && source.kind.judgePrompt != nil
            if benchmarks[index].isJudged, source.kind.isArena, source.baseline == nil {
                throw item["baseline"].failure(
                    "is missing",
                    remedy: "give the answers that the judge compares with, a file of JSON lines "
                        + "{question_id, output}")
            }
            if !isAnsweredInTraining, run == nil, model == nil, source.answers == nil {
                throw item.failure(
                    "there is nobody to answer", remedy: "set run, or model.path, or give the benchmark answers")
            }
        }
    }
}
