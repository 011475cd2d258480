extension Reference {
    /// y = x·r·w with r = 1/√(mean x² + ε), a row at a time (RMSNorm).
    package static func rmsNorm<S: Scalar>(
        _ x: Matrix<S>, weight: S.Pointer, epsilon: Double, into y: Matrix<S>, inverseRMS: S.Pointer
    ) {
        for t in 0..<x.rows {
            var squares: S = 0
            for c in 0..<x.columns { squares += x[t, c] * x[t, c] }
            let r = 1 / (squares / S(x.columns) + S(epsilon)).squareRoot()
            inverseRMS[t] = r
            for c in 0..<x.columns { y[t, c] = x[t, c] * r * weight[c] }
        }
    }

    /// dx += r·(w·dy − x·r²·mean(w·dy·x)); dw += Σ_t dy·x·r
    package static func rmsNormBackward<S: Scalar>(
        _ dy: Matrix<S>, x: Matrix<S>, weight: S.Pointer, inverseRMS: S.Pointer, to dx: Matrix<S>,
        weightGradient: S.Pointer?
    ) {
        for t in 0..<x.rows {
            let r = inverseRMS[t]
            var dot: S = 0
            for c in 0..<x.columns { dot += dy[t, c] * weight[c] * x[t, c] }
            let correction = dot * r * r * r / S(x.columns)
            for c in 0..<x.columns { dx[t, c] += dy[t, c] * weight[c] * r - x[t, c] * correction }
            if let weightGradient {
                for c in 0..<x.columns { weightGradient[c] += dy[t, c] * x[t, c] * r }
            }
        }
    }

    /// y = (x − μ)·r·w + b with r = 1/√(var x + ε), a row at a time (LayerNorm, biased variance).
    package static func layerNorm<S: Scalar>(
        _ x: Matrix<S>, weight: S.Pointer, bias: S.Pointer, epsilon: Double, into y: Matrix<S>, mean: S.Pointer,
        inverseDeviation: S.Pointer
    ) {
        for t in 0..<x.rows {
            var sum: S = 0
            for c in 0..<x.columns { sum += x[t, c] }
            let mu = sum / S(x.columns)
            var squares: S = 0
            for c in 0..<x.columns { squares += (x[t, c] - mu) * (x[t, c] - mu) }
            let r = 1 / (squares / S(x.columns) + S(epsilon)).squareRoot()
            mean[t] = mu
            inverseDeviation[t] = r
            for c in 0..<x.columns { y[t, c] = (x[t, c] - mu) * r * weight[c] + bias[c] }
        }
    }

    /// With x̂ = (x − μ)·r and g = w·dy: dx += r·(g − mean g − x̂·mean(g·x̂)); dw += Σ_t dy·x̂; db += Σ_t dy
    package static func layerNormBackward<S: Scalar>(
        _ dy: Matrix<S>, x: Matrix<S>, weight: S.Pointer, mean: S.Pointer, inverseDeviation: S.Pointer,
        to dx: Matrix<S>, weightGradient: S.Pointer?, biasGradient: S.Pointer?
    ) {
        let width = S(x.columns)
        for t in 0..<x.rows {
            let (mu, r) = (mean[t], inverseDeviation[t])
            var sum: S = 0
            var dot: S = 0
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
