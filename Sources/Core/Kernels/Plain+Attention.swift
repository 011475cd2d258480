extension Arithmetic {
    /// Rotary positions, in place: in each head the pair (x_i, x_{i+D/2}) turns by the row's angle i; `inverse` turns
    /// back, which is the backward pass. `x` is T × (H·D), `cosines` and `sines` are T × D/2.
    public static func rotate(
        _ x: Matrix<Element>, heads: Int, cosines: Matrix<Element>, sines: Matrix<Element>, inverse: Bool
    ) {
        let half = cosines.columns
        for t in 0..<x.rows {
            for h in 0..<heads {
                let head = x.row(t) + h * 2 * half
                for i in 0..<half {
                    let (a, b) = (head[i], head[i + half])
                    let (cosine, sine) = (cosines[t, i], inverse ? -sines[t, i] : sines[t, i])
                    head[i] = a * cosine - b * sine
                    head[i + half] = b * cosine + a * sine
                }
            }
        }
    }

    /// Row i sees its first `visible + i` keys (capped at the width), of these the last `window` alone where there is
    /// one: p = exp(scale·s − lse), 0 elsewhere, in place.
    public static func softmax(
        _ scores: Matrix<Element>, scale: Element, visible: Int, window: Int? = nil, logSumExp: Pointer
    ) {
        for i in 0..<scores.rows {
            let row = scores.row(i)
            let seen = AttentionWindow.columns(row: i, of: scores.columns, visible: visible, window: window)
            var largest = -Element.infinity
            for j in seen { largest = max(largest, scale * row[j]) }
            var sum: Element = 0
            for j in seen { sum += Element.exponential(scale * row[j] - largest) }
            logSumExp[i] = largest + Element.naturalLogarithm(sum)
            for j in seen { row[j] = Element.exponential(scale * row[j] - largest) / sum }
            for j in 0..<scores.columns where !seen.contains(j) { row[j] = 0 }
        }
    }

    /// The same probabilities again from the stored log-sum-exp: p = exp(scale·s − lse).
    public static func softmaxAgain(
        _ scores: Matrix<Element>, scale: Element, visible: Int, window: Int? = nil, logSumExp: Pointer
    ) {
        for i in 0..<scores.rows {
            let row = scores.row(i)
            let seen = AttentionWindow.columns(row: i, of: scores.columns, visible: visible, window: window)
            for j in seen { row[j] = Element.exponential(scale * row[j] - logSumExp[i]) }
            for j in 0..<scores.columns where !seen.contains(j) { row[j] = 0 }
        }
    }

    /// dots[t] = Σ_c x[t, c]·y[t, c]
    public static func rowDots(_ x: Matrix<Element>, _ y: Matrix<Element>, into dots: Pointer) {
        for t in 0..<x.rows {
            var sum: Element = 0
            for c in 0..<x.columns { sum += x[t, c] * y[t, c] }
            dots[t] = sum
        }
    }

    /// dS = scale·p·(dP − δ), in place of dP; δ_i = Σ_j p_ij·dP_ij is given (it equals dO_i · O_i).
    public static func softmaxBackward(
        _ probabilities: Matrix<Element>, dP: Matrix<Element>, delta: Pointer, scale: Element
    ) {
        for i in 0..<dP.rows {
            for j in 0..<dP.columns { dP[i, j] = scale * probabilities[i, j] * (dP[i, j] - delta[i]) }
        }
    }
}
