extension Arithmetic {
    private static func sigmoid(_ x: Element) -> Element { 1 / (1 + Element.exponential(-x)) }

    /// y = silu(gate)·up
    public static func swiGLU(gate: Matrix<Element>, up: Matrix<Element>, into y: Matrix<Element>) {
        for i in 0..<gate.count { y.base[i] = gate.base[i] * sigmoid(gate.base[i]) * up.base[i] }
    }

    /// dup = dy·silu(g); dgate = dy·up·σ(g)·(1 + g·(1 − σ(g)))
    public static func swiGLUBackward(
        _ dy: Matrix<Element>, gate: Matrix<Element>, up: Matrix<Element>, gateGradient: Matrix<Element>,
        upGradient: Matrix<Element>
    ) {
        for i in 0..<gate.count {
            let (g, u, d) = (gate.base[i], up.base[i], dy.base[i])
            let s = sigmoid(g)
            upGradient.base[i] = d * g * s
            gateGradient.base[i] = d * u * s * (1 + g * (1 - s))
        }
    }

    /// y = f(x)
    public static func activate(_ kind: Activation, _ x: Matrix<Element>, into y: Matrix<Element>) {
        for i in 0..<x.count { y.base[i] = valueAndSlope(kind, x.base[i]).value }
    }

    /// dx = dy·f′(x)
    public static func activateBackward(
        _ kind: Activation, _ dy: Matrix<Element>, x: Matrix<Element>, into dx: Matrix<Element>
    ) {
        for i in 0..<x.count { dx.base[i] = dy.base[i] * valueAndSlope(kind, x.base[i]).slope }
    }

    /// f(x) and f′(x)
    private static func valueAndSlope(_ kind: Activation, _ x: Element) -> (value: Element, slope: Element) {
        switch kind {
        case .gelu:
            let distribution = (1 + Element.errorFunction(x * Element(0.5.squareRoot()))) / 2
            let density = Element.exponential(-x * x / 2) * Element(0.398942280401432678)
            return (x * distribution, distribution + x * density)
        case .geluTanh:
            let root = Element((2 / Double.pi).squareRoot())
            let t = Element.hyperbolicTangent(root * (x + Element(0.044715) * x * x * x))
            let curve: Element = x * (1 - t * t) / 2 * root * (1 + Element(0.134145) * x * x)
            return (x * (1 + t) / 2, (1 + t) / 2 + curve)
        case .quickGelu: return scaledSigmoidLinear(x, Element(1.702))
        case .silu: return scaledSigmoidLinear(x, 1)
        case .relu: return x <= 0 ? (0, 0) : (x, 1)  // NaN passes
        }
    }

    /// x·σ(kx), whose slope is σ(kx)·(1 + kx·(1 − σ(kx)))
    private static func scaledSigmoidLinear(_ x: Element, _ k: Element) -> (value: Element, slope: Element) {
        let s = sigmoid(k * x)
        return (x * s, s * (1 + k * x * (1 - s)))
    }

    /// x[t, c] ← σ(x[t, c] + bias[c])
    public static func sigmoid(_ x: Matrix<Element>, bias: Pointer) {
        for t in 0..<x.rows {
            for c in 0..<x.columns { x[t, c] = sigmoid(x[t, c] + bias[c]) }
        }
    }
}
