import Foundation

/// Where a model's tensors come from: a checkpoint's files, or a seed.
public protocol TensorSource {
    /// A frozen tensor of that shape, seen as rows × columns.
    func weight<S: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<S>
    /// The name under which the tensor is written to files.
    func writtenName(_ name: String) -> String
}

/// The tensors of a checkpoint folder under one canonical set of names, whatever generation wrote them.
///
/// Canonical: `language_model.layers.…`, `language_model.embed_tokens.weight`, `language_model.norm.weight`,
/// `lm_head.weight`, `multi_modal_projector.…`, `vision_tower.…`, with DINOv2's projections as `attention.q_proj`.
public final class TensorCatalog: TensorSource {
    public let folder: String
    public let tensors: [String: StoredTensor]
    private var used: Set<String> = []

    /// Reads `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
    public init(folder url: URL) throws {
        folder = url.relativePath
        var tensors: [String: StoredTensor] = [:]
        for file in try Self.files(in: url) {
            for tensor in try SafetensorsFile(contentsOf: file).tensors.values {
                let name = Self.canonical(tensor.name)
                guard tensors.updateValue(tensor, forKey: name) == nil else {
                    throw MISPError("occurs twice", at: "\(url.relativePath): \(tensor.name)")
                }
            }
        }
        self.tensors = tensors
    }

    private static func files(in url: URL) throws -> [URL] {
        let single = url.appending(path: "model.safetensors")
        let index = url.appending(path: "model.safetensors.index.json")
        if FileManager.default.fileExists(atPath: single.path) { return [single] }
        guard FileManager.default.fileExists(atPath: index.path) else {
            throw MISPError(
                "has no model.safetensors and no model.safetensors.index.json", at: url.relativePath,
                remedy: "give a Hugging Face folder with safetensors weights")
        }
        let map = try JSONField(contentsOf: index)["weight_map"].object()
        let names = Set(map.members.compactMap { $0.value.string }).sorted()
        for name in names where name.contains("/") {
            throw MISPError("names the shard \(name) outside the folder", at: index.relativePath)
        }
        return names.map { url.appending(path: $0) }
    }

    /// Maps both generations of Hugging Face's names, and PEFT's module paths, to the canonical ones.
    public static func canonical(_ name: String) -> String {
        var rest = Substring(name)
        if rest.hasPrefix("base_model.model.") { rest = rest.dropFirst("base_model.model.".count) }
        if rest.hasPrefix("model.") { rest = rest.dropFirst("model.".count) }
        for (old, new) in [
            ("language_model.model.", "language_model."), ("language_model.lm_head.", "lm_head."),
            ("vision_tower.vision_model.", "vision_tower."),
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

    public func writtenName(_ name: String) -> String { tensors[name]?.name ?? name }

    public func weight<S: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<S> {
        guard let tensor = tensors[name] else {
            let near = tensors.keys.filter { $0.hasSuffix(name.split(separator: ".").suffix(2).joined(separator: ".")) }
            throw MISPError(
                "the tensor \(name) is missing", at: folder,
                remedy: near.isEmpty
                    ? "is this the model that its config.json describes?"
                    : "the folder has \(tensors.count) tensors, such as \(near.min() ?? "")")
        }
        guard tensor.shape == shape else {
            throw MISPError(
                "the tensor \(tensor.name) has shape \(tensor.shape), but config.json asks for \(shape)",
                at: tensor.file.path)
        }
        used.insert(name)
        return Weight(stored: tensor, rows: rows, columns: columns)
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
    public let seed: UInt64
    public let deviation: Double

    public init(seed: UInt64, deviation: Double = 0.02) {
        self.seed = seed
        self.deviation = deviation
    }

    public func writtenName(_ name: String) -> String { name }

    public func weight<S: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<S> {
        let matrix = Matrix<S>(zeros: rows, columns)
        if name.hasSuffix("norm.weight") || name.contains("norm1.weight") || name.contains("norm2.weight")
            || name.contains("layrnorm.weight") || name.contains("lambda1")
        {
            matrix.base.update(repeating: 1, count: matrix.count)
        } else if !name.hasSuffix(".bias") {
            var random = KeyedRandom(seed, name)
            for i in 0..<matrix.count { matrix.base[i] = S(deviation * random.normal()) }
        }
        return Weight(frozen: matrix)
    }
}
