import Core
import Testing

/// Whole models of the families beside LLaVA, on pictures of two shapes in one batch: the backward pass against central
/// differences in Double.
@Suite struct FamilyGradientTests {
    private static let lora = LowRankSettings(r: 2, alpha: 3)
    private static let trainables = [
        Trainable(language: .full, projector: .full, vision: .full),
        Trainable(language: .frozen, projector: .frozen, vision: .full),
        Trainable(language: .frozen, projector: .full, vision: .frozen),
        Trainable(language: .lora, projector: .full, vision: .lora, lora: lora),
        Trainable(language: .frozen, projector: .frozen, vision: .lora, lora: lora),
    ]

    @Test(arguments: SmallFamily.all, trainables)
    func matchesCentralDifferences(_ family: SmallFamily, _ trainable: Trainable) throws {
        let model: VisionLanguageModel<DoublePrecision> = try family.model(trainable)
        let store = model.parameters
        let names = model.configuration.names
        let (ofTower, ofConnector) = (
            store.slots.filter { $0.name.hasPrefix(names.tower) && !$0.name.hasPrefix(names.connector) },
            store.slots.filter { $0.name.hasPrefix(names.connector) }
        )
        #expect(ofTower.isEmpty == (trainable.vision == .frozen))
        #expect(ofConnector.isEmpty == (trainable.projector == .frozen))
        #expect(model.encoder.isTowerTrained == !ofTower.isEmpty)
        #expect(model.encoder.isConnectorTrained == !ofConnector.isEmpty)

        var random = KeyedRandom(7, "test")
        for i in 0..<store.count { store.values[i] += 0.1 * random.normal() }
        let images = family.pictures.map { model.encoder.input($0) }
        let layout = try family.layout()
        let coefficients = [0.7, -1.1, 0.4]
        func objective() -> Double {
            zip(model.forward(layout, images: images).0, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
        }

        let gradient = Gradient(zerosFor: store)
        model.backward(coefficients, model.forward(layout, images: images).1, gradient)
        try expectRecomputed(gradient, by: model, coefficients) { model.forward(layout, images: images, keeping: $0) }
        expectCentralDifferences(gradient, of: store, &random, objective)
    }

    /// Nothing that is trained has a gradient of zeros: every tensor takes part in what pictures of two shapes become.
    @Test(arguments: SmallFamily.all) func everyTensorHasAGradient(_ family: SmallFamily) throws {
        let model: VisionLanguageModel<DoublePrecision> = try family.model(Self.trainables[0])
        let images = family.pictures.map { model.encoder.input($0) }
        let gradient = Gradient(zerosFor: model.parameters)
        model.backward([0.7, -1.1, 0.4], model.forward(try family.layout(), images: images).1, gradient)
        for slot in model.parameters.slots {
            let norm = gradient[slot].elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
            // A bias of keys that are not turned shifts all scores of a query alike.
            #expect(slot.name.hasSuffix("k_proj.bias") || norm > 1e-6, "\(slot.name): \(norm)")
        }
    }

    /// float32 on the vector kernels, as runs compute it, against the plain loops in Double.
    @Test(arguments: SmallFamily.all) func vectorKernelsAgreeWithPlainLoops(_ family: SmallFamily) throws {
        func values<A: Arithmetic>(_ type: A.Type) throws -> (logProbabilities: [Double], gradient: [Double]) {
            let model = try family.model(Self.trainables[0], as: type)
            let images = family.pictures.map { model.encoder.input($0) }
            let (logProbabilities, saved) = model.forward(try family.layout(), images: images)
            let gradient = Gradient(zerosFor: model.parameters)
            model.backward([0.7, -1.1, 0.4], saved, gradient)
            let elements = UnsafeBufferPointer(start: gradient.base, count: model.parameters.count)
            return (logProbabilities, elements.map { Double($0) })
        }
        let (vector, exact) = (try values(Vector.self), try values(DoublePrecision.self))
        for (a, b) in zip(vector.logProbabilities, exact.logProbabilities) { #expect(abs(a - b) < 1e-4) }
        let size = exact.gradient.reduce(0) { max($0, abs($1)) }
        let error = zip(vector.gradient, exact.gradient).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(vector.gradient.count == exact.gradient.count && error < 1e-4 * size, "\(error) of \(size)")
    }
}
