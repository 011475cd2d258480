import Core
import Foundation
import Testing

/// Whether a pass that keeps layer inputs alone comes to a gradient, to the bit, and one that keeps nothing to the same
/// log-probabilities.
func expectRecomputed<A: Arithmetic>(
    _ gradient: Gradient<A.Element>, by model: VisionLanguageModel<A>, _ coefficients: [Double],
    divergence: () -> Divergence<A>? = { nil },
    forward: (Keeping) -> ([Double], VisionLanguageModel<A>.Activations)
) throws {
    let again = Gradient(zerosFor: model.parameters)
    let (logProbabilities, saved) = forward(.layerInputs(Recomputation()))
    #expect(saved.secondsAgain == 0)
    model.backward(coefficients, saved, again, divergence: divergence())
    #expect(RecomputationTests.elements(again, model) == RecomputationTests.elements(gradient, model))
    #expect(forward(.everything).0 == logProbabilities && forward(.nothing).0 == logProbabilities)
}

@Suite struct RecomputationTests {
    static func elements<A: Arithmetic>(
        _ gradient: Gradient<A.Element>, _ model: VisionLanguageModel<A>
    ) -> [A.Element] {
        Array(UnsafeBufferPointer(start: gradient.base, count: model.parameters.count))
    }

    private static let coefficients = [0.7, -1.1, 0.4]

    /// Every shape and trainable part of LLaVA, on the kernels of runs.
    @Test(arguments: ModelGradientTests.cases) func gradientsAreTheSameBits(_ one: ModelGradientTests.Case) throws {
        let shape = try SmallModels.configuration(
            vision: one.vision, layers: one.layers, select: one.select, tied: one.tied, text: one.text, more: one.more)
        let square = PictureShape(height: one.side, width: one.side)
        let model = try VisionLanguageModel<Vector>(
            shape, from: RandomTensors(seed: 3, deviation: 0.5), common: square, trainable: one.trainable, seed: 5)
        let images = (0..<2).map { model.encoder.input(SmallModels.picture($0, square)) }
        let layout = SmallModels.layout(imageRows: model.encoder.rows(square).language)
        try expectSameBits(model) { model.forward(layout, images: images, keeping: $0) }
    }

    @Test(arguments: SmallFamily.all) func gradientsOfFamiliesAreTheSameBits(_ family: SmallFamily) throws {
        for trainable in [
            Trainable(language: .full, projector: .full, vision: .full),
            Trainable(projector: .frozen, vision: .lora, lora: LowRankSettings(r: 2, alpha: 3)),
        ] {
            let model = try family.model(trainable, as: Vector.self)
            let images = family.pictures.map { model.encoder.input($0) }
            let layout = try family.layout()
            try expectSameBits(model) { model.forward(layout, images: images, keeping: $0) }
        }
    }

    private func expectSameBits(
        _ model: VisionLanguageModel<Vector>,
        _ forward: (Keeping) -> ([Double], VisionLanguageModel<Vector>.Activations)
    ) throws {
        let gradient = Gradient(zerosFor: model.parameters)
        let saved = forward(.everything).1
        model.backward(Self.coefficients, saved, gradient)
        #expect(saved.secondsAgain == 0 && Self.elements(gradient, model).contains { $0 != 0 })
        try expectRecomputed(gradient, by: model, Self.coefficients, forward: forward)
    }

    /// The time of layers that were run again is told, and none of it before they were.
    @Test func secondsAreCounted() throws {
        let family = SmallFamily.qwen25()
        let model = try family.model(Trainable(language: .full), as: Vector.self)
        let images = family.pictures.map { model.encoder.input($0) }
        let saved = model.forward(try family.layout(), images: images, keeping: .layerInputs(Recomputation())).1
        #expect(saved.secondsAgain == 0)
        model.backward(Self.coefficients, saved, Gradient(zerosFor: model.parameters))
        #expect(saved.secondsAgain > 0)
    }

    /// Inputs in 16 bits leave the log-probabilities as they are and move the gradient by a few of bfloat16's 2⁻⁹.
    @Test(
        arguments: ["llama-clip-spm", "smol-dinov2-bytelevel", "qwen2-siglip"], [CheckpointGolden.full, Trainable()])
    func inputsInBFloat16(name: String, trainable: Trainable) throws {
        let checkpoint = try CheckpointGolden(name)
        let model = try checkpoint.model(trainable)
        let group = try #require(try checkpoint.groups().first { $0.id == "four" })
        let batch = GroupLayout(
            group, withRejected: true, negatives: Array(group.negatives.indices), isJoint: true
        ).batches[0]
        let images = try batch.images.map { model.encoder.input(try checkpoint.picture($0.path)) }
        let coefficients = batch.sequences.indices.map { $0 == 0 ? 1 : -1 / Double(batch.sequences.count - 1) }
        func run(_ keeping: Keeping) -> (values: [Double], gradient: [Float]) {
            let gradient = Gradient(zerosFor: model.parameters)
            let (values, saved) = model.forward(batch.layout, images: images, keeping: keeping)
            model.backward(coefficients, saved, gradient)
            return (values, Self.elements(gradient, model))
        }
        let (exact, rounded) = (run(.everything), run(.layerInputs(Recomputation(inBFloat16: true))))
        let error = relativeError(rounded.gradient, exact.gradient)
        #expect(rounded.values == exact.values)
        #expect(error > 1e-5 && error < 0.02, "\(error)")
    }

    /// No rounding adds up over layers: 24 of them.
    @Test func inputsOfManyLayersInBFloat16() throws {
        let json = """
            {"model_type": "llava", "image_token_index": 9, "vision_feature_layer": 0,
             "text_config": {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
               "num_hidden_layers": 24, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 96},
             "vision_config": {"model_type": "clip_vision_model", "hidden_size": 8, "intermediate_size": 6,
               "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 6, "patch_size": 2}}
            """
        let model = try VisionLanguageModel<Vector>(
            ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json")),
            from: RandomTensors(seed: 3, deviation: 0.1), common: PictureShape(height: 6, width: 6),
            trainable: Trainable(language: .full), seed: 5)
        var layout = SequenceLayout()
        layout.append(
            PromptTokens(tokens: Array(10..<30)), image: 0,
            responses: [WeightedTokens(Array(40..<60)), WeightedTokens(Array(60..<90))])
        func run(_ keeping: Keeping) -> (values: [Double], gradient: [Float]) {
            let gradient = Gradient(zerosFor: model.parameters)
            let (values, saved) = model.forward(layout, images: [], keeping: keeping)
            model.backward([1, -1], saved, gradient)
            return (values, Self.elements(gradient, model))
        }
        let (exact, rounded) = (run(.everything), run(.layerInputs(Recomputation(inBFloat16: true))))
        let error = relativeError(rounded.gradient, exact.gradient)
        #expect(rounded.values == exact.values)
        #expect(error > 1e-4 && error < 0.02, "\(error)")
    }

    /// ‖x − y‖/‖y‖
    private func relativeError(_ x: [Float], _ y: [Float]) -> Double {
        let difference = zip(x, y).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
        return (difference / y.reduce(0.0) { $0 + pow(Double($1), 2) }).squareRoot()
    }
}

/// Rows in 16 bits.
@Suite struct LayerInputTests {
    private func rounded(_ value: Float) -> Float { Float(bitPattern: UInt32(StoredFormat.bfloat(value)) << 16) }

    @Test(arguments: [1, 7, 8, 33]) func roundsToNearestEven(columns: Int) {
        var random = KeyedRandom(9, "rows")
        let wide = Matrix<Float>(uninitialized: 5, columns + 3)
        for i in 0..<wide.count { wide.base[i] = Float(random.normal() * Double.exponential(3 * random.normal())) }
        // Ties, both ways; the largest that is not rounded to infinity; the smallest; what is no number.
        let odd: [Float] = [1 + 0x1p-8, 1 + 0x3p-8, -1 - 0x1p-8, 0x1.FEFEp127, 0x1p-149, -0.0, .infinity, .nan]
        for (place, value) in odd.enumerated() { wide.base[place * 3 % wide.count] = value }
        for x in [wide.copied(), wide.columns(2..<2 + columns)] {
            let again = LayerInput(x, inBFloat16: true).matrix
            #expect(again.rows == x.rows && again.columns == x.columns)
            for (a, b) in zip(again.elements, x.elements) { #expect(a.bitPattern == rounded(b).bitPattern, "\(b)") }
            let double = Matrix<Double>(x.rows, x.columns, x.elements.map(Double.init))
            let same = zip(LayerInput(double, inBFloat16: true).matrix.elements, again.elements)
            #expect(same.allSatisfy { Float($0) == $1 || $1.isNaN })
        }
    }

    @Test func keepsWhatIsNotRounded() {
        let x = Matrix<Float>(1, 3, [1.1, -2.2, .pi])
        #expect(LayerInput(x, inBFloat16: false).matrix.base == x.base)
        #expect(LayerInput(x, inBFloat16: true).matrix.base != x.base)
    }

    /// Many at a time, to the same bits as one; and a finite number that becomes infinite is told of.
    @Test func narrowingInBulk() {
        var random = KeyedRandom(4, "bits")
        let values = (0..<1000).map { _ in Float(bitPattern: UInt32(random.below(1 << 32))) }
        var bits = [UInt16](repeating: 0, count: values.count)
        _ = bits.withUnsafeMutableBytes { target in
            target.baseAddress.map { StoredFormat.bfloat16.narrow(values, into: $0, count: values.count) }
        }
        #expect(bits == values.map(StoredFormat.bfloat))
        var one: UInt16 = 0
        for (value, fits) in [
            (Float.greatestFiniteMagnitude, false), (-0x1.FFp127, false), (0x1.FEFFFEp127, true), (.infinity, true),
            (.nan, true),
        ] { #expect(StoredFormat.bfloat16.narrow([value], into: &one, count: 1) == fits, "\(value)") }
    }
}
