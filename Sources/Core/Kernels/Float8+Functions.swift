import CVector

extension SIMD8<Float> {
    /// eˣ to one unit in the last place; results below the normal range are 0, e^−∞ = 0, e^NaN = NaN.
    ///
    /// eˣ = 2ⁿ·eʳ with n = round(x/ln 2), |r| ≤ ln 2 / 2; ln 2 in two parts, the first of which n multiplies
    /// exactly.
    @inline(__always)
    static func exponential(_ x: Float8) -> Float8 {
        // Adding 1.5·2²³ rounds to an integer and leaves its two's complement in the low bits.
        let magic: Float = 12_582_912
        let shifted = fma(x, 1.44269504, Float8(repeating: magic))
        let n = shifted - magic
        var r = fma(n, -0.693359375, x)
        r = fma(n, 2.12194440e-4, r)
        // Minimax of (eʳ − 1 − r)/r², relative error of eʳ 3.3e-9.
        var q = fma(r, 0.001381313311867416, Float8(repeating: 0.008369424380362034))
        q = fma(q, r, 0.04166845604777336)
        q = fma(q, r, 0.16666515171527863)
        q = fma(q, r, 0.4999999403953552)
        let p = fma(q, r * r, r) + 1
        let exponent = unsafeBitCast(shifted, to: SIMD8<UInt32>.self) &<< 23
        let power = unsafeBitCast(unsafeBitCast(p, to: SIMD8<UInt32>.self) &+ exponent, to: Float8.self)
        let bounded = misp_most8(x, Float8(repeating: 88.72283), power, x + Float.infinity)
        return misp_less8(x, Float8(repeating: -87.33654), Float8(), bounded)
    }

    /// 1/(1 + e⁻ˣ)
    @inline(__always)
    static func sigmoid(_ x: Float8) -> Float8 { 1 / (1 + exponential(-x)) }

    /// erf x to 8e-8: x + x·P(x²) up to 1, ±(1 − e^(−Q(|x|))) beyond.
    @inline(__always)
    static func errorFunction(_ x: Float8) -> Float8 {
        let s = x * x
        var p = fma(s, 7.853714487282559e-05, Float8(repeating: -0.0008010152378119528))
        p = fma(p, s, 0.005188323557376862)
        p = fma(p, s, -0.026853809133172035)
        p = fma(p, s, 0.1128358542919159)
        p = fma(p, s, -0.3761262595653534)
        p = fma(p, s, 0.12837916612625122)
        let near = fma(p, x, x)
        // From 4 on 1 − erf is below half a unit in the last place of 1.
        let t = misp_min8(Float8(repeating: 4), misp_abs8(x))
        var q = fma(t, -0.0001855785958468914, Float8(repeating: 0.0029396540485322475))
        q = fma(q, t, -0.02180551365017891)
        q = fma(q, t, 0.10303779691457748)
        q = fma(q, t, 0.6382251381874084)
        q = fma(q, t, 1.1270403861999512)
        q = fma(q, t, 0.00035363700590096414)
        let far = 1 - exponential(-q)
        let signed = misp_less8(x, Float8(), -far, far)
        return misp_less8(t, Float8(repeating: 1), near, signed)
    }
}
