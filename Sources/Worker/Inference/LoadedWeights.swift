import Coordinator
import Core
import Foundation

/// Whose weights answer.
enum ChosenWeights: Equatable {
    /// What the run left in its output folder, or model.adapter; an error where there is neither.
    case newest
    /// The model of model.path alone.
    case base
    /// A PEFT adapter over it.
    case adapter(URL)
    /// What a run had trained when it took a checkpoint.
    case checkpoint(URL)
}

/// The weights that a command was asked for, as a model.
struct LoadedWeights<A: VectorArithmetic> {
    let folder: ModelFolder
    let model: VisionLanguageModel<A>
    /// What is loaded, in words.
    let origin: String
    /// The folders that hold it.
    let places: [URL]

    init(_ configuration: RunConfiguration, _ weights: ChosenWeights) throws {
        if case .checkpoint(let url) = weights {
            try self.init(configuration, checkpoint: url)
        } else {
            let (url, adapter) = try Self.places(configuration, weights)
            try self.init(url, configuration.model.pictures, adapter: adapter)
        }
    }

    /// A model of a Hugging Face directory, with a PEFT adapter over it.
    init(_ url: URL, _ pictures: PictureSettings, adapter: URL?) throws {
        folder = try ModelFolder(url, pictures: pictures)
        let low = try adapter.map { try LowRankAdapterFolder($0) }
        var trainable = Trainable(language: .frozen)
        if let low {
            trainable = Trainable(vision: low.settings.adaptsVision ? .lora : .frozen, lora: low.settings)
        }
        model = try folder.model(trainable: trainable, seed: 0, as: A.self)
        try low?.load(into: model)
        origin = url.relativePath + (adapter.map { " with \($0.relativePath)" } ?? "")
        places = [url] + [adapter].compactMap { $0 }
    }

    /// What the configuration's run had trained when it took a checkpoint.
    private init(_ configuration: RunConfiguration, checkpoint place: URL) throws {
        // A bare name, such as best, is that of one of the run's own.
        let own = configuration.output.appending(path: "checkpoints").appending(path: place.relativePath)
        let isName = !place.relativePath.contains("/") && !FileManager.default.fileExists(atPath: place.path)
        let url = isName && FileManager.default.fileExists(atPath: own.path) ? own : place
        let checkpoint = try SavedCheckpoint(url, buffers: TrainingStep.bufferNames)
        folder = try configuration.modelFolder()
        model = try folder.model(
            trainable: configuration.resolvedTrainable(), seed: configuration.seed, as: A.self)
        try Self.compare(model.parameters, with: checkpoint.state["parameters"])
        try checkpoint.read(
            TrainingStep.bufferNames[0], into: .init(start: model.parameters.values, count: model.parameters.count))
        origin = "\(configuration.model.path.relativePath) after step \(checkpoint.step) of \(url.relativePath)"
        places = [configuration.model.path, url]
    }

    /// A run that trains whole weights leaves a model, one that trains adapters an adapter, one that does both both:
    /// the model has the adapters merged in.
    private static func places(
        _ configuration: RunConfiguration, _ weights: ChosenWeights
    ) throws(MISPError) -> (model: URL, adapter: URL?) {
        let base = configuration.model.path
        func exists(_ url: URL, _ file: String) -> Bool {
            FileManager.default.fileExists(atPath: url.appending(path: file).path)
        }
        switch weights {
        case .base, .checkpoint: return (base, nil)
        case .adapter(let url): return (base, url)
        case .newest:
            let output = configuration.output
            let (model, adapter) = (output.appending(path: "model"), output.appending(path: "adapter"))
            if exists(model, "config.json") { return (model, nil) }
            if exists(adapter, "adapter_config.json") { return (base, adapter) }
            guard let given = configuration.model.adapter else { throw nothingTrained(configuration) }
            return (base, given)
        }
    }

    /// The base model is answered with only where it was asked for.
    private static func nothingTrained(_ configuration: RunConfiguration) -> MISPError {
        let output = configuration.output
        let folder = output.appending(path: "checkpoints")
        let steps = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let last = steps.filter { $0.hasPrefix("step-") }.max()
        let remedy = last.map { "name one of its checkpoints: --checkpoint \(folder.appending(path: $0).relativePath)" }
        return MISPError(
            "the run has trained nothing yet: there is neither adapter nor model in it", at: output.relativePath,
            remedy: "\(remedy ?? "train first"); the base model answers where it is asked for (--base, or base: true "
                + "in eval.yaml)")
    }

    /// The buffer of a checkpoint means something only to the tensors that it was written from.
    private static func compare(_ parameters: ParameterStore<Float>, with saved: JSONField) throws {
        var shapes: [String: [Int]] = [:]
        var names: [String] = []
        for tensor in try saved.array() {
            let name = try tensor["name"].string()
            shapes[name] = try tensor["shape"].array().map { try $0.int() }
            names.append(name)
        }
        func failure(_ what: String) -> MISPError {
            MISPError(
                what, at: saved.file, remedy: "give --config the configuration of the run that took the checkpoint")
        }
        for slot in parameters.slots {
            guard let shape = shapes[slot.name] else {
                throw failure("does not hold \(slot.name), which the configuration trains")
            }
            guard shape == slot.shape else {
                throw failure("holds \(slot.name) with shape \(shape), but the configuration asks for \(slot.shape)")
            }
        }
        let own = parameters.slots.map(\.name)
        if let other = Set(names).subtracting(own).min() {
            throw failure("holds \(other), which the configuration does not train")
        }
        guard names == own else { throw failure("holds the trained tensors in another order") }
    }
}
