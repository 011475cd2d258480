import Foundation

/// An adapter folder as PEFT reads and writes it: adapter_config.json and adapter_model.safetensors.
public struct LowRankAdapterFolder {
    /// Ranks, scale and adapted modules, as configuration and tensors give them.
    public let settings: LowRankSettings
    private let place: String
    /// adapter_config.json
    private let config: JSONField
    /// By canonical name: `language_model.layers.0.self_attn.q_proj.lora_A.weight`.
    private let tensors: [String: StoredTensor]

    /// - Throws: `MISPError` with the setting, file or tensor that is no plain LoRA of the language model
    public init(_ folder: URL) throws {
        config = try JSONField(contentsOf: Self.configuration(in: folder))
        let file = try Self.weights(in: folder)
        place = file.relativePath
        (tensors, settings) = try Self.read(
            SafetensorsFile(contentsOf: file), AdapterConfiguration(config), at: file.relativePath)
    }

    private static func configuration(in folder: URL) throws(MISPError) -> URL {
        try ModelFolder.checkIsFolder(folder, kind: "PEFT adapter")
        let file = folder.appending(path: "adapter_config.json")
        guard FileManager.default.fileExists(atPath: file.path) else {
            let isModel = FileManager.default.fileExists(atPath: folder.appending(path: "config.json").path)
            throw MISPError(
                isModel ? "is a model's folder, not an adapter's" : "has no adapter_config.json",
                at: folder.relativePath, remedy: "give a folder that PEFT's save_pretrained wrote")
        }
        return file
    }

    private static func weights(in folder: URL) throws(MISPError) -> URL {
        let file = folder.appending(path: "adapter_model.safetensors")
        guard !FileManager.default.fileExists(atPath: file.path) else { return file }
        let older = folder.appending(path: "adapter_model.bin")
        guard FileManager.default.fileExists(atPath: older.path) else {
            throw MISPError("does not exist", at: file.relativePath, remedy: "copy the adapter's folder whole")
        }
        throw MISPError(
            "is pickled, and only safetensors are read", at: older.relativePath,
            remedy: "load the adapter with PEFT and save it again (save_pretrained writes adapter_model.safetensors)")
    }

    private static func read(
        _ file: SafetensorsFile, _ config: AdapterConfiguration, at place: String
    ) throws(MISPError) -> ([String: StoredTensor], LowRankSettings) {
        if let (name, format) = file.unread.min(by: { $0.key < $1.key }) {
            throw SafetensorsFile.unreadable(name, format, at: place)
        }
        var tensors: [String: StoredTensor] = [:]
        var parts: [String: LowRankShape] = [:]
        for (name, tensor) in file.tensors {
            let part = try AdapterTensor(name, at: place)
            tensors[part.name] = tensor
            guard config.targets.contain(part.writtenModule) ?? true else {
                throw MISPError(
                    "the tensor \(name) is there, but adapter_config.json does not adapt its module (target_modules), "
                        + "so PEFT would pass it over", at: place, remedy: "take both files from one place")
            }
            let shape = config.shape(of: part.writtenModule)
            parts[part.module] = shape
            guard tensor.shape.count == 2, tensor.shape[part.isA ? 0 : 1] == shape.r else {
                throw MISPError(
                    "the tensor \(name) has shape \(tensor.shape), but adapter_config.json gives it rank \(shape.r)",
                    at: place)
            }
        }
        guard !parts.isEmpty else { throw MISPError("has no tensors", at: place) }
        for module in parts.keys.sorted() {
            for half in ["lora_A", "lora_B"] where tensors["\(module).\(half).weight"] == nil {
                throw MISPError("the tensor \(module).\(half).weight is missing", at: place)
            }
        }
        let language = parts.keys.filter { $0.hasPrefix(LowRankSettings.languageRoot) }
        let found = Set(language.compactMap { $0.split(separator: ".").last.map(String.init) })
        let settings = LowRankSettings(
            r: parts.values.map(\.r).max() ?? config.r, alpha: config.alpha,
            targets: LowRankSettings.modules.filter(found.contains), isRankStabilized: config.isRankStabilized,
            parts: parts)
        return (tensors, settings)
    }

    /// Sets the model's adapters to this folder's. Fails where a module of the model, or a tensor of the folder, has no
    /// counterpart.
    public func load<A: Arithmetic>(into model: VisionLanguageModel<A>) throws {
        let targets = try AdapterTargets(config)
        let roots = writtenRoots(model.configuration.names)
        for path in model.projections where settings.parts?[path] == nil {
            guard let root = roots.first(where: { path.hasPrefix($0.canonical) }) else { continue }
            let written = root.written + path.dropFirst(root.canonical.count)
            guard targets.contain(written) == true else { continue }
            throw MISPError(
                "the tensor \(root.prefix)\(written).lora_A.weight "
                    + "is missing, and adapter_config.json adapts its module (target_modules)", at: place,
                remedy: "take both files from one place, and the model that the adapter was trained on")
        }
        try load(into: model.adapterTensors)
    }

    /// How the file writes the paths of the language model's layers and of the tower's, as a tensor of each shows; as
    /// transformers does today where there is none.
    private func writtenRoots(
        _ names: FamilyNames
    ) -> [(canonical: String, written: String, prefix: String)] {
        let peft = "base_model.model."
        let standard = ["language_model.layers.": "model.\(names.languageModule).layers."]
        return ["language_model.layers.", names.towerLayers].map { root in
            let example = tensors.filter { $0.key.hasPrefix(root) }.min { $0.key < $1.key }
            guard let (name, tensor) = example else { return (root, standard[root] ?? "model.\(root)", peft) }
            let rest = name.dropFirst(root.count)
            let head = tensor.name.dropLast(rest.count)
            let prefix = head.hasPrefix(peft) ? peft : ""
            return (root, String(head.dropFirst(prefix.count)), prefix)
        }
    }

    private func load<A: Arithmetic>(into places: [NamedWeight<A>]) throws {
        var left = Set(tensors.keys)
        for (name, shape, weight) in places.map({ ($0.name, $0.shape, $0.weight) }) {
            guard let tensor = tensors[name] else { throw MISPError("the tensor \(name) is missing", at: place) }
            guard tensor.shape == shape else {
                throw MISPError(
                    "the tensor \(tensor.name) has shape \(tensor.shape), but the model asks for \(shape)", at: place)
            }
            let values = tensor.widened(A.Element.self, rows: weight.rows, columns: weight.columns)
            guard tensor.isFinite else {
                throw MISPError(
                    "the tensor \(tensor.name) holds values that are not finite", at: place,
                    remedy: "use an adapter whose training did not fail")
            }
            weight.matrix.copyElements(of: values)
            left.remove(name)
        }
        guard let name = left.min() else { return }
        throw MISPError("the tensor \(tensors[name]?.name ?? name) belongs to no part of the model", at: place)
    }

    /// Writes the model's adapters so that stock `peft` loads them.
    public static func write(
        _ model: VisionLanguageModel<some VectorArithmetic>, baseModel: String, to folder: URL
    ) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let names = model.configuration.names
        let entries = model.adapterTensors.map { tensor in
            SafetensorsWriter.Entry(
                name: "base_model.model.model.\(written(tensor.name, names))", shape: tensor.shape,
                matrix: tensor.weight.matrix)
        }
        try SafetensorsWriter.write(entries, to: folder.appending(path: "adapter_model.safetensors"))
        let config = configuration(model, baseModel: baseModel)
        try FileOutput.write(config.description + "\n", to: folder.appending(path: "adapter_config.json"))
    }

    /// A canonical path as transformers has it.
    private static func written(_ path: String, _ names: FamilyNames) -> String {
        let root = LowRankSettings.languageRoot
        return path.hasPrefix(root) ? "\(names.languageModule).\(path.dropFirst(root.count))" : path
    }

    private static func configuration(
        _ model: VisionLanguageModel<some VectorArithmetic>, baseModel: String
    ) -> JSON {
        let (settings, names) = (model.trainable.lora, model.configuration.names)
        let isUniform = settings.isUniform(layers: model.configuration.text.layers)
        let parts = (settings.parts ?? [:]).map { path, shape in
            let root = LowRankSettings.languageRoot
            let isLanguage = path.hasPrefix(root)
            let own = isLanguage ? Substring(path.dropFirst(root.count)) : Substring(path)
            return (pattern: own.replacing(".", with: "\\."), isLanguage: isLanguage, shape: shape)
        }.sorted { $0.pattern < $1.pattern }
        // The tower's layers may have the same names.
        func key(_ part: (pattern: Substring, isLanguage: Bool, shape: LowRankShape)) -> String {
            part.isLanguage && model.trainable.vision == .lora
                ? "\(names.languageModule)\\.\(part.pattern)" : String(part.pattern)
        }
        // Patterns, because a bare "q_proj" would match the vision tower's projections too.
        var targets: [String] = []
        if model.trainable.language == .lora, settings.parts.map({ !$0.isEmpty && !settings.targets.isEmpty }) ?? true {
            let modules = isUniform ? settings.targets : parts.filter(\.isLanguage).map { String($0.pattern) }
            targets.append(".*\(names.languageModule).*\\.(\(modules.joined(separator: "|")))")
        }
        if model.trainable.vision == .lora {
            let tower = names.towerLayers.split(separator: ".").joined(separator: "\\.")
            let modules = parts.filter { !$0.isLanguage }.map { String($0.pattern) }
            targets.append(
                settings.parts == nil
                    ? ".*\(tower).*\\.(\(names.towerModules.joined(separator: "|")))"
                    : ".*\\.(\(modules.joined(separator: "|")))")
        }
        var config: JSON.Object = .init([
            ("base_model_name_or_path", .string(baseModel)), ("bias", "none"), ("fan_in_fan_out", false),
            ("inference_mode", true), ("lora_alpha", number(settings.alpha)),
            ("lora_dropout", .number(settings.dropout)),
            ("peft_type", "LORA"), ("r", .integer(settings.r)),
            ("target_modules", .string(targets.count == 1 ? targets[0] : "(\(targets.joined(separator: "|")))")),
            ("task_type", "CAUSAL_LM"),
        ])
        if settings.isRankStabilized { config["use_rslora"] = true }
        let ranks = parts.filter { $0.shape.r != settings.r }
        let alphas = parts.filter { $0.shape.alpha != settings.alpha }
        if !isUniform || !ranks.isEmpty || !alphas.isEmpty {
            config["rank_pattern"] = .object(.init(ranks.map { (key($0), .integer($0.shape.r)) }))
            config["alpha_pattern"] = .object(.init(alphas.map { (key($0), number($0.shape.alpha)) }))
        }
        return .object(config)
    }

    private static func number(_ value: Double) -> JSON { Int(exactly: value).map { .integer($0) } ?? .number(value) }
}

/// A tensor of an adapter's file: which module it adapts.
private struct AdapterTensor {
    /// Canonical, with `.lora_A.weight` or `.lora_B.weight`.
    let name: String
    /// The canonical path, and the path as the file has it.
    let module, writtenModule: String
    let isA: Bool

    init(_ written: String, at place: String) throws(MISPError) {
        name = TensorCatalog.canonical(written)
        let suffixes = [".lora_A.weight", ".lora_B.weight"]
        guard let suffix = suffixes.first(where: name.hasSuffix) else {
            throw Self.failure(written, at: place)
        }
        isA = suffix == suffixes[0]
        module = String(name.dropLast(suffix.count))
        let prefix = "base_model.model."
        let rest = written.hasPrefix(prefix) ? written.dropFirst(prefix.count) : Substring(written)
        writtenModule = String(rest.dropLast(suffix.count))
        let last = module.split(separator: ".").last.map(String.init) ?? ""
        let isLanguage = module.hasPrefix("language_model.layers.") && LowRankSettings.modules.contains(last)
        let isTower = ModelConfiguration.families.map { $0.names }.contains {
            module.hasPrefix($0.towerLayers) && $0.towerModules.contains(last)
        }
        guard isLanguage || isTower else {
            let part =
                module.hasPrefix("multi_modal_projector.") || module.hasPrefix("visual.merger.")
                    || module.hasPrefix("connector.") ? "the projector" : module
            throw MISPError(
                "adapts \(part) (\(written)); "
                    + "only projections of the language model's and the vision tower's layers can be adapted",
                at: place, remedy: AdapterConfiguration.mergeRemedy)
        }
    }

    /// What a tensor is that belongs to no plain LoRA.
    private static func failure(_ written: String, at place: String) -> MISPError {
        let named = written.firstMatch(of: #/\.lora_[AB]\.([^.]+)\.weight$/#)
        if let adapter = named?.output.1 {
            return MISPError(
                "the tensor \(written) has the adapter's name (.\(adapter).) in it, as a state_dict has, so PEFT would "
                    + "not find it", at: place,
                remedy: "save the adapter with PEFT's save_pretrained, or rename its tensors")
        }
        let what =
            written.contains("lora_magnitude_vector")
            ? "DoRA" : written.contains("lora_embedding") ? "adapted embeddings" : "no part of plain LoRA"
        return MISPError(
            "the tensor \(written) is \(what), which is not read", at: place, remedy: AdapterConfiguration.mergeRemedy)
    }
}
