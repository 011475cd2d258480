import Core
import Testing

/// Kernels give the same bits however many threads share their rows.
@Suite struct ThreadedKernelTests {
    var numbers = SeededNumbers(state: 21)

    private func expectSameBits(_ name: String, _ compute: () -> [Matrix<Float>]) {
        let alone = Parallel.$limit.withValue(1, operation: compute)
        for threads in [2, 3, 7] {
            let shared = Parallel.$limit.withValue(threads, operation: compute)
            #expect(zip(alone, shared).allSatisfy(sameBits), "\(name), \(threads) threads")
        }
    }

    /// A result of that shape, which is not a number before it is set.
    private func target(_ x: Matrix<Float>, columns: Int? = nil) -> Matrix<Float> {
        let y = Matrix<Float>(zeros: x.rows, columns ?? x.columns)
        for i in 0..<y.count { y.base[i] = .nan }
        return y
    }

    /// Rows that no number of threads divides, more elements than one thread keeps to itself.
    private static let (rows, columns) = (251, 389)

    @Test mutating func normsAndActivations() {
        let (x, dy) = (numbers.matrix(Self.rows, Self.columns), numbers.matrix(Self.rows, Self.columns))
        let (weight, bias) = (numbers.matrix(1, Self.columns), numbers.matrix(1, Self.columns))
        expectSameBits("RMSNorm") {
            let (y, r, dx) = (target(x), target(x, columns: 1), dy.copied())
            let dw = weight.copied()
            Vector.rmsNorm(x, weight: weight.base, epsilon: 1e-5, into: y, inverseRMS: r.base)
            Vector.rmsNormBackward(
                dy, x: x, weight: weight.base, inverseRMS: r.base, to: dx, weightGradient: nil)
            Vector.rmsNormBackward(
                dy, x: x, weight: weight.base, inverseRMS: r.base, to: dx, weightGradient: dw.base)
            return [y, r, dx, dw]
        }
        expectSameBits("LayerNorm") {
            let (y, mean, r, dx) = (target(x), target(x, columns: 1), target(x, columns: 1), dy.copied())
            let (dw, db) = (weight.copied(), bias.copied())
            Vector.layerNorm(
                x, weight: weight.base, bias: bias.base, epsilon: 1e-5, into: y, mean: mean.base,
                inverseDeviation: r.base)
            for (dw, db) in [(nil, nil), (dw.base, db.base)] {
                Vector.layerNormBackward(
                    dy, x: x, weight: weight.base, mean: mean.base, inverseDeviation: r.base, to: dx,
                    weightGradient: dw, biasGradient: db)
            }
            return [y, mean, r, dx, dw, db]
        }
        expectSameBits("activations") {
            let (y, dGate, dUp) = (target(x), target(x), target(x))
            Vector.swiGLU(gate: x, up: dy, into: y)
            Vector.swiGLUBackward(y, gate: x, up: dy, gateGradient: dGate, upGradient: dUp)
            let (f, df, sigmoid) = (target(x), target(x), x.copied())
            Vector.activate(.gelu, x, into: f)
            Vector.activateBackward(.gelu, dy, x: x, into: df)
            Vector.sigmoid(sigmoid, bias: bias.base)
            return [y, dGate, dUp, f, df, sigmoid]
        }
    }

    @Test mutating func logProbabilitiesAndTheOptimizer() {
        let (x, other) = (numbers.matrix(Self.rows, Self.columns), numbers.matrix(Self.rows, Self.columns))
        let targets = (0..<Self.rows).map { Int32($0) }
        let coefficients = (0..<Self.rows).map { 0.01 * Double($0) }
        expectSameBits("log-probabilities") {
            let (logits, reference) = (x.copied(), other.copied())
            let (a, b) = (target(x, columns: 1), target(x, columns: 1))
            let tokens = Matrix<Double>(zeros: 3, Self.rows)
            Vector.tokenLogProbability(logits, targets: targets, into: tokens.row(0), logSumExp: a.base)
            Vector.tokenLogProbability(reference, targets: targets, into: tokens.row(1), logSumExp: b.base)
            Vector.tokenDivergence(
                logits, logSumExp: a.base, reference: reference, referenceLogSumExp: b.base, into: tokens.row(2))
            Vector.tokenDivergenceBackward(
                logits, logSumExp: a.base, reference: reference, referenceLogSumExp: b.base,
                coefficients: coefficients)
            Vector.tokenLogProbabilityBackward(
                logits, targets: targets, logSumExp: a.base, coefficients: coefficients)
            let sums = Matrix<Float>(3, Self.rows, tokens.elements.map { Float($0) })
            return [logits, reference, a, b, sums]
        }
        expectSameBits("AdamW") {
            let state = [x.copied(), other.copied(), Matrix<Float>(zeros: Self.rows, Self.columns)]
            let step = AdamWStep(learningRate: 1e-3, weightDecay: 0.1, gradientScale: 0.5, count: 3)
            let isFinite = Vector.adamW(
                state[0].base, gradient: other.base, firstMoment: state[1].base, secondMoment: state[2].base,
                count: x.count, step: step)
            return state + [Matrix(1, 1, [isFinite ? 1 : 0])]
        }
    }

    /// What is not finite is found in whichever thread's part it stands.
    @Test mutating func theOptimizerSeesEveryPart() {
        let count = Self.rows * Self.columns
        for place in [0, count / 2, count - 1] {
            let (x, gradient) = (numbers.matrix(1, count), numbers.matrix(1, count))
            let (first, second) = (Matrix<Float>(zeros: 1, count), Matrix<Float>(zeros: 1, count))
            gradient.base[place] = .nan
            let isFinite = Parallel.$limit.withValue(3) {
                Vector.adamW(
                    x.base, gradient: gradient.base, firstMoment: first.base, secondMoment: second.base, count: count,
                    step: AdamWStep(learningRate: 1e-3, count: 1))
            }
            #expect(!isFinite)
        }
    }

    /// Segments that continue one prefix add to its keys in their order; heads share keys.
    @Test(arguments: [true, false]) mutating func attention(isCausal: Bool) {
        let attention = SegmentAttention<Vector>(heads: 6, keyHeads: 3, headSize: 16, isCausal: isCausal)
        let segments = [
            AttentionSegment(rows: 0..<90), AttentionSegment(rows: 90..<120, prefix: [0..<90]),
            AttentionSegment(rows: 120..<200, prefix: [0..<90]), AttentionSegment(rows: 200..<231),
        ]
        let q = numbers.matrix(231, 96)
        let (k, v) = (numbers.matrix(231, 48), numbers.matrix(231, 48))
        let dOutput = numbers.matrix(231, 96)
        expectSameBits("attention") {
            let (output, saved) = attention.forward(q: q, k: k, v: v, segments)
            let (dq, dk, dv) = attention.backward(dOutput, saved, segments)
            return [output, dq, dk, dv]
        }
    }
}
