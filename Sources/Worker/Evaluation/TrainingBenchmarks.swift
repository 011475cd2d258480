import Coordinator
import Core
import Foundation

/// The benchmarks that a model in training answers after some of its steps (`evaluation.benchmarks`).
package struct TrainingBenchmarks: StepBenchmarks {
    private let configuration: EvaluationConfiguration

    /// Reads all of the benchmarks once, so that what is wrong with them is said before the first step.
    ///
    /// - Parameters:
    ///   - url: an eval.yaml, of which `run`, `model`, `base`, `checkpoint` and `output` do not count
    ///   - run: whose model answers
    package init(contentsOf url: URL, of run: RunConfiguration) throws {
        configuration = try EvaluationConfiguration(contentsOf: url, isAnsweredInTraining: true)
        if let given = configuration.benchmarks.first(where: { $0.answers != nil }) {
            throw MISPError(
                "has the answers of another model", at: "\(url.relativePath): benchmark \(given.name)",
                remedy: "leave its answers out: the model in training answers")
        }
        func check(_ key: String, _ own: String?, _ runs: String) throws(MISPError) {
            guard let own, own != runs else { return }
            throw MISPError(
                "is \(own), but \(runs) in the run whose model answers", at: "\(url.relativePath): \(key)",
                remedy: "leave it out")
        }
        try check("compute.precision", configuration.precision?.rawValue, run.compute.precision.rawValue)
        try check("data.transparency", configuration.transparency?.rawValue, run.data.transparency.rawValue)
        for source in configuration.benchmarks { _ = try source.kind.open(source) }
        _ = try JudgePanel(configuration)
    }

    func measures<A: VectorArithmetic>(
        of run: TrainingRun<A>, after steps: Int
    ) throws -> [(name: String, value: Double)] {
        var configuration = configuration
        configuration.output = Self.folder(run.configuration.output, after: steps)
        let evaluation = Evaluation(configuration: configuration, communicator: run.communicator)
        let model = try run.communicator.agree { try TrainedModel(run, after: steps) }
        let values = UnsafeRawBufferPointer(
            start: run.model.parameters.values, count: run.model.parameters.count * MemoryLayout<Float>.stride)
        let results = try evaluation.run(by: model, weights: SHA256.digest(values))
        return results.flatMap { result in
            zip(result.card?.measures ?? [], result.card?.values ?? []).map {
                ("\(result.source.name)/\($0.name)", $1)
            }
        }
    }

    private static func folder(_ output: URL, after steps: Int) -> URL {
        output.appending(path: "benchmarks").appending(path: String(format: "step-%06d", steps))
    }
}

extension Evaluation {
    /// Collective. With the answers of a model in training, in the place of any that another left there.
    func run<A: VectorArithmetic>(by model: TrainedModel<A>, weights: Digest) throws -> [Result] {
        let sampling = try communicator.agree { try Sampling(configuration.sampling, model.folder) }
        let asked = Self.asked(model, sampling, weights, A.self == BFloat16.self ? .bfloat16 : .float32)
        try communicator.agree {
            guard communicator.rank == 0 else { return }
            let file = configuration.output.appending(path: Self.askedFile)
            if FileManager.default.fileExists(atPath: file.path), try !Self.isSame(JSON(contentsOf: file), asked) {
                try FileManager.default.removeItem(at: configuration.output)
            }
        }
        return try run { try prepareAnswers(model, sampling, asked) }
    }
}
