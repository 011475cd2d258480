import Core
import Foundation

/// The model that a configuration speaks of, with what was trained, ready to answer.
struct TrainedModel {
    /// Whose weights answer.
    enum Weights: Equatable {
        /// What the run left in its output folder; where that is nothing yet, model.adapter; else the model alone.
        case newest
        /// The model of model.path alone.
        case base
        /// A PEFT adapter over it.
        case adapter(URL)
        /// What a run had trained when it took a checkpoint.
        case checkpoint(URL)
    }

    let folder: ModelFolder
    let model: VisionLanguageModel<Float>
    let images: FeatureCache
    let encoder: GroupEncoder
    /// What is loaded, in words.
    let origin: String
    /// Its weights' files with size and time of change, by which to tell models apart.
    let files: JSON
    private let cause: NonFiniteCause

    init(_ configuration: RunConfiguration, weights: Weights) throws {
        try self.init(
            LoadedWeights(configuration, weights), prompt: configuration.model.prompt,
            configuration.data.transparency)
    }

    /// A model of a Hugging Face directory, with a PEFT adapter over it.
    init(_ url: URL, adapter: URL?, prompt: PromptTemplate, _ transparency: Transparency) throws {
        try self.init(LoadedWeights(url, adapter: adapter), prompt: prompt, transparency)
    }

    private init(_ weights: LoadedWeights, prompt: PromptTemplate, _ transparency: Transparency) throws {
        (folder, model, origin) = (weights.folder, weights.model, weights.origin)
        cause = NonFiniteCause(folder: folder.url, parameters: model.parameters)
        var processor = folder.imageProcessor
        processor.transparency = transparency
        images = FeatureCache(model, processor: processor, cause: cause)
        encoder = try GroupEncoder(
            folder, template: prompt,
            imageRows: model.imageRows(height: folder.pixels.height, width: folder.pixels.width))
        files = try Self.weightFiles(weights.places)
    }

    private static func weightFiles(_ folders: [URL]) throws -> JSON {
        var files = JSON.Object()
        for folder in folders {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            for name in names.sorted() where name.hasSuffix(".safetensors") || name == "parameters.f32" {
                let url = folder.appending(path: name)
                let values = try FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)
                let size = (values[.size] as? Int) ?? 0
                let time = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
                files[url.path] = ["bytes": .integer(size), "changed": .number(time)]
            }
        }
        return .object(files)
    }

    /// - Parameters:
    ///   - image: nil for a prompt about no picture
    ///   - key: names the request to the sampler
    ///   - place: what an error names
    func request(_ prompt: String, image: String?, key: String, at place: String) throws -> Generator<Float>.Request {
        guard let image else {
            return .init(
                key: key, prompt: try encoder.encode(promptWithoutImage: prompt, at: place), features: nil)
        }
        return .init(
            key: key, prompt: try encoder.encode(prompt: prompt, at: place),
            features: model.features(ofFixedPart: try images.features(of: ImageSource(path: image))))
    }

    /// Answers the requests; where logits are not finite the error names the tensor that is to blame.
    func answers(
        _ generator: Generator<Float>, _ requests: [Generator<Float>.Request],
        tell: (Int, Int32) throws -> Void = { _, _ in }
    ) throws -> [[Int32]] {
        do {
            return try generator.answers(requests, tell: tell)
        } catch let error as NonFiniteLogits {
            throw cause.failure(
                "the logits of token \(error.token) of its answer are not finite", at: "question \(error.key)")
        }
    }

    /// Tokens that end an answer: those of generation_config.json and the end-of-sequence token.
    func stops() throws -> Set<Int32> {
        var stops: Set = [folder.endOfSequence]
        let file = folder.url.appending(path: "generation_config.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return stops }
        let field = try JSONField(contentsOf: file)["eos_token_id"]
        for id in field.value?.array ?? [field.value ?? .null] {
            if let id = id.int { stops.insert(Int32(clamping: id)) }
        }
        return stops
    }

    /// Fails where an answer of `tokens` tokens would not fit behind the prompt.
    func checkLength(_ prompt: PromptTokens, answer tokens: Int, at place: String) throws {
        let limit = folder.configuration.text.maximumLength
        guard prompt.tokens.count + tokens > limit else { return }
        throw MISPError(
            "has \(prompt.tokens.count) tokens, and \(tokens) more do not fit: the model reads at most \(limit)",
            at: place, remedy: "shorten the prompt or lower --max-tokens")
    }
}
