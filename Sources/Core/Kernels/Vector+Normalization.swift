extension VectorArithmetic {
    /// y ← x·r·weight, r into `inverseRMS`, a row at a time.
    public static func rmsNorm(
        _ x: Matrix<Float>, weight: Pointer, epsilon: Double, into y: Matrix<Float>, inverseRMS: Pointer
    ) {
        forEachRow(x) { t in
            let (source, target) = (x.row(t), y.row(t))
            var squares = Sum8()
            forEachEight(x.columns) { i, n in
                let v = Float8(source + i, n)
                squares.add(v * v, n)
            }
            let r = 1 / (squares.total / Float(x.columns) + Float(epsilon)).squareRoot()
            inverseRMS[t] = r
            forEachEight(x.columns) { i, n in
                (Float8(source + i, n) * r * Float8(weight + i, n)).store(target + i, n)
            }
        }
    }

    /// dx += r·(w·dy − x·r²·mean(w·dy·x)); dw += Σ_t dy·x·r
    public static func rmsNormBackward(
        _ dy: Matrix<Float>, x: Matrix<Float>, weight: Pointer, inverseRMS: Pointer, to dx: Matrix<Float>,
        weightGradient: Pointer?
    ) {
        forEachRow(x, alone: weightGradient != nil) { t in
            let (g, v, target) = (dy.row(t), x.row(t), dx.row(t))
            let r = inverseRMS[t]
            var dot = Sum8()
            forEachEight(x.columns) { i, n in
                dot.add(Float8(g + i, n) * Float8(weight + i, n) * Float8(v + i, n), n)
            }
            let correction = dot.total * r * r * r / Float(x.columns)
            if let weightGradient {
                forEachEight(x.columns) { i, n in
                    let sum = Float8(weightGradient + i, n) + Float8(g + i, n) * Float8(v + i, n) * r
                    sum.store(weightGradient + i, n)
                }
            }
            forEachEight(x.columns) { i, n in
                let change = Float8(g + i, n) * Float8(weight + i, n) * r - Float8(v + i, n) * correction
                (Float8(target + i, n) + change).store(target + i, n)
            }
        }
    }

    /// y ← (x − μ)·r·weight + bias, μ into `mean` and r into `inverseDeviation`, a row at a time.
    public static func layerNorm(
        _ x: Matrix<Float>, weight: Pointer, bias: Pointer, epsilon: Double, into y: Matrix<Float>, mean: Pointer,
        inverseDeviation: Pointer
    ) {
        forEachRow(x) { t in
            let (source, target) = (x.row(t), y.row(t))
            var sum = Sum8()
            forEachEight(x.columns) { i, n in sum.add(Float8(source + i, n), n) }
            let mu = sum.total / Float(x.columns)
            var squares = Sum8()
            forEachEight(x.columns) { i, n in
                let v = Float8(source + i, n) - mu
                squares.add(v * v, n)
            }
            let r = 1 / (squares.total / Float(x.columns) + Float(epsilon)).squareRoot()
            mean[t] = mu
            inverseDeviation[t] = r
            forEachEight(x.columns) { i, n in
                let normalized = (Float8(source + i, n) - mu) * r
                (normalized * Float8(weight + i, n) + Float8(bias + i, n)).store(target + i, n)
            }
        }
    }

    /// With x̂ = (x − μ)·r and g = w·dy: dx += r·(g − mean g − x̂·mean(g·x̂)); dw += Σ_t dy·x̂; db +=
    /// Σ_t dy
    public static func layerNormBackward(
        _ dy: Matrix<Float>, x: Matrix<Float>, weight: Pointer, mean: Pointer, inverseDeviation: Pointer,
        to dx: Matrix<Float>, weightGradient: Pointer?, biasGradient: Pointer?
    ) {
        let columns = x.columns
        forEachRow(x, alone: weightGradient != nil || biasGradient != nil) { t in
            let (g, v, target) = (dy.row(t), x.row(t), dx.row(t))
            let (mu, r) = (mean[t], inverseDeviation[t])
            var (sum, dot) = (Sum8(), Sum8())
            forEachEight(columns) { i, n in
                let weighted = Float8(g + i, n) * Float8(weight + i, n)
                sum.add(weighted, n)
                dot.add(weighted * ((Float8(v + i, n) - mu) * r), n)
            }
            let (meanGradient, meanProduct) = (sum.total / Float(columns), dot.total / Float(columns))
            if let weightGradient {
                forEachEight(columns) { i, n in
                    let normalized = (Float8(v + i, n) - mu) * r
                    (Float8(weightGradient + i, n) + Float8(g + i, n) * normalized).store(weightGradient + i, n)
                }
            }
            if let biasGradient { add(g, to: biasGradient, count: columns) }
            forEachEight(columns) { i, n in
                let normalized = (Float8(v + i, n) - mu) * r
                let change = r * (Float8(g + i, n) * Float8(weight + i, n) - meanGradient - normalized * meanProduct)
                (Float8(target + i, n) + change).store(target + i, n)
            }
        }
    }
}
