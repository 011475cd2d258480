import CVector

extension VectorArithmetic {
    /// Sums of 512 exponentials in Float, those in Double: the log-sum-exp is right to 2e-7.
    public static func tokenLogProbability(
        _ logits: Matrix<Float>, targets: [Int32], into logProbabilities: UnsafeMutablePointer<Double>,
        logSumExp: Pointer
    ) {
        forEachRow(logits) { t in
            let row = logits.row(t)
            let highest = largest(of: row, times: 1, count: logits.columns)
            var sum = 0.0
            for start in stride(from: 0, to: logits.columns, by: 512) {
                let piece = row + start
                var part = Sum8()
                @inline(__always) func body(_ i: Int, _ n: Int) {
                    part.add(Float8.exponential(Float8(piece + i, n) - highest), n)
                }
                forEachEight(min(512, logits.columns - start), body)
                sum += Double(part.total)
            }
            let total = Double(highest) + Double.naturalLogarithm(sum)
            logSumExp[t] = Float(total)
            logProbabilities[t] = Double(row[Int(targets[t])]) - total
        }
    }

    /// logits ← coefficient·(1[target] − softmax(logits)), in place.
    public static func tokenLogProbabilityBackward(
        _ logits: Matrix<Float>, targets: [Int32], logSumExp: Pointer, coefficients: [Double]
    ) {
        forEachRow(logits) { t in
            let row = logits.row(t)
            let total = logSumExp[t]
            let coefficient = Float(coefficients[t])
            @inline(__always) func body(_ v: Int, _ n: Int) {
                (-coefficient * Float8.exponential(Float8(row + v, n) - total)).store(row + v, n)
            }
            forEachEight(logits.columns, body)
            row[Int(targets[t])] += coefficient
        }
    }

    /// Sums of 512 terms in Float, those in Double. A token to which the reference gives probability 0 adds nothing.
    public static func tokenDivergence(
        _ logits: Matrix<Float>, logSumExp: Pointer, reference: Matrix<Float>, referenceLogSumExp: Pointer,
        into divergences: UnsafeMutablePointer<Double>
    ) {
        forEachRow(logits) { t in
            let (row, other) = (logits.row(t), reference.row(t))
            let (total, referenceTotal) = (logSumExp[t], referenceLogSumExp[t])
            var sum = 0.0
            for start in stride(from: 0, to: logits.columns, by: 512) {
                let (piece, otherPiece) = (row + start, other + start)
                var part = Sum8()
                @inline(__always) func body(_ i: Int, _ n: Int) {
                    let logReference = Float8(otherPiece + i, n) - referenceTotal
                    let difference = logReference - (Float8(piece + i, n) - total)
                    let probability = Float8.exponential(logReference)
                    // 0·∞ is 0 here: what the reference never says adds nothing.
                    part.add(misp_less8(Float8(), probability, probability * difference, Float8()), n)
                }
                forEachEight(min(512, logits.columns - start), body)
                sum += Double(part.total)
            }
            divergences[t] = sum
        }
    }

    /// reference ← coefficient·(p − p_ref), in place of the reference's logits.
    public static func tokenDivergenceBackward(
        _ logits: Matrix<Float>, logSumExp: Pointer, reference: Matrix<Float>, referenceLogSumExp: Pointer,
        coefficients: [Double]
    ) {
        forEachRow(logits) { t in
            let (row, other) = (logits.row(t), reference.row(t))
            let (total, referenceTotal) = (logSumExp[t], referenceLogSumExp[t])
            let coefficient = Float(coefficients[t])
            @inline(__always) func body(_ v: Int, _ n: Int) {
                let policy = Float8.exponential(Float8(row + v, n) - total)
                let probability = Float8.exponential(Float8(other + v, n) - referenceTotal)
                (coefficient * (policy - probability)).store(other + v, n)
            }
            forEachEight(logits.columns, body)
        }
    }
}
