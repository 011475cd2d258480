import CVector

/// The same operations in the same order as the reference, eight at a time: the same bits.
extension Float {
    public static func add(_ x: Pointer, to y: Pointer, count: Int) {
        forEachEight(count) { i, n in
            (Float8(y + i, n) + Float8(x + i, n)).store(y + i, n)
        }
    }

    public static func addScaled(_ scale: Float, _ x: Pointer, to y: Pointer, count: Int) {
        forEachEight(count) { i, n in
            (Float8(y + i, n) + scale * Float8(x + i, n)).store(y + i, n)
        }
    }

    public static func scale(_ x: Pointer, by factor: Float, count: Int) {
        forEachEight(count) { i, n in
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

    public static func addBias(_ bias: Pointer, to x: Matrix<Float>) {
        for t in 0..<x.rows { add(bias, to: x.row(t), count: x.columns) }
    }

    public static func addColumnSums(of x: Matrix<Float>, to sums: Pointer) {
        for t in 0..<x.rows { add(x.row(t), to: sums, count: x.columns) }
    }

    public static func scaleColumns(_ x: Matrix<Float>, by factors: Pointer, into y: Matrix<Float>) {
        for t in 0..<x.rows {
            let (source, target) = (x.row(t), y.row(t))
            forEachEight(x.columns) { i, n in
                (Float8(source + i, n) * Float8(factors + i, n)).store(target + i, n)
            }
        }
    }

    public static func addColumnSums(ofProduct x: Matrix<Float>, _ y: Matrix<Float>, to sums: Pointer) {
        for t in 0..<x.rows {
            let (a, b) = (x.row(t), y.row(t))
            forEachEight(x.columns) { i, n in
                (Float8(sums + i, n) + Float8(a + i, n) * Float8(b + i, n)).store(sums + i, n)
            }
        }
    }
}
