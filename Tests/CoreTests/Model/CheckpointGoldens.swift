import Core
import Foundation
import TestSupport
import Testing

/// A checkpoint of Tests/Goldens/checkpoints with what PyTorch computes for it.
struct CheckpointGolden {
    static let names = ["llama-clip-spm", "smol-dinov2-bytelevel", "qwen2-siglip", "llama-clip-sharded"]
    static let frozen = Trainable(language: .frozen, projector: .frozen, vision: .frozen)
    static let full = Trainable(language: .full, projector: .full, vision: .full)

    let url: URL
    let folder: ModelFolder
    /// golden.json
    let json: JSONField

    init(_ name: String) throws {
        url = golden("checkpoints/\(name)")
        folder = try ModelFolder(url)
        json = try JSONField(contentsOf: url.appending(path: "golden.json"))
    }

    func model<A: Arithmetic>(_ trainable: Trainable, as: A.Type = Vector.self) throws -> VisionLanguageModel<A> {
        try VisionLanguageModel(
            folder.configuration, from: TensorCatalog(folder: url), common: folder.processor.commonShape,
            trainable: trainable, seed: 0)
    }

    func groups() throws -> [EncodedGroup] {
        let encoder = try GroupEncoder(folder, template: PromptTemplate(json["template_name"].string()))
        return try PreferenceGroup.read(contentsOf: url.appending(path: "groups.jsonl"), images: url).map {
            try encoder.encode($0, at: "groups.jsonl")
        }
    }

    func picture(_ path: String) throws -> ProcessedPicture {
        try folder.processor.picture(RGBImage(contentsOf: URL(filePath: path), transparency: .drop))
    }

    func run<A: Arithmetic>(
        _ layout: SequenceLayout, images sources: [ImageSource], _ model: VisionLanguageModel<A>
    ) throws -> ([Double], VisionLanguageModel<A>.Activations) {
        let images = try sources.map { model.encoder.input(try picture($0.path)) }
        return model.forward(layout, images: images)
    }

    /// Log-probabilities of all the group's sequences by the goldens' names: `chosen`, `rejected`, `negative0` …
    func logProbabilities<A: Arithmetic>(
        _ group: EncodedGroup, _ model: VisionLanguageModel<A>, isJoint: Bool = true
    ) throws -> [String: Double] {
        let layout = GroupLayout(
            group, withRejected: true, negatives: Array(group.negatives.indices), isJoint: isJoint)
        var values: [String: Double] = [:]
        for batch in layout.batches {
            for (sequence, value) in zip(batch.sequences, try run(batch.layout, images: batch.images, model).0) {
                values[sequence.name] = value
            }
        }
        return values
    }
}

extension GroupSequence {
    /// As the goldens call it.
    var name: String {
        switch self {
        case .chosen: "chosen"
        case .rejected: "rejected"
        case .negative(let place): "negative\(place)"
        }
    }
}

/// A tensor as the goldens sum it up.
struct TensorSummary {
    let shape: [Int]
    let norm: Double
    let samples: [(index: Int, value: Double)]

    init(_ field: JSONField) throws {
        shape = try field["shape"].array().map { try $0.int() }
        norm = try field["norm"].double()
        samples = try Self.samples(field["samples"])
    }

    static func samples(_ field: JSONField) throws -> [(index: Int, value: Double)] {
        try field.array().map { (try $0[0].int(), try $0[1].double()) }
    }

    /// The largest difference of norm and samples; infinite where the sizes differ.
    func difference(_ elements: [Float]) -> Double {
        guard elements.count == shape.reduce(1, *) else { return .infinity }
        let own = elements.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return samples.reduce(abs(own - norm)) { max($0, abs(Double(elements[$1.index]) - $1.value)) }
    }
}

/// The largest difference of values by the same names; infinite where the names differ.
func difference(_ values: [String: Double], _ golden: JSONField) throws -> Double {
    let members = try golden.object().members
    guard Set(values.keys) == Set(members.map(\.key)) else { return .infinity }
    return members.reduce(0) { max($0, abs((values[$1.key] ?? .nan) - ($1.value.double ?? .nan))) }
}
