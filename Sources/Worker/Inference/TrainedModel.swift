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
    }

    let folder: ModelFolder
    let model: VisionLanguageModel<Float>
    let images: FeatureCache
    let encoder: GroupEncoder
    /// What is loaded, in words.
    let origin: String
    /// Its weights' files with size and time of change, by which to tell models apart.
    let files: JSON

    init(_ configuration: RunConfiguration, weights: Weights) throws {
        let (url, adapter) = Self.places(configuration, weights)
        try self.init(url, adapter: adapter, prompt: configuration.model.prompt)
    }

    /// A model of a Hugging Face directory, with a PEFT adapter over it.
    init(_ url: URL, adapter: URL?, prompt: PromptTemplate) throws {
        folder = try ModelFolder(url)
        let low = try adapter.map { try LowRankAdapterFolder($0) }
        var trainable = Trainable(language: .frozen)
        if let low { trainable = Trainable(lora: low.settings) }
        model = try folder.model(trainable: trainable, seed: 0)
        try low?.load(into: model.parameters)
        images = FeatureCache(model, processor: folder.imageProcessor)
        encoder = try GroupEncoder(
            folder, template: prompt,
            imageRows: model.imageRows(height: folder.pixels.height, width: folder.pixels.width))
        origin = url.relativePath + (adapter.map { " with \($0.relativePath)" } ?? "")
        files = try Self.weightFiles([url] + [adapter].compactMap { $0 })
    }

    private static func weightFiles(_ folders: [URL]) throws -> JSON {
        var files = JSON.Object()
        for folder in folders {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            for name in names.sorted() where name.hasSuffix(".safetensors") {
                let url = folder.appending(path: name)
                let values = try FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)
                let size = (values[.size] as? Int) ?? 0
                let time = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
                files[url.path] = ["bytes": .integer(size), "changed": .number(time)]
            }
        }
        return .object(files)
    }

    /// A run that trains whole weights leaves a model, one that trains adapters an adapter, one that does both both: the
    /// model has the adapters merged in.
    private static func places(_ configuration: RunConfiguration, _ weights: Weights) -> (model: URL, adapter: URL?) {
        let base = configuration.model.path
        func exists(_ url: URL, _ file: String) -> Bool {
            FileManager.default.fileExists(atPath: url.appending(path: file).path)
        }
        switch weights {
        case .base: return (base, nil)
        case .adapter(let url): return (base, url)
        case .newest:
            let output = configuration.output
            let (model, adapter) = (output.appending(path: "model"), output.appending(path: "adapter"))
            if exists(model, "config.json") { return (model, nil) }
            return (base, exists(adapter, "adapter_config.json") ? adapter : configuration.model.adapter)
        }
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
            features: try images.features(of: ImageSource(path: image)))
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
