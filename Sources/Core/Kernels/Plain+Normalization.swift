extension Arithmetic {
    /// y = x·r·w with r = 1/√(mean x² + ε), a row at a time (RMSNorm).
    public static func rmsNorm(
        _ x: Matrix<Element>, weight: Pointer, epsilon: Double, into y: Matrix<Element>, inverseRMS: Pointer
    ) {
        for t in 0..<x.rows {
            var squares: Element = 0
            for c in 0..<x.columns { squares += x[t, c] * x[t, c] }
            let r = 1 / (squares / Element(x.columns) + Element(epsilon)).squareRoot()
            inverseRMS[t] = r
            for c in 0..<x.columns { y[t, c] = x[t, c] * r * weight[c] }
        }
    }

    /// dx += r·(w·dy − x·r²·mean(w·dy·x)); dw += Σ_t dy·x·r
    public static func rmsNormBackward(
        _ dy: Matrix<Element>, x: Matrix<Element>, weight: Pointer, inverseRMS: Pointer, to dx: Matrix<Element>,
        weightGradient: Pointer?
    ) {
        for t in 0..<x.rows {
            let r = inverseRMS[t]
            var dot: Element = 0
            for c in 0..<x.columns { dot += dy[t, c] * weight[c] * x[t, c] }
            let correction = dot * r * r * r / Element(x.columns)
            for c in 0..<x.columns { dx[t, c] += dy[t, c] * weight[c] * r - x[t, c] * correction }
            if let weightGradient {
                for c in 0..<x.columns { weightGradient[c] += dy[t, c] * x[t, c] * r }
            }
        }
    }

    /// y = (x − μ)·r·w + b with r = 1/√(var x + ε), a row at a time (LayerNorm, biased variance).
    public static func layerNorm(
        _ x: Matrix<Element>, weight: Pointer, bias: Pointer, epsilon: Double, into y: Matrix<Element>, mean: Pointer,
        inverseDeviation: Pointer
    ) {
        for t in 0..<x.rows {
            var sum: Element = 0
            for c in 0..<x.columns { sum += x[t, c] }
            let mu = sum / Element(x.columns)
            var squares: Element = 0
            for c in 0..<x.columns { squares += (x[t, c] - mu) * (x[t, c] - mu) }
            let r = 1 / (squares / Element(x.columns) + Element(epsilon)).squareRoot()
            mean[t] = mu
            inverseDeviation[t] = r
            for c in 0..<x.columns { y[t, c] = (x[t, c] - mu) * r * weight[c] + bias[c] }
        }
    }

    /// With x̂ = (x − μ)·r and g = w·dy: dx += r·(g − mean g − x̂·mean(g·x̂)); dw += Σ_t dy·x̂; db +=
    /// Σ_t dy
    public static func layerNormBackward(
        _ dy: Matrix<Element>, x: Matrix<Element>, weight: Pointer, mean: Pointer, inverseDeviation: Pointer,
        to dx: Matrix<Element>, weightGradient: Pointer?, biasGradient: Pointer?
    ) {
        let width = Element(x.columns)
        for t in 0..<x.rows {
            let (mu, r) = (mean[t], inverseDeviation[t])
            var sum: Element = 0
            var dot: Element = 0
            for c in 0..<x.columns {
                let g = dy[t, c] * weight[c]
                sum += g
                dot += g * (x[t, c] - mu) * r
            }
            for c in 0..<x.columns {
                let normalized = (x[t, c] - mu) * r
                dx[t, c] += r * (dy[t, c] * weight[c] - sum / width - normalized * dot / width)
                weightGradient?[c] += dy[t, c] * normalized
                biasGradient?[c] += dy[t, c]
            }
        }
    }
}
