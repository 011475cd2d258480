import Foundation

/// An adapter folder as PEFT reads and writes it: adapter_config.json and adapter_model.safetensors.
public struct LowRankAdapterFolder {
    public let settings: LowRankSettings
    private let place: String
    /// By canonical name: `language_model.layers.0.self_attn.q_proj.lora_A.weight`.
    private let tensors: [String: StoredTensor]

    public init(_ folder: URL) throws {
        let config = try JSONField(contentsOf: folder.appending(path: "adapter_config.json"))
        let type = try config["peft_type"].string(default: "LORA")
        guard type == "LORA" else { throw config["peft_type"].failure("is \(type), which is not supported; LORA is") }
        for flag in ["use_dora", "use_rslora", "fan_in_fan_out"] where try config[flag].bool(default: false) {
            throw config[flag].failure("is true, which is not supported")
        }
        for map in ["rank_pattern", "alpha_pattern"] where config[map].value?.object?.count ?? 0 > 0 {
            throw config[map].failure("is not empty, which is not supported")
        }
        let file = folder.appending(path: "adapter_model.safetensors")
        place = file.relativePath
        var tensors: [String: StoredTensor] = [:]
        for (name, tensor) in try SafetensorsFile(contentsOf: file).tensors {
            tensors[TensorCatalog.canonical(name)] = tensor
        }
        self.tensors = tensors
        let modules = Set(tensors.keys.compactMap { $0.split(separator: ".").dropLast(2).last.map(String.init) })
        guard modules.isSubset(of: LowRankSettings.modules), !modules.isEmpty else {
            let strange = modules.subtracting(LowRankSettings.modules).min() ?? "nothing"
            throw MISPError("adapts \(strange); only the language model's projections can be adapted", at: place)
        }
        settings = LowRankSettings(
            r: try config["r"].positive(default: 8), alpha: try config["lora_alpha"].double(default: 8),
            targets: LowRankSettings.modules.filter(modules.contains))
    }

    /// Sets the model's adapters to this folder's.
    public func load<S: Scalar>(into parameters: ParameterStore<S>) throws {
        var left = Set(tensors.keys)
        for slot in parameters.slots where slot.name.contains(".lora_") {
            guard let tensor = tensors[slot.name] else {
                throw MISPError("the tensor \(slot.name) is missing", at: place)
            }
            guard tensor.shape == slot.shape else {
                throw MISPError(
                    "the tensor \(tensor.name) has shape \(tensor.shape), but the model asks for \(slot.shape)",
                    at: place)
            }
            parameters[slot].copyElements(of: tensor.widened(rows: slot.rows, columns: slot.columns))
            left.remove(slot.name)
        }
        guard let name = left.min() else { return }
        throw MISPError("the tensor \(tensors[name]?.name ?? name) belongs to no part of the model", at: place)
    }

    /// Writes the model's adapters so that stock `peft` loads them.
    public static func write(
        _ parameters: ParameterStore<Float>, settings: LowRankSettings, baseModel: String, to folder: URL
    ) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let entries = parameters.slots.filter { $0.name.contains(".lora_") }.map {
            SafetensorsWriter.Entry(
                name: "base_model.model.model.\($0.name)", shape: $0.shape, matrix: parameters[$0])
        }
        try SafetensorsWriter.write(entries, to: folder.appending(path: "adapter_model.safetensors"))
        let alpha: JSON = Int(exactly: settings.alpha).map { .integer($0) } ?? .number(settings.alpha)
        // A pattern, because a bare "q_proj" would match the vision tower's projections too.
        let config: JSON = [
            "base_model_name_or_path": .string(baseModel), "bias": "none", "fan_in_fan_out": false,
            "inference_mode": true, "lora_alpha": alpha, "lora_dropout": 0.0, "peft_type": "LORA",
            "r": .integer(settings.r),
            "target_modules": .string(".*language_model.*\\.(\(settings.targets.joined(separator: "|")))"),
            "task_type": "CAUSAL_LM",
        ]
        try FileOutput.write(config.description + "\n", to: folder.appending(path: "adapter_config.json"))
    }
}
