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

    /// Φ(x), the normal distribution, to 1e-7: Φ(−t) = e^(−q(t)) for t from 0 to 6, q a polynomial that is fitted for
    /// the least error of Φ; Φ(−t) below 1e-9 is 0. `misp_gelu` computes the same, bit for bit.
    @inline(__always)
    static func normalDistribution(_ x: Float8) -> Float8 {
        let size = misp_abs8(x)
        let t = misp_min8(Float8(repeating: 6), size)
        var q = fma(t, -9.431864356201913e-08, Float8(repeating: 2.4097575987980235e-06))
        q = fma(q, t, -2.4176248189178295e-05)
        q = fma(q, t, 0.0001009242914733477)
        q = fma(q, t, 0.0001771616516634822)
        q = fma(q, t, -0.005010766442865133)
        q = fma(q, t, 0.03646712377667427)
        q = fma(q, t, 0.3182735741138458)
        q = fma(q, t, 0.7978882193565369)
        q = fma(q, t, 0.6931471228599548)
        let tail = misp_less8(Float8(repeating: 6), size, Float8(), exponential(Float8() - q))
        return misp_less8(x, Float8(), tail, 1 - tail)
    }
}
