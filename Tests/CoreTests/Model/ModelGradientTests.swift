import Core
import Testing

/// The whole model's backward pass against central differences in Double, for every shape and trainable part.
@Suite struct ModelGradientTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var vision: String
        var layers = "-2"
        var select = "default"
        var tied = false
        var text = "llama"
        var side = 6
        var trainable = Trainable(language: .full, projector: .full, vision: .full)
        var testDescription: String { "\(vision) \(layers) \(select) \(text) tied=\(tied) \(trainable.language)" }
    }

    static let lora = LowRankSettings(r: 2, alpha: 3)
    static let cases = [
        Case(vision: "clip_vision_model"),
        Case(vision: "clip_vision_model", layers: "[1, 3]", select: "full", tied: true, text: "qwen2"),
        Case(vision: "siglip_vision_model", layers: "-1", select: "full"),
        Case(vision: "dinov2", layers: "2", side: 4),
        Case(
            vision: "dinov2", layers: "0", side: 6,
            trainable: Trainable(language: .lora, projector: .full, vision: .frozen, lora: lora)),
        Case(
            vision: "clip_vision_model",
            trainable: Trainable(language: .lora, projector: .frozen, vision: .frozen, lora: lora)),
        Case(vision: "clip_vision_model", trainable: Trainable(language: .frozen, projector: .full, vision: .full)),
    ]

    @Test(arguments: cases) func matchesCentralDifferences(_ one: Case) throws {
        let shape = try SmallModels.configuration(
            vision: one.vision, layers: one.layers, select: one.select, tied: one.tied, text: one.text)
        let model = try VisionLanguageModel<Double>(
            shape, from: RandomTensors(seed: 3, deviation: 0.5), pixels: (one.side, one.side),
            trainable: one.trainable, seed: 5)
        let store = model.parameters
        var random = KeyedRandom(7, "test")
        for i in 0..<store.count { store.values[i] += 0.1 * random.normal() }
        let images = (0..<2).map {
            model.fixedPart(
                of: SmallModels.pixels($0, height: one.side, width: one.side), height: one.side, width: one.side)
        }
        let layout = SmallModels.layout(imageRows: model.imageRows(height: one.side, width: one.side))
        let coefficients = [0.7, -1.1, 0.4]
        func objective() -> Double {
            zip(model.forward(layout, images: images).0, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
        }

        let gradient = Gradient(zerosFor: store)
        model.backward(coefficients, model.forward(layout, images: images).1, gradient)
        #expect(!store.slots.isEmpty)
        for slot in store.slots {
            for _ in 0..<3 {
                let index = slot.offset + random.below(slot.count)
                let (value, step) = (store.values[index], 1e-5)
                store.values[index] = value + step
                let above = objective()
                store.values[index] = value - step
                let numeric = (above - objective()) / (2 * step)
                store.values[index] = value
                let exact = gradient.base[index]
                #expect(abs(numeric - exact) < 1e-7 + 1e-6 * abs(exact), "\(slot.name): \(numeric) \(exact)")
            }
        }
    }
}
