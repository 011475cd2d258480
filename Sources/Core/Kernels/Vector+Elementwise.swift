import CVector
import Synchronization

/// The plain loops' operations in their order, eight at a time: the same bits, but for sums.
extension VectorArithmetic {
    /// y ← y + x
    public static func add(_ x: Pointer, to y: Pointer, count: Int) {
        forEachEightInParts(count) { i, n in
            (Float8(y + i, n) + Float8(x + i, n)).store(y + i, n)
        }
    }

    /// y ← y + scale·x
    public static func addScaled(_ scale: Float, _ x: Pointer, to y: Pointer, count: Int) {
        forEachEightInParts(count) { i, n in
            (Float8(y + i, n) + scale * Float8(x + i, n)).store(y + i, n)
        }
    }

    /// x ← factor·x
    public static func scale(_ x: Pointer, by factor: Float, count: Int) {
        forEachEightInParts(count) { i, n in
            (Float8(x + i, n) * factor).store(x + i, n)
        }
    }

    /// Exact squares added in Double, lane by lane: the order depends on `count` alone.
    public static func sumOfSquares(_ x: Pointer, count: Int) -> Double {
        var (even, odd) = (SIMD8<Double>(), SIMD8<Double>())
        var start = 0
        while start &+ 16 <= count {
            let (a, b) = (misp_double8(Float8(x + start)), misp_double8(Float8(x + (start &+ 8))))
            even += a * a
            odd += b * b
            start &+= 16
        }
        forEachEight(count - start) { i, n in
            let a = misp_double8(Float8(x + start + i, n))
            even += a * a
        }
        return (even + odd).total
    }

    /// y[t, c] ← x[t, c]·factors[c]
    public static func scaleColumns(_ x: Matrix<Float>, by factors: Pointer, into y: Matrix<Float>) {
        forEachRow(x) { t in
            let (source, target) = (x.row(t), y.row(t))
            forEachEight(x.columns) { i, n in
                (Float8(source + i, n) * Float8(factors + i, n)).store(target + i, n)
            }
        }
    }

    /// sums[c] += Σ_t x[t, c]·y[t, c]
    public static func addColumnSums(ofProduct x: Matrix<Float>, _ y: Matrix<Float>, to sums: Pointer) {
        for t in 0..<x.rows {
            let (a, b) = (x.row(t), y.row(t))
            forEachEight(x.columns) { i, n in
                (Float8(sums + i, n) + Float8(a + i, n) * Float8(b + i, n)).store(sums + i, n)
            }
        }
    }

    /// z ← scale·(x − y)
    public static func difference(_ x: Pointer, _ y: Pointer, scale: Float, into z: Pointer, count: Int) {
        forEachEightInParts(count) { i, n in
            (scale * (Float8(x + i, n) - Float8(y + i, n))).store(z + i, n)
        }
    }

    /// Lane by lane: the order depends on `count` alone.
    public static func sum(_ x: Pointer, count: Int) -> Double {
        var sums = SIMD8<Double>()
        forEachEight(count) { i, n in sums += misp_double8(Float8(x + i, n)) }
        return sums.total
    }

    /// One pass over the four buffers, which memory bounds; the plain loop's operations in its order: the same bits.
    ///
    /// What is not finite gives NaN when multiplied by 0, and a sum of zeros keeps it: a check that memory hides.
    @discardableResult
    public static func adamW(
        _ parameters: Pointer, gradient: Pointer, firstMoment: Pointer, secondMoment: Pointer, count: Int,
        step: AdamWStep
    ) -> Bool {
        let decay = Float(1 - step.learningRate * step.weightDecay)
        let rate = Float(step.learningRate / step.firstCorrection)
        let rootCorrection = Float(step.secondCorrection.squareRoot())
        let (beta1, beta2, epsilon) = (Float(step.beta1), Float(step.beta2), Float(step.epsilon))
        let (rest1, rest2) = (Float(1 - step.beta1), Float(1 - step.beta2))
        let gradientScale = Float(step.gradientScale)
        let isFinite = Atomic<Bool>(true)
        Parallel.ranges(count, unit: 8, elements: 1) { part in
            let first = part.lowerBound
            var trace = Float8()
            forEachEight(part.count) { place, n in
                let i = first &+ place
                let g = Float8(gradient + i, n) * gradientScale
                let m = beta1 * Float8(firstMoment + i, n) + rest1 * g
                let v = beta2 * Float8(secondMoment + i, n) + rest2 * g * g
                let denominator = misp_sqrt8(v) / rootCorrection + epsilon
                m.store(firstMoment + i, n)
                v.store(secondMoment + i, n)
                let parameter = Float8(parameters + i, n) * decay - rate * m / denominator
                parameter.store(parameters + i, n)
                trace = fma(parameter, 0, fma(v, 0, trace))
            }
            if !(trace.total == 0) { isFinite.store(false, ordering: .relaxed) }
        }
        return isFinite.load(ordering: .relaxed)
    }

    /// Finds the largest value eight at a time, then its first place.
    public static func firstLargest(_ x: Pointer, count: Int) -> Int {
        let highest = largest(of: x, times: 1, count: count)
        return (0..<count).first { x[$0] == highest } ?? 0
    }
}
