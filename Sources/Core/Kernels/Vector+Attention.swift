extension VectorArithmetic {
    /// As the plain loop, but each exponential is computed once and multiplied by 1/sum.
    public static func softmax(
        _ scores: Matrix<Float>, scale: Float, visible: Int, window: Int?, logSumExp: Pointer
    ) {
        forEachRow(scores) { i in
            let seen = AttentionWindow.columns(row: i, of: scores.columns, visible: visible, window: window)
            let row = scores.row(i) + seen.lowerBound
            let highest = largest(of: row, times: scale, count: seen.count)
            var sum = Sum8()
            @inline(__always) func body(_ j: Int, _ n: Int) {
                let e = Float8.exponential(scale * Float8(row + j, n) - highest)
                e.store(row + j, n)
                sum.add(e, n)
            }
            forEachEight(seen.count, body)
            logSumExp[i] = highest + Float.naturalLogarithm(sum.total)
            let share = 1 / sum.total
            forEachEight(seen.count) { j, n in (Float8(row + j, n) * share).store(row + j, n) }
            clear(scores, row: i, but: seen)
        }
    }

    /// p = exp(scale·s − lse) where a row sees, 0 elsewhere, in place.
    public static func softmaxAgain(
        _ scores: Matrix<Float>, scale: Float, visible: Int, window: Int?, logSumExp: Pointer
    ) {
        forEachRow(scores) { i in
            let seen = AttentionWindow.columns(row: i, of: scores.columns, visible: visible, window: window)
            let row = scores.row(i) + seen.lowerBound
            let total = logSumExp[i]
            @inline(__always) func body(_ j: Int, _ n: Int) {
                Float8.exponential(scale * Float8(row + j, n) - total).store(row + j, n)
            }
            forEachEight(seen.count, body)
            clear(scores, row: i, but: seen)
        }
    }

    private static func clear(_ scores: Matrix<Float>, row: Int, but seen: Range<Int>) {
        let start = scores.row(row)
        start.update(repeating: 0, count: seen.lowerBound)
        (start + seen.upperBound).update(repeating: 0, count: scores.columns - seen.upperBound)
    }

    /// dots[t] ← Σ_c x[t, c]·y[t, c], in an order that depends on the length of the rows alone.
    public static func rowDots(_ x: Matrix<Float>, _ y: Matrix<Float>, into dots: Pointer) {
        forEachRow(x) { t in
            let (a, b) = (x.row(t), y.row(t))
            var sum = Sum8()
            forEachEight(x.columns) { i, n in sum.add(Float8(a + i, n) * Float8(b + i, n), n) }
            dots[t] = sum.total
        }
    }

    /// dP ← scale·p·(dP − δ)
    public static func softmaxBackward(
        _ probabilities: Matrix<Float>, dP: Matrix<Float>, delta: Pointer, scale: Float
    ) {
        forEachRow(dP) { i in
            let (p, d) = (probabilities.row(i), dP.row(i))
            let mean = delta[i]
            forEachEight(dP.columns) { j, n in
                (scale * Float8(p + j, n) * (Float8(d + j, n) - mean)).store(d + j, n)
            }
        }
    }

    /// The plain loop's operations in its order: the same bits.
    public static func rotate(
        _ x: Matrix<Float>, heads: Int, cosines: Matrix<Float>, sines: Matrix<Float>, inverse: Bool
    ) {
        let half = cosines.columns
        let sign: Float = inverse ? -1 : 1
        forEachRow(x) { t in
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
