import Core
import Foundation

/// The model that a configuration speaks of, with what was trained, ready to answer.
struct TrainedModel<A: VectorArithmetic> {
    let folder: ModelFolder
    let model: VisionLanguageModel<A>
    let images: FeatureCache<A>
    let encoder: GroupEncoder
    /// What is loaded, in words.
    let origin: String
    /// The folders that hold it.
    let places: [URL]
    private let cause: NonFiniteCause

    init(_ configuration: RunConfiguration, weights: ChosenWeights) throws {
        try self.init(
            LoadedWeights(configuration, weights), prompt: configuration.model.prompt,
            configuration.data.transparency)
    }

    /// A model of a Hugging Face directory, with a PEFT adapter over it.
    init(_ model: RunConfiguration.Model, _ transparency: Transparency) throws {
        try self.init(
            LoadedWeights(model.path, model.pictures, adapter: model.adapter), prompt: model.prompt, transparency)
    }

    /// The one that a run trains, as it is now.
    init(_ run: TrainingRun<A>, after steps: Int) throws {
        (folder, model) = (run.folder, run.model)
        (images, cause) = (run.gradient.policy.images, run.gradient.policy.cause)
        origin = "\(run.folder.url.relativePath) after step \(steps)"
        encoder = try GroupEncoder(folder, template: run.configuration.model.prompt)
        places = []
    }

    private init(
        _ weights: LoadedWeights<A>, prompt: PromptTemplate, _ transparency: Transparency
    ) throws {
        var folder = weights.folder
        folder.processor.transparency = transparency
        (self.folder, model, origin) = (folder, weights.model, weights.origin)
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        encoder = try GroupEncoder(folder, template: prompt)
        images = FeatureCache(model, encoder.places, cause: cause)
        places = weights.places
    }

    /// - Parameters:
    ///   - image: nil for a prompt about no picture
    ///   - key: names the request to the sampler
    ///   - place: what an error names
    func request(
        _ prompt: String, image: String?, key: String, _ sampling: Sampling, at place: String
    ) throws -> Generator<A>.Request {
        let tokens =
            try image.map {
                try encoder.encode(prompt: prompt, at: place).tokens(encoder.placed(ImageSource(path: $0)).place)
            } ?? encoder.encode(promptWithoutImage: prompt, at: place)
        let limit = try sampling.limit(behind: tokens, folder, at: place)
        let features = try image.map {
            model.encoder.pass([try images.input(of: ImageSource(path: $0))]).rows
        }
        return .init(key: key, prompt: tokens, features: features, limit: limit)
    }

    /// Answers the requests; where logits are not finite the error names the tensor that is to blame.
    func answers(
        _ generator: Generator<A>, _ requests: [Generator<A>.Request],
        tell: (Int, Int32) throws -> Void = { _, _ in }
    ) throws -> [[Int32]] {
        do {
            return try generator.answers(requests, tell: tell)
        } catch let error as NonFiniteLogits {
            throw cause.failure(
                "the logits of token \(error.token) of its answer are not finite", at: "question \(error.key)")
        }
    }
}
