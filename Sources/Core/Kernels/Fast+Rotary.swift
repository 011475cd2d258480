extension Float {
    /// The reference's operations in its order: the same bits.
    public static func rotate(
        _ x: Matrix<Float>, heads: Int, cosines: Matrix<Float>, sines: Matrix<Float>, inverse: Bool
    ) {
        let half = cosines.columns
        let sign: Float = inverse ? -1 : 1
        for t in 0..<x.rows {
            let (cosine, sine) = (cosines.row(t), sines.row(t))
            for h in 0..<heads {
                let first = x.row(t) + h * 2 * half
                let second = first + half
                forEachEight(half) { i, n in
                    let (a, b) = (Float8(first + i, n), Float8(second + i, n))
                    let (c, s) = (Float8(cosine + i, n), sign * Float8(sine + i, n))
                    (a * c - b * s).store(first + i, n)
                    (b * c + a * s).store(second + i, n)
                }
            }
        }
    }
}
