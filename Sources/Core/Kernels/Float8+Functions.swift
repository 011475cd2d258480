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

    /// Φ(x), the normal distribution, to 1e-7: Φ(−t) = 2^y(t) for t from 0 to 6, y a polynomial that is fitted for
    /// the least error of Φ; Φ(−t) below 1e-9 is 0. `misp_gelu` computes the same, bit for bit.
    ///
    /// 2ʸ = 2ⁿ·2ᶠ with n = round(y), |f| ≤ 1/2; 2ᶠ by a minimax polynomial, relative error 7.5e-8.
    @inline(__always)
    static func normalDistribution(_ x: Float8) -> Float8 {
        let size = misp_abs8(x)
        let t = misp_min8(Float8(repeating: 6), size)
        var y = fma(t, 1.524355468518479e-07, Float8(repeating: -3.8317780308716465e-06))
        y = fma(y, t, 3.795296652242541e-05)
        y = fma(y, t, -0.00015917840937618166)
        y = fma(y, t, -0.000222873073653318)
        y = fma(y, t, 0.007185911759734154)
        y = fma(y, t, -0.05258132889866829)
        y = fma(y, t, -0.45918115973472595)
        y = fma(y, t, -1.1511083841323853)
        y = fma(y, t, -0.9999999403953552)
        // Adding 1.5·2²³ rounds to an integer and leaves its two's complement in the low bits.
        let shifted = y + 12_582_912
        let f = y - (shifted - 12_582_912)
        var p = fma(f, 0.001327647129073739, Float8(repeating: 0.009675540961325169))
        p = fma(p, f, 0.05550713092088699)
        p = fma(p, f, 0.24022120237350464)
        p = fma(p, f, 0.6931469440460205)
        p = fma(p, f, 1.0000001192092896)
        let exponent = unsafeBitCast(shifted, to: SIMD8<UInt32>.self) &<< 23
        let power = unsafeBitCast(unsafeBitCast(p, to: SIMD8<UInt32>.self) &+ exponent, to: Float8.self)
        let tail = misp_less8(Float8(repeating: 6), size, Float8(), power)
        return misp_less8(x, Float8(), tail, 1 - tail)
    }
}
