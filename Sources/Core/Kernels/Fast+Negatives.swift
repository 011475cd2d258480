import CVector

extension Float {
    public static func sigmoid(_ x: Matrix<Float>, bias: Pointer) {
        for t in 0..<x.rows {
            let row = x.row(t)
            @inline(__always)
            func body(_ i: Int, _ n: Int) {
                Float8.sigmoid(Float8(row + i, n) + Float8(bias + i, n)).store(row + i, n)
            }
            forEachEight(x.columns, body)
        }
    }

    public static func difference(_ x: Pointer, _ y: Pointer, scale: Float, into z: Pointer, count: Int) {
        forEachEight(count) { i, n in
            (scale * (Float8(x + i, n) - Float8(y + i, n))).store(z + i, n)
        }
    }

    /// Lane by lane: the order depends on `count` alone.
    public static func sum(_ x: Pointer, count: Int) -> Double {
        var sums = SIMD8<Double>()
        forEachEight(count) { i, n in sums += misp_double8(Float8(x + i, n)) }
        return sums.total
    }
}
