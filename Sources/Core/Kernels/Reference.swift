/// The plain loop of every kernel, for any element type: what the fast kernels are held to, and what Double runs on.
///
/// Legend: `T` rows (tokens), `C` channels, `H` heads, `D` head size, `V` vocabulary.
public enum Reference {}

extension Reference {
    package static func add<S: Scalar>(_ x: S.Pointer, to y: S.Pointer, count: Int) {
        for i in 0..<count { y[i] += x[i] }
    }

    package static func addScaled<S: Scalar>(_ scale: S, _ x: S.Pointer, to y: S.Pointer, count: Int) {
        for i in 0..<count { y[i] += scale * x[i] }
    }

    package static func scale<S: Scalar>(_ x: S.Pointer, by factor: S, count: Int) {
        for i in 0..<count { x[i] *= factor }
    }

    package static func sumOfSquares<S: Scalar>(_ x: S.Pointer, count: Int) -> Double {
        var sum = 0.0
        for i in 0..<count { sum += Double(x[i]) * Double(x[i]) }
        return sum
    }

    /// x[t, c] += bias[c]
    package static func addBias<S: Scalar>(_ bias: S.Pointer, to x: Matrix<S>) {
        for t in 0..<x.rows { add(bias, to: x.row(t), count: x.columns) }
    }

    /// sums[c] += Σ_t x[t, c]
    package static func addColumnSums<S: Scalar>(of x: Matrix<S>, to sums: S.Pointer) {
        for t in 0..<x.rows { add(x.row(t), to: sums, count: x.columns) }
    }

    /// y[t, c] = x[t, c]·factors[c]
    package static func scaleColumns<S: Scalar>(_ x: Matrix<S>, by factors: S.Pointer, into y: Matrix<S>) {
        for t in 0..<x.rows {
            for c in 0..<x.columns { y[t, c] = x[t, c] * factors[c] }
        }
    }

    /// sums[c] += Σ_t x[t, c]·y[t, c]
    package static func addColumnSums<S: Scalar>(ofProduct x: Matrix<S>, _ y: Matrix<S>, to sums: S.Pointer) {
        for t in 0..<x.rows {
            for c in 0..<x.columns { sums[c] += x[t, c] * y[t, c] }
        }
    }

    /// Widens stored numbers exactly: every 16-bit value is a Float.
    package static func widen<S: Scalar>(
        _ source: UnsafeRawPointer, _ format: StoredFormat, into target: S.Pointer, count: Int
    ) {
        for i in 0..<count {
            switch format {
            case .float32: target[i] = S(source.loadUnaligned(fromByteOffset: 4 * i, as: Float.self))
            case .float16: target[i] = S(float(half: source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)))
            case .bfloat16:
                let bits = source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
                target[i] = S(Float(bitPattern: UInt32(bits) << 16))
            }
        }
    }

    /// IEEE half to single by its bits: Float16 does not exist in Swift on every platform.
    package static func float(half bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1F
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0:  // zero and subnormals: fraction · 2⁻²⁴
            let magnitude = Float(fraction) * 0x1p-24
            return sign == 0 ? magnitude : -magnitude
        case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }

    @discardableResult
    package static func adamW<S: Scalar>(
        _ parameters: S.Pointer, gradient: S.Pointer, firstMoment m: S.Pointer, secondMoment v: S.Pointer, count: Int,
        step: AdamWStep
    ) -> Bool {
        let decay = S(1 - step.learningRate * step.weightDecay)
        let rate = S(step.learningRate / step.firstCorrection)
        let rootCorrection = S(step.secondCorrection.squareRoot())
        let (beta1, beta2, epsilon) = (S(step.beta1), S(step.beta2), S(step.epsilon))
        let (rest1, rest2) = (S(1 - step.beta1), S(1 - step.beta2))
        for i in 0..<count {
            let g = gradient[i] * S(step.gradientScale)
            m[i] = beta1 * m[i] + rest1 * g
            v[i] = beta2 * v[i] + rest2 * g * g
            parameters[i] = parameters[i] * decay - rate * m[i] / (v[i].squareRoot() / rootCorrection + epsilon)
        }
        return (0..<count).allSatisfy { parameters[$0].isFinite && v[$0].isFinite }
    }
}
