extension Arithmetic {
    /// y[i] += x[i]
    public static func add(_ x: Pointer, to y: Pointer, count: Int) {
        for i in 0..<count { y[i] += x[i] }
    }

    /// y[i] += scale·x[i]
    public static func addScaled(_ scale: Element, _ x: Pointer, to y: Pointer, count: Int) {
        for i in 0..<count { y[i] += scale * x[i] }
    }

    /// x[i] *= factor
    public static func scale(_ x: Pointer, by factor: Element, count: Int) {
        for i in 0..<count { x[i] *= factor }
    }

    /// Σ x[i]², in Double.
    public static func sumOfSquares(_ x: Pointer, count: Int) -> Double {
        var sum = 0.0
        for i in 0..<count { sum += Double(x[i]) * Double(x[i]) }
        return sum
    }

    /// x[t, c] += bias[c]
    public static func addBias(_ bias: Pointer, to x: Matrix<Element>) {
        for t in 0..<x.rows { add(bias, to: x.row(t), count: x.columns) }
    }

    /// sums[c] += Σ_t x[t, c]
    public static func addColumnSums(of x: Matrix<Element>, to sums: Pointer) {
        for t in 0..<x.rows { add(x.row(t), to: sums, count: x.columns) }
    }

    /// y[t, c] = x[t, c]·factors[c]
    public static func scaleColumns(_ x: Matrix<Element>, by factors: Pointer, into y: Matrix<Element>) {
        for t in 0..<x.rows {
            for c in 0..<x.columns { y[t, c] = x[t, c] * factors[c] }
        }
    }

    /// sums[c] += Σ_t x[t, c]·y[t, c]
    public static func addColumnSums(ofProduct x: Matrix<Element>, _ y: Matrix<Element>, to sums: Pointer) {
        for t in 0..<x.rows {
            for c in 0..<x.columns { sums[c] += x[t, c] * y[t, c] }
        }
    }

    /// The formulas of `AdamWStep`, one parameter after the other, with its constants rounded to `Element` first.
    @discardableResult
    public static func adamW(
        _ parameters: Pointer, gradient: Pointer, firstMoment m: Pointer, secondMoment v: Pointer, count: Int,
        step: AdamWStep
    ) -> Bool {
        let decay = Element(1 - step.learningRate * step.weightDecay)
        let rate = Element(step.learningRate / step.firstCorrection)
        let rootCorrection = Element(step.secondCorrection.squareRoot())
        let (beta1, beta2, epsilon) = (Element(step.beta1), Element(step.beta2), Element(step.epsilon))
        let (rest1, rest2) = (Element(1 - step.beta1), Element(1 - step.beta2))
        for i in 0..<count {
            let g = gradient[i] * Element(step.gradientScale)
            m[i] = beta1 * m[i] + rest1 * g
            v[i] = beta2 * v[i] + rest2 * g * g
            parameters[i] = parameters[i] * decay - rate * m[i] / (v[i].squareRoot() / rootCorrection + epsilon)
        }
        return (0..<count).allSatisfy { parameters[$0].isFinite && v[$0].isFinite }
    }

    /// z ← scale·(x − y)
    public static func difference(_ x: Pointer, _ y: Pointer, scale: Element, into z: Pointer, count: Int) {
        for i in 0..<count { z[i] = scale * (x[i] - y[i]) }
    }

    /// Σ x[i], in Double.
    public static func sum(_ x: Pointer, count: Int) -> Double {
        (0..<count).reduce(0) { $0 + Double(x[$1]) }
    }

    /// The first index of the largest of `count` values.
    public static func firstLargest(_ x: Pointer, count: Int) -> Int {
        (0..<count).reduce(0) { x[$1] > x[$0] ? $1 : $0 }
    }
}
