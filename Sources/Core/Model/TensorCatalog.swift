import Foundation

/// Where a model's tensors come from: a checkpoint's files, or a seed.
public protocol TensorSource {
    /// A frozen tensor of that shape, seen as rows × columns.
    func weight<Element: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<Element>
    /// The name under which the tensor is written to files.
    func writtenName(_ name: String) -> String
    /// Whether a tensor of that name is there before it is asked for.
    func holds(_ name: String) -> Bool
    /// Fails where two tensors that the configuration ties are of different values.
    func checkTied(_ name: String, to other: String, shape: [Int]) throws
}

extension TensorSource {
    /// What makes tensors has all but a head, which tied embeddings go without.
    public func holds(_ name: String) -> Bool { name != "lm_head.weight" }
    /// Passes: what makes tensors makes no second one.
    public func checkTied(_ name: String, to other: String, shape: [Int]) throws {}
}

/// The tensors of a checkpoint folder under one canonical set of names, whatever generation wrote them.
///
/// Canonical: `language_model.layers.…`, `language_model.embed_tokens.weight`, `language_model.norm.weight`,
/// `lm_head.weight`, `multi_modal_projector.…`, `vision_tower.…`, with DINOv2's projections as `attention.q_proj`;
/// `visual.…` (Qwen2-VL); `vision_model.…` and `connector.…` (SmolVLM).
public final class TensorCatalog: TensorSource {
    /// Its path, as errors name it.
    public let folder: String
    /// By canonical name.
    public let tensors: [String: StoredTensor]
    /// Tensors in number formats that are not read, with the file and the format of each.
    private let unread: [String: (file: String, format: String)]
    private var used: Set<String> = []

    /// Reads `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
    public init(folder url: URL) throws {
        folder = url.relativePath
        var tensors: [String: StoredTensor] = [:]
        var unread: [String: (file: String, format: String)] = [:]
        let (files, listed) = try Self.files(in: url)
        for url in files {
            let file = try SafetensorsFile(contentsOf: url)
            for (name, format) in file.unread { unread[Self.canonical(name)] = (url.relativePath, format) }
            for tensor in file.tensors.values {
                let name = Self.canonical(tensor.name)
                guard tensors.updateValue(tensor, forKey: name) == nil else {
                    throw MISPError("occurs twice", at: "\(url.relativePath): \(tensor.name)")
                }
            }
        }
        for name in listed {
            let canonical = Self.canonical(name)
            guard tensors[canonical] == nil, unread[canonical] == nil else { continue }
            throw MISPError(
                "lists \(name), which is in none of its files",
                at: url.appending(path: "model.safetensors.index.json").relativePath,
                remedy: "copy or download the model again")
        }
        self.tensors = tensors
        self.unread = unread
    }

    /// The files, and the tensors that an index says are in them.
    private static func files(in url: URL) throws -> ([URL], listed: [String]) {
        let single = url.appending(path: "model.safetensors")
        let index = url.appending(path: "model.safetensors.index.json")
        if FileManager.default.fileExists(atPath: single.path) { return ([single], []) }
        guard FileManager.default.fileExists(atPath: index.path) else { throw noWeights(in: url) }
        let map = try JSONField(contentsOf: index)["weight_map"]
        var names: Set<String> = []
        for key in try map.object().keys { names.insert(try map[key].string()) }
        for name in names.sorted() {
            guard !name.contains("/") else {
                throw MISPError("names the shard \(name) outside the folder", at: index.relativePath)
            }
            guard FileManager.default.fileExists(atPath: url.appending(path: name).path) else {
                throw MISPError(
                    "lists \(name), which is not in the folder", at: index.relativePath,
                    remedy: "copy or download the missing file")
            }
        }
        return (names.sorted().map { url.appending(path: $0) }, try map.object().keys)
    }

    private static func noWeights(in url: URL) -> MISPError {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.sorted() ?? []
        let others = [".bin", ".pth", ".pt", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".npz"]
        let other = names.first { name in others.contains { name.hasSuffix($0) } }
        return MISPError(
            "has no model.safetensors and no model.safetensors.index.json"
                + (other.map { ", but \($0), which is not read" } ?? ""), at: url.relativePath,
            remedy: other == nil
                ? "give a Hugging Face folder with safetensors weights"
                : "load the model with transformers and save it again: save_pretrained writes safetensors")
    }

    /// Maps both generations of Hugging Face's names, and PEFT's module paths, to the canonical ones.
    public static func canonical(_ name: String) -> String {
        var rest = Substring(name)
        if rest.hasPrefix("base_model.model.") { rest = rest.dropFirst("base_model.model.".count) }
        if rest.hasPrefix("model.") { rest = rest.dropFirst("model.".count) }
        for (old, new) in [
            ("language_model.model.", "language_model."), ("language_model.lm_head.", "lm_head."),
            ("vision_tower.vision_model.", "vision_tower."), ("text_model.layers.", "language_model.layers."),
            ("text_model.embed_tokens.", "language_model.embed_tokens."), ("text_model.norm.", "language_model.norm."),
            ("layers.", "language_model.layers."), ("embed_tokens.", "language_model.embed_tokens."),
            ("norm.", "language_model.norm."),
        ] where rest.hasPrefix(old) {
            rest = new + rest.dropFirst(old.count)
        }
        var result = String(rest)
        guard result.hasPrefix("vision_tower.") else { return result }
        for (old, new) in [
            (".attention.attention.query.", ".attention.q_proj."), (".attention.attention.key.", ".attention.k_proj."),
            (".attention.attention.value.", ".attention.v_proj."), (".attention.output.dense.", ".attention.o_proj."),
        ] {
            result = result.replacingOccurrences(of: old, with: new)
        }
        return result
    }

    /// The name in the checkpoint's files; `name` itself for a tensor that is not there.
    public func writtenName(_ name: String) -> String { tensors[name]?.name ?? name }
    /// Whether the files have it, be it in a number format that is not read.
    public func holds(_ name: String) -> Bool { tensors[name] != nil || unread[name] != nil }

    /// - Throws: `MISPError` where one is missing, is of another shape, or differs from the other in a value
    public func checkTied(_ name: String, to other: String, shape: [Int]) throws {
        let (one, two) = (try tensor(name, shape: shape), try tensor(other, shape: shape))
        guard one.hasValues(of: two) else {
            throw MISPError(
                "the tensors \(one.name) and \(two.name) differ, but config.json ties them (tie_word_embeddings)",
                at: folder,
                remedy: "set tie_word_embeddings to false, at the top and in text_config, if the head is one of its own"
            )
        }
    }

    /// Of all tensors, as they lie in the files.
    public var bytes: Double { tensors.values.reduce(0) { $0 + Double($1.count) * Double($1.format.bytes) } }

    /// A view of the mapped file, noted as used for `checkAllUsed`.
    ///
    /// - Throws: `MISPError` for a tensor that is missing, of another shape, or in a number format that is not read
    public func weight<Element: Scalar>(
        _ name: String, shape: [Int], rows: Int, columns: Int
    ) throws -> Weight<Element> {
        Weight(stored: try tensor(name, shape: shape), rows: rows, columns: columns)
    }

    private func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
        guard let tensor = tensors[name] else { throw missing(name) }
        guard tensor.shape == shape else {
            throw MISPError(
                "the tensor \(tensor.name) has shape \(tensor.shape), but config.json asks for \(shape)",
                at: tensor.file.path)
        }
        used.insert(name)
        return tensor
    }

    private func missing(_ name: String) -> MISPError {
        if let (file, format) = unread[name] { return SafetensorsFile.unreadable(name, format, at: file) }
        let module = name.split(separator: ".").dropLast().joined(separator: ".")
        let packed = ["qweight", "weight_packed", "SCB", "weight.absmax"].first {
            tensors["\(module).\($0)"] != nil || unread["\(module).\($0)"] != nil
        }
        if let packed {
            return MISPError(
                "the weights of \(module) are quantised (\(packed)), which is not read", at: folder,
                remedy: "give the model in float32, float16 or bfloat16")
        }
        if name == "lm_head.weight" {
            return MISPError(
                "the tensor \(name) is missing", at: folder,
                remedy: "set tie_word_embeddings to true in config.json if the embeddings are the head, too")
        }
        let ending = name.split(separator: ".").suffix(2).joined(separator: ".")
        let near = tensors.keys.filter { $0.hasSuffix(ending) }
        return MISPError(
            "the tensor \(name) is missing", at: folder,
            remedy: near.isEmpty
                ? "is this the model that its config.json describes?"
                : "the folder has \(tensors.count) tensors, such as \(near.min() ?? "")")
    }

    /// Fails on tensors that no part of the model asked for.
    public func checkAllUsed() throws {
        let ignored = ["rotary_emb.inv_freq", "embeddings.position_ids", "embeddings.mask_token", "logit_scale"]
        let left = tensors.keys.filter { name in
            !used.contains(name) && !ignored.contains { name.hasSuffix($0) } && !name.contains("vision_tower.head.")
        }
        guard let first = left.min() else { return }
        throw MISPError(
            "\(left.count) tensors belong to no part of the model, such as \(tensors[first]?.name ?? first)",
            at: folder,
            remedy: "is this the model that its config.json describes?")
    }
}

/// Initial values from a seed: each tensor a pure function of (seed, name).
///
/// Norm and scale factors are 1, biases 0, everything else normal with `deviation`.
public struct RandomTensors: TensorSource {
    /// Key of all values.
    public let seed: UInt64
    /// Standard deviation of what is neither 0 nor 1.
    public let deviation: Double

    /// Unless told otherwise, a deviation of 0.02, as transformers initialises.
    public init(seed: UInt64, deviation: Double = 0.02) {
        self.seed = seed
        self.deviation = deviation
    }

    /// The name itself.
    public func writtenName(_ name: String) -> String { name }
    /// In memory, frozen; the same elements at each call. Never fails.
    public func weight<Element: Scalar>(
        _ name: String, shape: [Int], rows: Int, columns: Int
    ) throws -> Weight<Element> {
        let matrix = Matrix<Element>(zeros: rows, columns)
        if name.hasSuffix("norm.weight") || name.contains("norm1.weight") || name.contains("norm2.weight")
            || name.contains("layrnorm.weight") || name.contains("lambda1") || name.hasSuffix("ln_q.weight")
        {
            matrix.base.update(repeating: 1, count: matrix.count)
        } else if !name.hasSuffix(".bias") {
            var random = KeyedRandom(seed, name)
            for i in 0..<matrix.count { matrix.base[i] = Element(deviation * random.normal()) }
        }
        return Weight(frozen: matrix)
    }
}
