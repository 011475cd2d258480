#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Every kernel defaults to its reference.
extension Scalar {
    public static func add(_ x: Pointer, to y: Pointer, count: Int) {
        Reference.add(x, to: y, count: count)
    }

    public static func addScaled(_ scale: Self, _ x: Pointer, to y: Pointer, count: Int) {
        Reference.addScaled(scale, x, to: y, count: count)
    }

    public static func scale(_ x: Pointer, by factor: Self, count: Int) {
        Reference.scale(x, by: factor, count: count)
    }

    public static func sumOfSquares(_ x: Pointer, count: Int) -> Double {
        Reference.sumOfSquares(x, count: count)
    }

    public static func addBias(_ bias: Pointer, to x: Matrix<Self>) {
        Reference.addBias(bias, to: x)
    }

    public static func addColumnSums(of x: Matrix<Self>, to sums: Pointer) {
        Reference.addColumnSums(of: x, to: sums)
    }

    public static func scaleColumns(_ x: Matrix<Self>, by factors: Pointer, into y: Matrix<Self>) {
        Reference.scaleColumns(x, by: factors, into: y)
    }

    public static func addColumnSums(ofProduct x: Matrix<Self>, _ y: Matrix<Self>, to sums: Pointer) {
        Reference.addColumnSums(ofProduct: x, y, to: sums)
    }

    public static func rmsNorm(
        _ x: Matrix<Self>, weight: Pointer, epsilon: Double, into y: Matrix<Self>, inverseRMS: Pointer
    ) {
        Reference.rmsNorm(x, weight: weight, epsilon: epsilon, into: y, inverseRMS: inverseRMS)
    }

    public static func rmsNormBackward(
        _ dy: Matrix<Self>, x: Matrix<Self>, weight: Pointer, inverseRMS: Pointer, to dx: Matrix<Self>,
        weightGradient: Pointer?
    ) {
        Reference.rmsNormBackward(
            dy, x: x, weight: weight, inverseRMS: inverseRMS, to: dx, weightGradient: weightGradient)
    }

    public static func layerNorm(
        _ x: Matrix<Self>, weight: Pointer, bias: Pointer, epsilon: Double, into y: Matrix<Self>, mean: Pointer,
        inverseDeviation: Pointer
    ) {
        Reference.layerNorm(
            x, weight: weight, bias: bias, epsilon: epsilon, into: y, mean: mean, inverseDeviation: inverseDeviation)
    }

    public static func layerNormBackward(
        _ dy: Matrix<Self>, x: Matrix<Self>, weight: Pointer, mean: Pointer, inverseDeviation: Pointer,
        to dx: Matrix<Self>, weightGradient: Pointer?, biasGradient: Pointer?
    ) {
        Reference.layerNormBackward(
            dy, x: x, weight: weight, mean: mean, inverseDeviation: inverseDeviation, to: dx,
            weightGradient: weightGradient, biasGradient: biasGradient)
    }

    public static func rotate(_ x: Matrix<Self>, heads: Int, cosines: Matrix<Self>, sines: Matrix<Self>, inverse: Bool)
    {
        Reference.rotate(x, heads: heads, cosines: cosines, sines: sines, inverse: inverse)
    }

    public static func swiGLU(gate: Matrix<Self>, up: Matrix<Self>, into y: Matrix<Self>) {
        Reference.swiGLU(gate: gate, up: up, into: y)
    }

    public static func swiGLUBackward(
        _ dy: Matrix<Self>, gate: Matrix<Self>, up: Matrix<Self>, gateGradient: Matrix<Self>, upGradient: Matrix<Self>
    ) {
        Reference.swiGLUBackward(dy, gate: gate, up: up, gateGradient: gateGradient, upGradient: upGradient)
    }

    public static func activate(_ kind: Activation, _ x: Matrix<Self>, into y: Matrix<Self>) {
        Reference.activate(kind, x, into: y)
    }

    public static func activateBackward(_ kind: Activation, _ dy: Matrix<Self>, x: Matrix<Self>, into dx: Matrix<Self>)
    {
        Reference.activateBackward(kind, dy, x: x, into: dx)
    }

    public static func softmax(
        _ scores: Matrix<Self>, scale: Self, visible: Int, window: Int?, logSumExp: Pointer
    ) {
        Reference.softmax(scores, scale: scale, visible: visible, window: window, logSumExp: logSumExp)
    }

    public static func softmaxAgain(
        _ scores: Matrix<Self>, scale: Self, visible: Int, window: Int?, logSumExp: Pointer
    ) {
        Reference.softmaxAgain(scores, scale: scale, visible: visible, window: window, logSumExp: logSumExp)
    }

    public static func rowDots(_ x: Matrix<Self>, _ y: Matrix<Self>, into dots: Pointer) {
        Reference.rowDots(x, y, into: dots)
    }

    public static func softmaxBackward(_ probabilities: Matrix<Self>, dP: Matrix<Self>, delta: Pointer, scale: Self) {
        Reference.softmaxBackward(probabilities, dP: dP, delta: delta, scale: scale)
    }

    public static func tokenLogProbability(
        _ logits: Matrix<Self>, targets: [Int32], into logProbabilities: UnsafeMutablePointer<Double>,
        logSumExp: Pointer
    ) {
        Reference.tokenLogProbability(logits, targets: targets, into: logProbabilities, logSumExp: logSumExp)
    }

    public static func tokenLogProbabilityBackward(
        _ logits: Matrix<Self>, targets: [Int32], logSumExp: Pointer, coefficients: [Double]
    ) {
        Reference.tokenLogProbabilityBackward(
            logits, targets: targets, logSumExp: logSumExp, coefficients: coefficients)
    }

    public static func tokenDivergence(
        _ logits: Matrix<Self>, logSumExp: Pointer, reference: Matrix<Self>, referenceLogSumExp: Pointer,
        into divergences: UnsafeMutablePointer<Double>
    ) {
        Reference.tokenDivergence(
            logits, logSumExp: logSumExp, reference: reference, referenceLogSumExp: referenceLogSumExp,
            into: divergences)
    }

    public static func tokenDivergenceBackward(
        _ logits: Matrix<Self>, logSumExp: Pointer, reference: Matrix<Self>, referenceLogSumExp: Pointer,
        coefficients: [Double]
    ) {
        Reference.tokenDivergenceBackward(
            logits, logSumExp: logSumExp, reference: reference, referenceLogSumExp: referenceLogSumExp,
            coefficients: coefficients)
    }

    public static func adamW(
        _ parameters: Pointer, gradient: Pointer, firstMoment: Pointer, secondMoment: Pointer, count: Int,
        step: AdamWStep
    ) -> Bool {
        Reference.adamW(
            parameters, gradient: gradient, firstMoment: firstMoment, secondMoment: secondMoment, count: count,
            step: step)
    }

    public static func sigmoid(_ x: Matrix<Self>, bias: Pointer) {
        Reference.sigmoid(x, bias: bias)
    }

    public static func difference(_ x: Pointer, _ y: Pointer, scale: Self, into z: Pointer, count: Int) {
        Reference.difference(x, y, scale: scale, into: z, count: count)
    }

    public static func sum(_ x: Pointer, count: Int) -> Double {
        Reference.sum(x, count: count)
    }

    public static func widen(_ source: UnsafeRawPointer, _ format: StoredFormat, into target: Pointer, count: Int) {
        Reference.widen(source, format, into: target, count: count)
    }

    public static func fewRowsProduct(
        _ x: Matrix<Self>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Self>
    ) {
        Reference.fewRowsProduct(x, weight, rows: rows, into: y)
    }

    public static func mixRows(_ shares: Matrix<Self>, _ values: Matrix<Self>, into y: Matrix<Self>) {
        Reference.mixRows(shares, values, into: y)
    }

    public static func firstLargest(_ x: Pointer, count: Int) -> Int { Reference.firstLargest(x, count: count) }

    public static func narrow(
        _ source: Pointer, _ format: StoredFormat, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        Reference.narrow(source, format, into: target, count: count)
    }

}

extension Double: Scalar {
    public static func exponential(_ x: Double) -> Double { exp(x) }
    public static func naturalLogarithm(_ x: Double) -> Double { log(x) }
    public static func errorFunction(_ x: Double) -> Double { erf(x) }
    public static func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }
    public static func cosine(_ x: Double) -> Double { cos(x) }
}

extension Float: Scalar {
    public static func exponential(_ x: Float) -> Float { expf(x) }
    public static func naturalLogarithm(_ x: Float) -> Float { logf(x) }
    public static func errorFunction(_ x: Float) -> Float { erff(x) }
    public static func hyperbolicTangent(_ x: Float) -> Float { tanhf(x) }
    public static func cosine(_ x: Float) -> Float { cosf(x) }
}
