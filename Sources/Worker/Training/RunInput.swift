import Coordinator
import Core
import Foundation

/// Everything that a training reads besides its configuration, named by content.
struct RunInput {
    private let agreed: AgreedInput
    private let weightDigests: [String: Digest]
    /// Of files, by path.
    let pictures: [String: Digest]

    /// Files of a model folder besides the weights that a training depends on.
    private static let modelFiles = [
        "config.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json",
        "added_tokens.json", "special_tokens_map.json",
    ]
    private static let adapterFiles = ["adapter_config.json", "adapter_model.safetensors"]
    /// Those of data.train.
    private static let picturesPart = "pictures"
    /// Held-out groups decide nothing of what is trained.
    private static let heldOut = ["data.eval", "pictures of data.eval"]

    /// Collective: the ranks agree on configuration, files, weights and pictures as each of them sees these.
    ///
    /// - Parameter pictures: those of the training groups that the run asks for, from its first step on
    /// - Throws: `AgreedFailure` that names rank and host where one sees others than rank 0
    init(_ run: TrainingRun<some VectorArithmetic>, pictures: [ImageSource]) throws {
        try Self.agree(on: run.configuration, run.communicator)
        agreed = try AgreedInput(run.communicator) { try Self.pieces(run, pictures) }
        var (weights, files) = ([String: Digest](), [String: Digest]())
        for (piece, digest) in zip(agreed.pieces, agreed.digests) {
            if piece.part == "weights" { weights[piece.place] = digest }
            if piece.part.hasPrefix("pictures") { files[piece.place] = digest }
        }
        (weightDigests, self.pictures) = (weights, files)
    }

    /// Collective.
    private static func agree(on configuration: RunConfiguration, _ communicator: any Communicator) throws {
        let own = configuration.json.without(RunConfiguration.machineKeys)
        let first = try JSON(parsing: communicator.broadcast(Data(own.description.utf8), from: 0))
        try communicator.agree {
            guard let (key, here, there) = own.firstDifference(from: first) else { return }
            throw MISPError(
                "is \(here) here, but differs on rank 0: \(there)", at: key,
                remedy: "give all ranks the same configuration")
        }
    }

    private static func pieces(
        _ run: TrainingRun<some VectorArithmetic>, _ pictures: [ImageSource]
    ) throws -> [InputPiece] {
        let configuration = run.configuration
        func files(_ folder: URL, _ names: [String], _ part: String) -> [InputPiece] {
            names.map { ($0, folder.appending(path: $0)) }
                .filter { FileManager.default.fileExists(atPath: $1.path) }
                .map { InputPiece("\(part): \($0)", file: $1) }
        }
        var pieces = [InputPiece("data.train", file: configuration.data.train)]
        pieces += files(run.folder.url, modelFiles, "model.path")
        if let adapter = configuration.model.adapter { pieces += files(adapter, adapterFiles, "model.adapter") }
        let tensors = try TensorCatalog(folder: run.folder.url).tensors
        pieces += InputPiece.weights(
            try EmbedderContent("model", folder: run.folder.url, tensors: Array(tensors.values)), of: run.folder.url)
        var seen: Set<String> = []
        func files(_ images: [ImageSource], _ part: String) -> [InputPiece] {
            images.filter { seen.insert($0.path).inserted }
                .map { InputPiece(part, file: URL(filePath: $0.path)) }
        }
        pieces += files(pictures, picturesPart)
        if let eval = run.eval, let file = configuration.data.eval {
            pieces.append(InputPiece(heldOut[0], file: file))
            pieces += files(
                eval.images(epochs: [[Int]](repeating: [0], count: eval.groups.count)), heldOut[1])
        }
        return pieces
    }

    /// Names the weights of a part of the model, and what is read beside them, for what is kept by content.
    ///
    /// - Parameter isPart: of a tensor's canonical name
    func identity(_ kind: String, of folder: URL, isPart: (String) -> Bool) throws -> Digest {
        let tensors = try TensorCatalog(folder: folder).tensors.filter { isPart($0.key) }
        // Of no tensor the identity would be the same for all models.
        guard !tensors.isEmpty else {
            throw MISPError("no tensor belongs to the \(kind)", at: folder.relativePath, kind: .defect)
        }
        let content = try EmbedderContent(kind, folder: folder, tensors: Array(tensors.values))
        return content.identity(
            (0..<content.partCount).map { index in
                weightDigests[content.name(ofPart: index)] ?? content.digest(ofPart: index)
            })
    }
}

/// The identity as checkpoints keep it, by content and not by path.
extension RunInput {
    /// Digits of a piece's digest that are kept, to say which one has changed.
    private static let digits = 8

    /// By part, its digest; for one of many pieces, digests of them.
    var kept: JSON {
        var parts = JSON.Object()
        for (part, _, digests) in keptParts {
            guard digests.count > 1 else {
                parts[part] = .string(digests[0].description)
                continue
            }
            parts[part] = [
                "digest": .string(Self.joined(digests)),
                "pieces": .string(digests.map { $0.description.prefix(Self.digits) }.joined()),
            ]
        }
        return .object(parts)
    }

    private static func joined(_ digests: [Digest]) -> String {
        var hash = SHA256()
        for digest in digests { hash.add(digest) }
        return hash.finish().description
    }

    private var keptParts: [(part: String, places: [String], digests: [Digest])] {
        var parts: [(part: String, places: [String], digests: [Digest])] = []
        for (piece, digest) in zip(agreed.pieces, agreed.digests) where !Self.heldOut.contains(piece.part) {
            if parts.last?.part == piece.part {
                parts[parts.count - 1].places.append(piece.place)
                parts[parts.count - 1].digests.append(digest)
            } else {
                parts.append((piece.part, [piece.place], [digest]))
            }
        }
        return parts
    }

    /// With the pictures that the run asked for when it had another length, in their order then.
    private func keptParts(
        pictures images: [ImageSource]
    ) throws -> [(part: String, places: [String], digests: [Digest])] {
        var parts = keptParts
        guard let index = parts.firstIndex(where: { $0.part == Self.picturesPart }) else { return parts }
        var seen: Set<String> = []
        let places = images.map(\.path).filter { seen.insert($0).inserted }
        let digests = try places.map { place in
            try pictures[place] ?? InputPiece(Self.picturesPart, file: URL(filePath: place)).hash()
        }
        parts[index] = (Self.picturesPart, places, digests)
        return parts
    }

    /// What is other than in the checkpoint that `saved` belongs to, a place and what is wrong each.
    ///
    /// - Parameter images: the pictures that the run asked for when it wrote the checkpoint
    func differences(from saved: JSONField, pictures images: [ImageSource]) throws -> [(place: String, what: String)] {
        guard saved.isPresent else {
            let what = "does not say which rows, pictures and weights it was trained on (an earlier version wrote it)"
            return [(saved.file, what)]
        }
        let then = try saved.object()
        var found: [(place: String, what: String)] = []
        let own = try keptParts(pictures: images)
        for (part, places, digests) in own {
            guard then[part] != nil else {
                found.append((part, "is there, but was not when \(saved.file) was written"))
                continue
            }
            let field = saved[part]
            let whole = try field["digest"].isPresent ? field["digest"].string() : field.string()
            guard whole != (digests.count > 1 ? Self.joined(digests) : digests[0].description) else { continue }
            let pieces = try field["pieces"].isPresent ? Array(field["pieces"].string()) : []
            let index = digests.indices.first { index in
                let digits = pieces.dropFirst(index * Self.digits).prefix(Self.digits)
                return digits.count == Self.digits && String(digits) != digests[index].description.prefix(Self.digits)
            }
            let place = places.count == 1 ? places[0] : index.map { places[$0] } ?? places[0]
            found.append(
                ("\(part.split(separator: ":")[0]): \(place)", "is not what it was when \(saved.file) was written"))
        }
        for part in then.keys where !own.contains(where: { $0.part == part }) {
            found.append((part, "is not there, but was when \(saved.file) was written"))
        }
        return found
    }
}
