import Core
import Testing

@Suite struct DropoutTests {
    private static let lora = LowRankSettings(r: 2, alpha: 3)
    private static let square = PictureShape(height: 6, width: 6)
    private static let coefficients = [0.7, -1.1, 0.4]

    private func dropout(
        rate: Double = 0.4, seed: UInt64 = 1, step: Int = 2, group: String = "g", firstPicture: Int = 0
    ) -> Dropout? {
        Dropout(rate: rate, seed: seed, step: step, group: group, firstPicture: firstPicture)
    }

    /// With adapters that do something.
    private func model<A: Arithmetic>(_ kernels: A.Type) throws -> VisionLanguageModel<A> {
        let model = try VisionLanguageModel<A>(
            try SmallModels.configuration(vision: "clip_vision_model"),
            from: RandomTensors(seed: 3, deviation: 0.5), common: Self.square,
            trainable: Trainable(projector: .full, lora: Self.lora), seed: 5)
        var random = KeyedRandom(7, "test")
        for i in 0..<model.parameters.count { model.parameters.values[i] += A.Element(0.1 * random.normal()) }
        return model
    }

    private func images<A: Arithmetic>(_ model: VisionLanguageModel<A>) -> [VisionInput<A>] {
        (0..<2).map { model.encoder.input(SmallModels.picture($0, Self.square)) }
    }

    /// PEFT's layer with the same elements left out (Tests/Goldens/layers.py).
    @Test func matchesPEFT() throws {
        let one = try LayerGoldenTests.Case("LoRA with dropout")
        let weights = ProbeWeights(given: try one.weights())
        let part = Linear<DoublePrecision>(
            weight: weights("weight", 7, 12), bias: weights("bias", 1, 7),
            adapter: LowRankAdapter(a: weights("a", 3, 12), b: weights("b", 7, 3), scale: 5 / 3.0, module: "a.module"))
        try weights.store.seal()
        let keys = try one.json["settings"]["keys"].array().map { UInt64(try $0.int()) }
        let dropout = RowDropout(rate: try one.json["settings"]["rate"].double(), keys: keys)
        try one.check(
            LayerProbe(weights.store) { x in
                let (y, saved) = part.forward(x, dropout: dropout)
                return (
                    y,
                    { dy, gradient in
                        let dx = Matrix<Double>(uninitialized: x.rows, x.columns)
                        DoublePrecision.setSum(dx, part.backward(dy, saved, gradient))
                        return dx
                    }
                )
            })
    }

    @Test func gradientsMatchCentralDifferences() throws {
        let model = try model(DoublePrecision.self)
        let (images, store) = (images(model), model.parameters)
        let layout = SmallModels.layout(imageRows: model.encoder.rows(Self.square).language)
        func objective() -> Double {
            zip(model.forward(layout, images: images, dropout: dropout()).0, Self.coefficients)
                .reduce(0) { $0 + $1.0 * $1.1 }
        }
        let gradient = Gradient(zerosFor: store)
        model.backward(Self.coefficients, model.forward(layout, images: images, dropout: dropout()).1, gradient)
        var random = KeyedRandom(8, "test")
        expectCentralDifferences(gradient, of: store, &random, objective)
    }

    @Test func layersRunAgainLeaveOutTheSame() throws {
        let model = try model(Vector.self)
        let images = images(model)
        let layout = SmallModels.layout(imageRows: model.encoder.rows(Self.square).language)
        let gradient = Gradient(zerosFor: model.parameters)
        model.backward(Self.coefficients, model.forward(layout, images: images, dropout: dropout()).1, gradient)
        try expectRecomputed(gradient, by: model, Self.coefficients) {
            model.forward(layout, images: images, keeping: $0, dropout: dropout())
        }
    }

    /// One pass for both pictures, or one for each.
    @Test func doesNotDependOnHowAGroupIsCut() throws {
        let model = try model(DoublePrecision.self)
        let images = images(model)
        let rows = model.encoder.rows(Self.square).language
        let prompt = PromptTokens(before: [1, 3], PicturePlace(rows: rows, token: 9), after: [4, 5])
        let parts: [[[Int32]]] = [[[6, 7, 2], [8, 2]], [[6, 7, 2]]]
        let whole = model.forward(SmallModels.layout(imageRows: rows), images: images, dropout: dropout()).0
        let apart = parts.enumerated().flatMap { picture, responses in
            var layout = SequenceLayout()
            layout.append(prompt, image: 0, responses: responses)
            return model.forward(
                layout, images: [images[picture]], dropout: dropout(firstPicture: picture)
            ).0
        }
        #expect(zip(whole, apart).allSatisfy { abs($0 - $1) < 1e-12 }, "\(whole) \(apart)")
    }

    /// Another draw for each step, group, seed, picture and module, and none without a rate.
    @Test func isKeyed() throws {
        let model = try model(DoublePrecision.self)
        let images = images(model)
        let layout = SmallModels.layout(imageRows: model.encoder.rows(Self.square).language)
        func values(_ dropout: Dropout?) -> [Double] { model.forward(layout, images: images, dropout: dropout).0 }
        let draws = [
            dropout(), dropout(seed: 2), dropout(step: 3), dropout(group: "h"), dropout(firstPicture: 1), nil,
        ].map(values)
        #expect(Set(draws).count == draws.count)
        #expect(values(dropout()) == draws[0])
        #expect(dropout(rate: 0) == nil)
        let rows = try #require(dropout()).rows(layout).keys
        #expect(rows.count == layout.rows && Set(rows).count == layout.rows)
    }

    /// On average a layer is what it is without: over many steps, within five standard errors.
    @Test func isUnbiased() throws {
        let weights = ProbeWeights()
        let part = Linear<DoublePrecision>(
            weight: weights("weight", 1, 8),
            adapter: LowRankAdapter(a: weights("a", 2, 8), b: weights("b", 1, 2), scale: 2))
        try weights.store.seal()
        let x = Matrix<Double>(1, 8, (0..<8).map { Double($0) - 3 })
        var layout = SequenceLayout()
        layout.append(PromptTokens(tokens: [1]), image: 0, responses: [[2]])
        let values = try (0..<4000).map { step in
            part.forward(x, dropout: try #require(dropout(step: step)).rows(layout)).0[0, 0]
        }
        let mean = values.reduce(0, +) / 4000
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4000).squareRoot()
        let exact = part.forward(x).0[0, 0]
        #expect(deviation > 0.1 && abs(mean - exact) < 5 * deviation / 4000.0.squareRoot(), "\(mean) \(exact)")
    }
}
