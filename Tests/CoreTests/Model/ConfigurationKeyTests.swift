import Core
import Foundation
import TestSupport
import Testing

/// One object of a configuration file, with the table of its keys.
struct ConfigurationObject: Sendable, CustomTestStringConvertible {
    let name: String
    let table: KeyTable
    /// Where the object stands in `root`.
    var path: [String] = []
    let root: JSON
    let read: @Sendable (JSONField) throws -> Void
    /// Keys that are read only where another one is absent, or in other objects of the table, so that a wrong value may
    /// pass.
    var unread: Set<String> = []

    var testDescription: String { name }

    /// Reads the file with one key changed; gives the message of the refusal.
    func refusal(_ key: String, _ value: JSON) -> String? {
        do {
            try read(JSONField(root.setting(path[...] + [key], value), file: "file.json"))
            return nil
        } catch { return "\(error)" }
    }

    private static func model(text: String, vision: String) -> JSON {
        [
            "model_type": "llava", "text_config": ["model_type": .string(text), "num_hidden_layers": 2],
            "vision_config": ["model_type": .string(vision)],
        ]
    }

    static let all: [ConfigurationObject] = {
        let model: @Sendable (JSONField) throws -> Void = { _ = try ModelConfiguration($0) }
        let pictures: JSON = ["image_processor_type": "CLIPImageProcessor"]
        var all = [
            Self(
                name: "LLaVA", table: .llava, root: Self.model(text: "llama", vision: "clip_vision_model"), read: model)
        ]
        for (type, table) in [("llama", KeyTable.llama), ("mistral", .mistral), ("qwen2", .qwen2)] {
            all.append(
                Self(
                    name: type, table: table, path: ["text_config"],
                    root: Self.model(text: type, vision: "clip_vision_model"), read: model))
        }
        for architecture in VisionArchitecture.all {
            all.append(
                Self(
                    name: architecture.modelType, table: architecture.keys, path: ["vision_config"],
                    root: Self.model(text: "llama", vision: architecture.modelType), read: model))
        }
        var rotary = Self.model(text: "llama", vision: "dinov2")
        rotary = rotary.setting(["text_config", "rope_parameters"], ["rope_theta": 5000])
        all += [
            Self(
                name: "rope_parameters", table: .rotary, path: ["text_config", "rope_parameters"], root: rotary,
                read: model),
            Self(
                name: "CLIP", table: .clip, root: ["model_type": "clip", "text_config": [:], "vision_config": [:]],
                read: { _ = try ClipConfiguration($0) }),
            Self(
                name: "CLIP's text", table: .clipText, path: ["text_config"],
                root: ["model_type": "clip", "text_config": ["model_type": "clip_text_model"], "vision_config": [:]],
                read: { _ = try ClipConfiguration($0) }),
            Self(
                name: "adapter", table: AdapterConfiguration.keys, root: ["peft_type": "LORA"],
                read: { _ = try AdapterConfiguration($0) }),
            Self(
                name: "preprocessor", table: .imageProcessor, root: pictures,
                read: { _ = try ImageProcessorConfiguration($0) }, unread: ["feature_extractor_type"]),
            Self(
                name: "preprocessor inside", table: .imageProcessor, path: ["image_processor"],
                root: ["image_processor": pictures], read: { _ = try ImageProcessorConfiguration(ofProcessor: $0) },
                unread: ["feature_extractor_type"]),
            Self(
                name: "processor", table: .processor, root: ["image_processor": pictures],
                read: { _ = try ImageProcessorConfiguration(ofProcessor: $0) }),
        ]
        return all + Self.qwen2VL + Self.smolVLM
    }()
}

/// The families beside LLaVA.
extension ConfigurationObject {
    /// The decoder's class has heads of 128 channels, and C = 8192.
    private static let sections: JSON = ["mrope_section": [16, 24, 24]]

    fileprivate static let qwen2VL: [ConfigurationObject] = {
        let model: @Sendable (JSONField) throws -> Void = { _ = try ModelConfiguration($0) }
        let flat: JSON = [
            "model_type": "qwen2_vl", "rope_scaling": Self.sections, "vision_config": ["hidden_size": 8192],
        ]
        let nested: JSON = [
            "model_type": "qwen2_5_vl", "text_config": ["rope_parameters": Self.sections],
            "vision_config": ["out_hidden_size": 8192, "rope_parameters": ["rope_theta": 10000]],
        ]
        return [
            Self(name: "Qwen2-VL", table: .qwen2VLFlat, root: flat, read: model),
            Self(name: "Qwen2.5-VL", table: .qwen2VLNested, root: nested, read: model),
            Self(
                name: "Qwen2.5-VL's text", table: .qwen2VLText, path: ["text_config"], root: nested, read: model,
                unread: ["model_type"]),
            Self(
                name: "mrope_section", table: .sectionedRotary, path: ["text_config", "rope_parameters"], root: nested,
                read: model),
            Self(
                name: "Qwen2-VL's tower", table: .qwen2Vision, path: ["vision_config"], root: flat, read: model,
                unread: ["model_type"]),
            Self(
                name: "Qwen2.5-VL's tower", table: .qwen25Vision, path: ["vision_config"], root: nested, read: model,
                unread: ["model_type"]),
            Self(
                name: "axial positions", table: .axialRotary, path: ["vision_config", "rope_parameters"], root: nested,
                read: model),
            Self(
                name: "cells", table: .cellProcessor, root: ["image_processor_type": "Qwen2VLImageProcessor"],
                read: Self.reading { try CellProcessor(modelDirectory: $0, PictureSettings(), patch: 14, merge: 2) },
                unread: ["feature_extractor_type"]),
        ]
    }()

    fileprivate static let smolVLM: [ConfigurationObject] = [
        Self(
            name: "SmolVLM", table: .smolVLM,
            root: [
                "model_type": "smolvlm", "text_config": ["rms_norm_eps": 1e-5], "vision_config": ["image_size": 256],
            ],
            read: { _ = try ModelConfiguration($0) }),
        Self(
            name: "tiles", table: .tileProcessor, root: ["image_processor_type": "SmolVLMImageProcessor"],
            read: Self.reading { try TileProcessor(modelDirectory: $0, PictureSettings(), tile: 364) },
            unread: ["feature_extractor_type"]),
    ]

    /// Reads a preprocessor_config.json as processors do, from a model's folder.
    private static func reading(
        _ processor: @escaping @Sendable (URL) throws -> any PictureProcessor
    ) -> @Sendable (JSONField) throws -> Void {
        { field in
            let folder = try TemporaryFolder()
            let file = folder["preprocessor_config.json"]
            try Data((field.value ?? .null).description.utf8).write(to: file)
            do {
                _ = try processor(folder.url)
            } catch let error as MISPError {
                throw MISPError(
                    error.what, at: error.place?.replacing(file.relativePath, with: field.file), remedy: error.remedy)
            }
        }
    }
}

extension JSON {
    /// A copy with the value at a path of keys set.
    fileprivate func setting(_ path: ArraySlice<String>, _ value: JSON) -> JSON {
        guard let key = path.first else { return value }
        var object = object ?? .init()
        object[key] = (object[key] ?? .object(.init())).setting(path.dropFirst(), value)
        return .object(object)
    }

    fileprivate func setting(_ path: [String], _ value: JSON) -> JSON { setting(path[...], value) }
}

/// Of every key of every table: the default is accepted, and what is not implemented is refused by name.
@Suite struct ConfigurationKeyTests {
    static let values: [JSON] = [
        true, false, 0, 1, 0.25, -3, "strange", "", [7], [], ["strange": 1], [:],
    ]

    @Test(arguments: ConfigurationObject.all) func defaultsAreAccepted(_ object: ConfigurationObject) throws {
        try object.read(JSONField(object.root, file: "file.json"))
        for (key, accepted) in object.table.fixed {
            for value in accepted + [nil] {
                #expect(object.refusal(key, value) == nil, "\(key): \(value)")
            }
        }
    }

    @Test(arguments: ConfigurationObject.all) func otherValuesOfFixedKeysAreRefused(_ object: ConfigurationObject) {
        for (key, accepted) in object.table.fixed {
            for value in Self.values where !accepted.contains(where: { $0.isSame(as: value) }) {
                let message = object.refusal(key, value) ?? "accepted"
                #expect(message.hasPrefix("file.json: ") && message.contains("\(key): is "), "\(value): \(message)")
            }
        }
    }

    @Test(arguments: ConfigurationObject.all) func valuesOfAnotherKindAreRefused(_ object: ConfigurationObject) {
        for key in object.table.read.subtracting(object.unread).subtracting(object.table.harmless) {
            let takesObject = ["config", "pattern", "rope_scaling", "rope_parameters"].contains { key.contains($0) }
            let value: JSON = takesObject && key != "quantization_config" ? 7 : ["strange": 1]
            let message = object.refusal(key, value) ?? "accepted"
            #expect(message.hasPrefix("file.json: ") && message.contains(key), "\(key) \(value): \(message)")
        }
    }

    @Test(arguments: ConfigurationObject.all) func harmlessKeysMayHoldAnything(_ object: ConfigurationObject) {
        for key in object.table.harmless.subtracting(object.table.read) {
            for value in Self.values { #expect(object.refusal(key, value) == nil, "\(key): \(value)") }
        }
    }

    @Test(arguments: ConfigurationObject.all)
    func unknownKeysAreRefusedByNameUnlessTheySayNothing(_ object: ConfigurationObject) {
        var random = KeyedRandom(1, "keys", object.name)
        let loud = Self.values.filter { !$0.saysNothing }
        let quiet = Self.values.filter(\.saysNothing) + [nil]
        #expect(loud.count == 8)
        let letters = Array("abcdefghijklmnopqrstuvwxyz_0123456789")
        for _ in 0..<1000 {
            let key = "z" + String((0..<3 + random.below(20)).map { _ in letters[random.below(letters.count)] })
            let value = loud[random.below(loud.count)]
            let message = object.refusal(key, value) ?? "accepted"
            #expect(message.hasPrefix("file.json: ") && message.contains("\(key): is "), "\(object.name): \(message)")
            let nothing = quiet[random.below(quiet.count)]
            #expect(object.refusal(key, nothing) == nil, "\(object.name): \(key): \(nothing)")
        }
    }

    @Test func keysNearToKnownOnesAreNamed() {
        let model = ConfigurationObject.all[0]
        #expect(model.refusal("vision_feature_layr", -1)?.contains("did you mean vision_feature_layer?") == true)
        let mistral = ConfigurationObject.all.first { $0.name == "mistral" }
        #expect(mistral?.refusal("sliding_windw", 8)?.contains("did you mean sliding_window?") == true)
    }
}
