import Core
import Foundation
import TestSupport
import Testing

/// A checkpoint of Tests/Goldens/checkpoints or Tests/Goldens/families with what PyTorch computes for it.
struct CheckpointGolden {
    static let names = ["llama-clip-spm", "smol-dinov2-bytelevel", "qwen2-siglip", "llama-clip-sharded"]
    static let families = [
        "qwen2.5-vl-flat", "qwen2.5-vl-nested", "qwen2-vl", "smolvlm-tiles", "idefics3-whole", "llava-interleave",
    ]
    static let frozen = Trainable(language: .frozen, projector: .frozen, vision: .frozen)
    static let full = Trainable(language: .full, projector: .full, vision: .full)

    let url: URL
    /// Where groups.jsonl and the pictures lie.
    let data: URL
    let folder: ModelFolder
    /// golden.json
    let json: JSONField

    init(_ name: String) throws {
        let url = golden("checkpoints/\(name)")
        try self.init(url, data: url)
    }

    init(family name: String) throws { try self.init(golden("families/\(name)"), data: golden("families")) }

    private init(_ url: URL, data: URL) throws {
        (self.url, self.data) = (url, data)
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
        return try PreferenceGroup.read(contentsOf: data.appending(path: "groups.jsonl"), images: data).map {
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

extension CheckpointGolden {
    /// Holds d(Σ c·log π) / d(every tensor of the file) to gradients.json, relative to the tensor's norm.
    func checkGradients() throws {
        let golden = try JSONField(contentsOf: url.appending(path: "gradients.json"))
        let model = try model(Self.full)
        let group = try #require(try groups().first { try $0.id == golden["group"].string() })
        let layout = GroupLayout(
            group, withRejected: true, negatives: Array(group.negatives.indices), isJoint: true)
        let batch = layout.batches[0]
        let coefficients = try batch.sequences.map { try golden["coefficients"][$0.name].double() }
        let gradient = Gradient(zerosFor: model.parameters)
        model.backward(coefficients, try run(batch.layout, images: batch.images, model).1, gradient)

        let slots = Dictionary(uniqueKeysWithValues: model.parameters.slots.map { ($0.name, $0) })
        let tensors = try golden["tensors"].object().members
        #expect(Set(slots.keys) == Set(tensors.filter { !$0.value.isNull }.map(\.key)))
        for (key, value) in tensors where !value.isNull {
            let expected = try TensorSummary(golden["tensors"][key])
            let slot = try #require(slots[key])
            #expect(slot.shape == expected.shape, "\(key)")
            // Exact zeros (key biases) are met to rounding.
            let scale = expected.norm > 0 ? expected.norm : 1
            #expect(expected.difference(gradient[slot].elements) < 1e-4 * scale, "\(key)")
        }
    }

    /// Holds logits of a chosen response to golden.json; row t predicts token t.
    func checkLogits(within tolerance: Double) throws {
        let model = try model(Self.frozen)
        let golden = json["logits"]
        let group = try #require(try groups().first { try $0.id == golden["group"].string() })
        let layout = GroupLayout(group, withRejected: false, negatives: [], isJoint: true)
        let scores = try run(layout.batches[0].layout, images: layout.batches[0].images, model).1.scores
        #expect(scores.logits.rows == group.chosen.count)
        for row in try golden["rows"].array() {
            for (token, value) in try TensorSummary.samples(row["samples"]) {
                #expect(abs(Double(scores.logits[try row["token"].int(), token]) - value) < tolerance, "\(token)")
            }
        }
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
