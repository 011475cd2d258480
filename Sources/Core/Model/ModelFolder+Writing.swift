import Foundation

/// How a model's weights are written.
public struct ModelWriting: Sendable {
    /// What every element is rounded to, and what config.json says of them.
    public var format: StoredFormat
    /// Bytes of tensors in one file at the most; a larger tensor has a file of its own.
    public var shardBytes: Int

    /// Unless told otherwise, float32 in files of 5 GB.
    public init(format: StoredFormat = .float32, shardBytes: Int = 5_000_000_000) {
        self.format = format
        self.shardBytes = shardBytes
    }

    /// The tensors of each file, in order: a file is begun where the next tensor would make it too large. The rule of
    /// huggingface_hub's `split_torch_state_dict_into_shards`, by which `save_pretrained` goes.
    ///
    /// - Parameter counts: elements of each tensor
    package func shards(_ counts: [Int]) -> [[Int]] {
        var (shards, current, bytes): ([[Int]], [Int], Int) = ([], [], 0)
        for (index, count) in counts.enumerated() {
            let size = count * format.bytes
            if size > shardBytes {
                shards.append([index])
            } else {
                if bytes + size > shardBytes {
                    shards.append(current)
                    (current, bytes) = ([], 0)
                }
                current.append(index)
                bytes += size
            }
        }
        return current.isEmpty && !shards.isEmpty ? shards : shards + [current]
    }
}

extension VisionLanguageModel where A.Element == Float {
    /// Writes the weights as they are now, adapters merged in, with the source folder's other files: a Hugging Face
    /// folder. Of what is not in memory already, one tensor at a time is.
    ///
    /// - Throws: `MISPError` that names the file which cannot be written, or the tensor that does not fit the format
    public func write(to folder: URL, besides source: URL, _ writing: ModelWriting = ModelWriting()) throws {
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw MISPError("cannot be made (\(SystemReason.text(error)))", at: folder.relativePath)
        }
        let isElsewhere = folder.standardizedFileURL.path != source.standardizedFileURL.path
        if isElsewhere { try CompanionFiles.copy(from: source, to: folder) }
        let config = try JSON(contentsOf: source.appending(path: "config.json"))
        let described = config.describing(writing.format)
        if isElsewhere || described.description != config.description {
            try FileOutput.write(described.description + "\n", to: folder.appending(path: "config.json"))
        }
        var entries = tensors.map { tensor in
            SafetensorsWriter.Entry(name: tensor.name, shape: tensor.shape) { tensor.merged }
        }
        if isElsewhere { entries += try otherTensors(of: source) }
        try WeightFiles(folder).write(entries, writing)
    }

    /// What the files hold beside the parts that this model has, such as a tower's pooling head.
    private func otherTensors(of source: URL) throws -> [SafetensorsWriter.Entry] {
        let own = Set(tensors.map(\.name))
        let others = try TensorCatalog(folder: source).tensors.values.filter { !own.contains($0.name) }
        return others.sorted { $0.name < $1.name }.map { tensor in
            SafetensorsWriter.Entry(name: tensor.name, shape: tensor.shape) {
                tensor.widened(Float.self, rows: 1, columns: tensor.count)
            }
        }
    }
}

extension JSON {
    /// A config.json for weights of that format. Where it named one, transformers would round the weights to it.
    fileprivate func describing(_ format: StoredFormat) -> JSON {
        guard let object else { return self }
        return .object(
            JSON.Object(
                object.members.map { key, value in
                    let isFormat = ["dtype", "torch_dtype"].contains(key) && value.string != nil
                    return (key, isFormat ? .string(format.configured) : value.describing(format))
                }))
    }
}

/// The weights of a Hugging Face folder: `model.safetensors`, or shards of it and their index.
struct WeightFiles {
    private static let single = "model.safetensors"
    private static let index = "model.safetensors.index.json"
    private let folder: URL

    init(_ folder: URL) { self.folder = folder }

    /// Replaces what was there, which goes last: at any time the folder has weights that are whole.
    func write(_ entries: [SafetensorsWriter.Entry], _ writing: ModelWriting) throws {
        let shards = writing.shards(entries.map(\.count))
        var written: Set<String> = []
        var map: [String: String] = [:]
        for (number, shard) in shards.enumerated() {
            let name = shards.count == 1 ? Self.single : Self.shard(number + 1, of: shards.count)
            try SafetensorsWriter.write(
                shard.map { entries[$0] }, as: writing.format, to: folder.appending(path: name))
            for entry in shard { map[entries[entry].name] = name }
            written.insert(name)
        }
        if shards.count > 1 {
            let size = entries.reduce(0) { $0 + $1.count } * writing.format.bytes
            let index: JSON = [
                "metadata": ["total_size": .integer(size)],
                "weight_map": .object(.init(map.sorted { $0.key < $1.key }.map { ($0, .string($1)) })),
            ]
            let draft = folder.appending(path: Self.index + ".partial")
            try FileOutput.write(index.description + "\n", to: draft)
            try FileOutput.move(draft, to: folder.appending(path: Self.index))
            written.insert(Self.index)
        }
        try removeOthers(than: written)
    }

    private static func shard(_ number: Int, of count: Int) -> String {
        func digits(_ value: Int) -> String { String("0000\(value)".suffix(max(5, "\(value)".count))) }
        return "model-\(digits(number))-of-\(digits(count)).safetensors"
    }

    /// transformers, and this program, would read an old model.safetensors before any shard.
    private func removeOthers(than written: Set<String>) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        for name in names where !written.contains(name) {
            guard name == Self.single || name == Self.index || Self.isShard(name) else { continue }
            try FileManager.default.removeItem(at: folder.appending(path: name))
        }
    }

    private static func isShard(_ name: String) -> Bool {
        name.wholeMatch(of: #/model-\d+-of-\d+\.safetensors/#) != nil
    }
}
