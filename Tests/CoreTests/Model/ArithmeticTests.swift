import Core
import Testing

/// A whole model trained on the plain loops and on other kernels: what each kernel's own test may miss.
@Suite struct ArithmeticTests {
    private struct Training {
        var losses: [Double] = []
        var initial: [Float]
        var parameters: [Float] = []

        /// The largest differences of a loss and of a parameter.
        func differences(from other: Training) -> (loss: Double, parameter: Float) {
            (
                zip(losses, other.losses).map { abs($0 - $1) }.max() ?? .infinity,
                zip(parameters, other.parameters).map { abs($0 - $1) }.max() ?? .infinity
            )
        }
    }

    private static let steps = 4

    /// Some steps of −log σ(l₀ − l₁) − log σ(l₀ − l₂), of another answer and of another picture.
    ///
    /// AdamW divides a gradient by its size; its ε is far above what rounding leaves of a gradient that is 0, such as
    /// a key bias's.
    private func train<A: Arithmetic>(_ one: ModelGradientTests.Case, on: A.Type) throws -> Training
    where A.Element == Float {
        let shape = try SmallModels.configuration(
            vision: one.vision, layers: one.layers, select: one.select, tied: one.tied, text: one.text, more: one.more)
        let square = PictureShape(height: one.side, width: one.side)
        let model = try VisionLanguageModel<A>(
            shape, from: RandomTensors(seed: 3, deviation: 0.5), common: square, trainable: one.trainable, seed: 5)
        let (store, count) = (model.parameters, model.parameters.count)
        let images = (0..<2).map { model.encoder.input(SmallModels.picture($0, square)) }
        let layout = SmallModels.layout(imageRows: model.encoder.rows(square).language)
        let moments = Matrix<Float>(zeros: 2, count)
        var training = Training(initial: Array(UnsafeBufferPointer(start: store.values, count: count)))
        for step in 1...Self.steps {
            let (values, saved) = model.forward(layout, images: images)
            let wrong = [values[1], values[2]].map { 1 / (1 + Double.exponential(values[0] - $0)) }
            training.losses.append(wrong.reduce(0) { $0 - Double.naturalLogarithm(1 - $1) })
            let gradient = Gradient(zerosFor: store)
            model.backward([-wrong[0] - wrong[1], wrong[0], wrong[1]], saved, gradient)
            A.adamW(
                store.values, gradient: gradient.base, firstMoment: moments.row(0), secondMoment: moments.row(1),
                count: count, step: AdamWStep(learningRate: 0.005, epsilon: 0.01, weightDecay: 0.1, count: step))
        }
        training.parameters = Array(UnsafeBufferPointer(start: store.values, count: count))
        return training
    }

    /// What was measured: 1.4e-5 at the most, of a parameter, and 7e-6 of a loss.
    @Test(arguments: ModelGradientTests.cases)
    func vectorTrainsAsPlain(_ one: ModelGradientTests.Case) throws {
        let (plain, vector) = (try train(one, on: Plain<Float>.self), try train(one, on: Vector.self))
        let difference = vector.differences(from: plain)
        #expect(difference.loss < 5e-5 && difference.parameter < 5e-5, "\(difference)")
        // Something was learnt, or there would be nothing to compare.
        #expect((plain.losses.last ?? 0) < 0.9 * plain.losses[0])
        #expect(zip(plain.initial, plain.parameters).contains { abs($0 - $1) > 0.01 })
    }

    /// Products of factors that are rounded to bfloat16.
    private enum RoundedFactors: VectorArithmetic {
        typealias Element = Float

        static func setCheckedSum(_ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float) {
            Vector.setCheckedSum(
                c,
                terms.map {
                    ProductTerm(
                        rounded($0.a), transposeA: $0.transposeA, rounded($0.b.matrix), transposeB: $0.transposeB,
                        scale: $0.scale)
                }, keep: keep)
        }

        private static func rounded(_ x: Matrix<Float>) -> Matrix<Float> {
            Matrix(
                x.rows, x.columns,
                x.elements.map { Float(bitPattern: UInt32(StoredFormat.bfloat($0)) << 16) })
        }
    }

    /// Another precision of the products is a type that overrides them alone. The comparison sees it: 0.05 of a loss.
    @Test func anotherPrecisionIsAnotherType() throws {
        let one = ModelGradientTests.cases[0]
        let difference = try train(one, on: RoundedFactors.self)
            .differences(from: try train(one, on: Plain<Float>.self))
        #expect(difference.loss > 1e-3 && difference.loss < 1 && difference.parameter > 1e-3, "\(difference)")
    }
}
