extension Reference {
    package static func sigmoid<S: Scalar>(_ x: S) -> S { 1 / (1 + S.exponential(-x)) }

    /// y = silu(gate)·up
    package static func swiGLU<S: Scalar>(gate: Matrix<S>, up: Matrix<S>, into y: Matrix<S>) {
        for i in 0..<gate.count { y.base[i] = gate.base[i] * sigmoid(gate.base[i]) * up.base[i] }
    }

    /// dup = dy·silu(g); dgate = dy·up·σ(g)·(1 + g·(1 − σ(g)))
    package static func swiGLUBackward<S: Scalar>(
        _ dy: Matrix<S>, gate: Matrix<S>, up: Matrix<S>, gateGradient: Matrix<S>, upGradient: Matrix<S>
    ) {
        for i in 0..<gate.count {
            let (g, u, d) = (gate.base[i], up.base[i], dy.base[i])
            let s = sigmoid(g)
            upGradient.base[i] = d * g * s
            gateGradient.base[i] = d * u * s * (1 + g * (1 - s))
        }
    }

    package static func activate<S: Scalar>(_ kind: Activation, _ x: Matrix<S>, into y: Matrix<S>) {
        for i in 0..<x.count { y.base[i] = valueAndSlope(kind, x.base[i]).value }
    }

    package static func activateBackward<S: Scalar>(
        _ kind: Activation, _ dy: Matrix<S>, x: Matrix<S>, into dx: Matrix<S>
    ) {
        for i in 0..<x.count { dx.base[i] = dy.base[i] * valueAndSlope(kind, x.base[i]).slope }
    }

    /// f(x) and f′(x)
    package static func valueAndSlope<S: Scalar>(_ kind: Activation, _ x: S) -> (value: S, slope: S) {
        switch kind {
        case .gelu:
            let distribution = (1 + S.errorFunction(x * S(0.5.squareRoot()))) / 2
            let density = S.exponential(-x * x / 2) * S(0.398942280401432678)
            return (x * distribution, distribution + x * density)
        case .geluTanh:
            let root = S((2 / Double.pi).squareRoot())
            let t = S.hyperbolicTangent(root * (x + S(0.044715) * x * x * x))
            return (x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) / 2 * root * (1 + S(0.134145) * x * x))
        case .quickGelu: return scaledSigmoidLinear(x, S(1.702))
        case .silu: return scaledSigmoidLinear(x, 1)
        case .relu: return x <= 0 ? (0, 0) : (x, 1)  // NaN passes
        }
    }

    /// x·σ(kx), whose slope is σ(kx)·(1 + kx·(1 − σ(kx)))
    private static func scaledSigmoidLinear<S: Scalar>(_ x: S, _ k: S) -> (value: S, slope: S) {
        let s = sigmoid(k * x)
        return (x * s, s * (1 + k * x * (1 - s)))
    }
}
