extension Arithmetic {
    /// log p(target) of each row of logits, by a stable log-softmax; sums in Double.
    public static func tokenLogProbability(
        _ logits: Matrix<Element>, targets: [Int32], into logProbabilities: UnsafeMutablePointer<Double>,
        logSumExp: Pointer
    ) {
        for t in 0..<logits.rows {
            let row = logits.row(t)
            var largest = -Element.infinity
            for v in 0..<logits.columns { largest = max(largest, row[v]) }
            var sum = 0.0
            for v in 0..<logits.columns { sum += Double(Element.exponential(row[v] - largest)) }
            let total = Double(largest) + Double.naturalLogarithm(sum)
            logSumExp[t] = Element(total)
            logProbabilities[t] = Double(row[Int(targets[t])]) - total
        }
    }

    /// logits ← coefficient·(1[target] − softmax(logits)): the gradient of Σ_t coefficient_t·log p(target_t), in
    /// place.
    public static func tokenLogProbabilityBackward(
        _ logits: Matrix<Element>, targets: [Int32], logSumExp: Pointer, coefficients: [Double]
    ) {
        for t in 0..<logits.rows {
            let row = logits.row(t)
            let coefficient = Element(coefficients[t])
            for v in 0..<logits.columns { row[v] = -coefficient * Element.exponential(row[v] - logSumExp[t]) }
            row[Int(targets[t])] += coefficient
        }
    }

    /// KL(reference‖policy) = Σ_v p_ref·(log p_ref − log p) of each row; sums in Double.
    public static func tokenDivergence(
        _ logits: Matrix<Element>, logSumExp: Pointer, reference: Matrix<Element>, referenceLogSumExp: Pointer,
        into divergences: UnsafeMutablePointer<Double>
    ) {
        for t in 0..<logits.rows {
            let (row, other) = (logits.row(t), reference.row(t))
            var sum = 0.0
            for v in 0..<logits.columns {
                let logReference = other[v] - referenceLogSumExp[t]
                let probability = Element.exponential(logReference)
                if probability > 0 { sum += Double(probability * (logReference - (row[v] - logSumExp[t]))) }
            }
            divergences[t] = sum
        }
    }

    /// reference ← coefficient·(p − p_ref): the gradient of Σ_t coefficient_t·KL_t by the policy's logits.
    public static func tokenDivergenceBackward(
        _ logits: Matrix<Element>, logSumExp: Pointer, reference: Matrix<Element>, referenceLogSumExp: Pointer,
        coefficients: [Double]
    ) {
        for t in 0..<logits.rows {
            let (row, other) = (logits.row(t), reference.row(t))
            let coefficient = Element(coefficients[t])
            for v in 0..<logits.columns {
                let policy = Element.exponential(row[v] - logSumExp[t])
                other[v] = coefficient * (policy - Element.exponential(other[v] - referenceLogSumExp[t]))
            }
        }
    }
}
