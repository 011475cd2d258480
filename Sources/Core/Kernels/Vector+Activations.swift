import CActivation
import CVector

extension VectorArithmetic {
    /// y ← silu(gate)·up
    public static func swiGLU(gate: Matrix<Float>, up: Matrix<Float>, into y: Matrix<Float>) {
        let (g, u, target) = (gate.base, up.base, y.base)
        @inline(__always) func body(_ i: Int, _ n: Int) {
            let x = Float8(g + i, n)
            (x * Float8.sigmoid(x) * Float8(u + i, n)).store(target + i, n)
        }
        forEachEightInParts(gate.count, body)
    }

    /// dup = dy·silu(g); dgate = dy·up·σ(g)·(1 + g·(1 − σ(g))); both overwritten.
    public static func swiGLUBackward(
        _ dy: Matrix<Float>, gate: Matrix<Float>, up: Matrix<Float>, gateGradient: Matrix<Float>,
        upGradient: Matrix<Float>
    ) {
        let (dBase, gBase, uBase) = (dy.base, gate.base, up.base)
        let (toGate, toUp) = (gateGradient.base, upGradient.base)
        @inline(__always) func body(_ i: Int, _ n: Int) {
            let (d, g, u) = (Float8(dBase + i, n), Float8(gBase + i, n), Float8(uBase + i, n))
            let s = Float8.sigmoid(g)
            (d * g * s).store(toUp + i, n)
            (d * u * s * (1 + g * (1 - s))).store(toGate + i, n)
        }
        forEachEightInParts(gate.count, body)
    }

    /// y ← f(x); the tanh of GELU by way of a sigmoid.
    public static func activate(_ kind: Activation, _ x: Matrix<Float>, into y: Matrix<Float>) {
        let (source, target) = (x.base, y.base)
        if kind == .gelu, hasWideGELU {
            return forEachPart(x.count) { misp_gelu(source + $0.lowerBound, target + $0.lowerBound, $0.count) }
        }
        @inline(__always) func body(_ i: Int, _ n: Int) {
            value(kind, Float8(source + i, n)).store(target + i, n)
        }
        forEachEightInParts(x.count, body)
    }

    /// dx ← dy·f′(x)
    public static func activateBackward(
        _ kind: Activation, _ dy: Matrix<Float>, x: Matrix<Float>, into dx: Matrix<Float>
    ) {
        let (gradient, source, target) = (dy.base, x.base, dx.base)
        if kind == .gelu, hasWideGELU {
            return forEachPart(x.count) {
                let first = $0.lowerBound
                misp_gelu_backward(gradient + first, source + first, target + first, $0.count)
            }
        }
        @inline(__always) func body(_ i: Int, _ n: Int) {
            (Float8(gradient + i, n) * slope(kind, Float8(source + i, n))).store(target + i, n)
        }
        forEachEightInParts(x.count, body)
    }

    /// x[t, c] ← σ(x[t, c] + bias[c])
    public static func sigmoid(_ x: Matrix<Float>, bias: Pointer) {
        forEachRow(x) { t in
            let row = x.row(t)
            @inline(__always)
            func body(_ i: Int, _ n: Int) {
                Float8.sigmoid(Float8(row + i, n) + Float8(bias + i, n)).store(row + i, n)
            }
            forEachEight(x.columns, body)
        }
    }
}

/// Its bits are those of the loop over eight, which MISP_PRODUCT=AVX2 leaves to be tried.
private let hasWideGELU = misp_has_wide_gelu() != 0 && FloatProduct.current?.name != "AVX2"

/// f(x)
@inline(__always)
private func value(_ kind: Activation, _ x: Float8) -> Float8 {
    switch kind {
    case .gelu: x * Float8.normalDistribution(x)
    case .geluTanh: x * Float8.sigmoid(tanhArgument(x))
    case .quickGelu: x * Float8.sigmoid(1.702 * x)
    case .silu: x * Float8.sigmoid(x)
    case .relu: misp_most8(x, Float8(), Float8(), x)
    }
}

/// f′(x)
@inline(__always)
private func slope(_ kind: Activation, _ x: Float8) -> Float8 {
    switch kind {
    case .gelu:
        let density = 0.398942280401432678 * Float8.exponential(-0.5 * x * x)
        return fma(x, density, Float8.normalDistribution(x))
    case .geluTanh:
        let s = Float8.sigmoid(tanhArgument(x))
        return s + x * s * (1 - s) * (1.59576912160573 * (1 + 0.134145 * x * x))
    case .quickGelu: return scaledSigmoidLinearSlope(x, 1.702)
    case .silu: return scaledSigmoidLinearSlope(x, 1)
    case .relu: return misp_most8(x, Float8(), Float8(), Float8(repeating: 1))
    }
}

/// 2u with u = √(2/π)·(x + 0.044715·x³), since (1 + tanh u)/2 = σ(2u)
@inline(__always)
private func tanhArgument(_ x: Float8) -> Float8 { 1.59576912160573 * (x + 0.044715 * x * x * x) }

/// The slope of x·σ(kx): σ(kx)·(1 + kx·(1 − σ(kx)))
@inline(__always)
private func scaledSigmoidLinearSlope(_ x: Float8, _ k: Float) -> Float8 {
    let s = Float8.sigmoid(k * x)
    return s * (1 + k * x * (1 - s))
}
