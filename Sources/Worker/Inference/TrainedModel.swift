import Core
import Foundation

/// The model that a configuration speaks of, with what was trained, ready to answer.
struct TrainedModel {
    /// Whose weights answer.
    enum Weights: Equatable {
        /// What the run left in its output folder, or model.adapter; an error where there is neither.
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

    init(_ configuration: RunConfiguration, weights: Weights) throws {
        try self.init(LoadedWeights(configuration, weights), prompt: configuration.model.prompt)
    }

    /// A model of a Hugging Face directory, with a PEFT adapter over it.
    init(_ url: URL, adapter: URL?, prompt: PromptTemplate) throws {
        try self.init(LoadedWeights(url, adapter: adapter), prompt: prompt)
    }

    private init(_ weights: LoadedWeights, prompt: PromptTemplate) throws {
        (folder, model, origin) = (weights.folder, weights.model, weights.origin)
        images = FeatureCache(model, processor: folder.imageProcessor)
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
    func request(
        _ prompt: String, image: String?, key: String, _ sampling: Sampling, at place: String
    ) throws -> Generator<Float>.Request {
        let tokens =
            try image == nil
            ? encoder.encode(promptWithoutImage: prompt, at: place) : encoder.encode(prompt: prompt, at: place)
        let limit = try sampling.limit(behind: tokens, folder, at: place)
        let features = try image.map {
            model.features(ofFixedPart: try images.features(of: ImageSource(path: $0)))
        }
        return .init(key: key, prompt: tokens, features: features, limit: limit)
    }
}
