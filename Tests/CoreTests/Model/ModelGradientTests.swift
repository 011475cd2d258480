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
        /// Further settings of the language model.
        var more = ""
        var side = 6
        var trainable = Trainable(language: .full, projector: .full, vision: .full)
        var testDescription: String {
            "\(vision) \(layers) \(select) \(text)\(more) tied=\(tied) \(trainable.language)"
        }
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
        Case(vision: "clip_vision_model", text: "mistral", more: #", "sliding_window": 3"#),
        Case(
            vision: "siglip_vision_model", tied: true, text: "qwen2",
            more: #", "use_sliding_window": true, "sliding_window": 4, "max_window_layers": 1"#),
        Case(
            vision: "clip_vision_model", trainable: Trainable(projector: .full, lora: parts)),
    ]
    /// An adapter of some modules, each with a rank and α of its own.
    static let parts = LowRankSettings(
        r: 3, alpha: 5, targets: ["q_proj", "o_proj", "up_proj"], isRankStabilized: true,
        parts: [
            "language_model.layers.0.self_attn.o_proj": LowRankShape(r: 1, alpha: 5),
            "language_model.layers.1.self_attn.q_proj": LowRankShape(r: 3, alpha: 5),
            "language_model.layers.1.mlp.up_proj": LowRankShape(r: 2, alpha: 0.5),
        ])

    @Test(arguments: cases) func matchesCentralDifferences(_ one: Case) throws {
        let shape = try SmallModels.configuration(
            vision: one.vision, layers: one.layers, select: one.select, tied: one.tied, text: one.text,
            more: one.more)
        let square = PictureShape(height: one.side, width: one.side)
        let model = try VisionLanguageModel<DoublePrecision>(
            shape, from: RandomTensors(seed: 3, deviation: 0.5), common: square, trainable: one.trainable, seed: 5)
        let store = model.parameters
        var random = KeyedRandom(7, "test")
        for i in 0..<store.count { store.values[i] += 0.1 * random.normal() }
        let images = (0..<2).map { model.encoder.input(SmallModels.picture($0, square)) }
        let layout = SmallModels.layout(imageRows: model.encoder.rows(square).language)
        let coefficients = [0.7, -1.1, 0.4]
        func objective() -> Double {
            zip(model.forward(layout, images: images).0, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
        }

        let gradient = Gradient(zerosFor: store)
        model.backward(coefficients, model.forward(layout, images: images).1, gradient)
        try expectRecomputed(gradient, by: model, coefficients) { model.forward(layout, images: images, keeping: $0) }
        #expect(!store.slots.isEmpty)
        expectCentralDifferences(gradient, of: store, &random, objective)
    }

    /// Token weights and the divergence from another model's distributions, as CHiP has them.
    @Test func weightsAndDivergence() throws {
        let shape = try SmallModels.configuration(vision: "clip_vision_model")
        let square = PictureShape(height: 6, width: 6)
        func model(_ seed: UInt64) throws -> VisionLanguageModel<DoublePrecision> {
            try VisionLanguageModel<DoublePrecision>(
                shape, from: RandomTensors(seed: seed, deviation: 0.5), common: square,
                trainable: Trainable(language: .full), seed: 5)
        }
        let (policy, reference) = (try model(3), try model(4))
        let picture = SmallModels.picture(0, square)
        func images(_ model: VisionLanguageModel<DoublePrecision>) -> [VisionInput<DoublePrecision>] {
            [model.encoder.input(picture)]
        }
        let rows = policy.encoder.rows(square).language
        let prompt = PromptTokens(before: [1, 3], PicturePlace(rows: rows, token: 9), after: [4])
        func layout(_ responses: [WeightedTokens]) -> SequenceLayout {
            var layout = SequenceLayout()
            layout.append(prompt, image: 0, responses: responses)
            return layout
        }
        let responses = [WeightedTokens([6, 7, 2], weights: [1, 4, 1]), WeightedTokens([8, 2], weights: [4, 1])]
        // A third response, which the reference does not score.
        let all = layout(responses + [WeightedTokens([5, 2])])
        let scores = { reference.forward(layout(responses), images: images(reference)).1.scores }
        let (coefficients, kl) = ([0.7, -1.1, 0.3], [0.4, -0.9])
        func objective() -> Double {
            let (values, saved) = policy.forward(all, images: images(policy))
            let divergences = saved.scores.divergences(from: scores())
            return zip(values, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
                + zip(divergences, kl).reduce(0) { $0 + $1.0 * $1.1 }
        }
        // The weighted sum is that of single tokens.
        let single = policy.forward(layout([WeightedTokens([6])]), images: images(policy)).0[0]
        let pair = policy.forward(layout([WeightedTokens([6, 7])]), images: images(policy)).0[0]
        let weighted = policy.forward(layout([WeightedTokens([6, 7], weights: [1, 4])]), images: images(policy)).0[0]
        #expect(abs(weighted - (single + 4 * (pair - single))) < 1e-12)

        let store = policy.parameters
        let gradient = Gradient(zerosFor: store)
        policy.backward(
            coefficients, policy.forward(all, images: images(policy)).1, gradient,
            divergence: Divergence(from: scores(), coefficients: kl))
        try expectRecomputed(
            gradient, by: policy, coefficients, divergence: { Divergence(from: scores(), coefficients: kl) }
        ) { policy.forward(all, images: images(policy), keeping: $0) }
        var random = KeyedRandom(8, "test")
        expectCentralDifferences(gradient, of: store, &random, objective)
    }
}
