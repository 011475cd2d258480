import Core
import TestSupport
import Testing

@Suite struct DivergenceKernelTests {
    var numbers = SeededNumbers(state: 8)

    /// Σ_t KL(π_ref‖π_θ) and its derivative, against autograd in float64 (Tests/Goldens/objectives.py).
    @Test func goldens() throws {
        let cases = try JSONField(contentsOf: golden("objectives.json"))["token_kl"].array()
        #expect(cases.count == 2)
        for one in cases {
            func matrix(_ key: String) throws -> Matrix<Double> {
                let rows = try one[key].array().map { try $0.array().map { try $0.double() } }
                let result = Matrix<Double>(uninitialized: rows.count, rows[0].count)
                for (r, row) in rows.enumerated() { for (c, value) in row.enumerated() { result[r, c] = value } }
                return result
            }
            let (policy, reference, expected) = (
                try matrix("policy_logits"), try matrix("reference_logits"), try matrix("gradient")
            )
            let (totals, referenceTotals) = (sums(policy), sums(reference))
            var result = [Double](repeating: 0, count: policy.rows)
            DoublePrecision.tokenDivergence(
                policy, logSumExp: totals.base, reference: reference, referenceLogSumExp: referenceTotals.base,
                into: &result)
            #expect(abs(result.reduce(0, +) - (try one["kl"].double())) < 1e-11)
            DoublePrecision.tokenDivergenceBackward(
                policy, logSumExp: totals.base, reference: reference, referenceLogSumExp: referenceTotals.base,
                coefficients: result.map { _ in 1 })
            #expect(zip(reference.elements, expected.elements).allSatisfy { abs($0 - $1) < 1e-11 })
        }
    }

    @Test mutating func vectorEqualsPlain() throws {
        for (rows, columns) in shapes + [(3, 511), (3, 513), (2, 49152)] {
            let (policy, reference) = (numbers.matrix(rows, columns, size: 6), numbers.matrix(rows, columns, size: 6))
            let (exactPolicy, exactReference) = (doubled(policy), doubled(reference))
            let (totals, referenceTotals) = (sums(policy), sums(reference))
            let (exactTotals, exactReferenceTotals) = (sums(exactPolicy), sums(exactReference))
            var (fast, exact) = ([Double](repeating: 0, count: rows), [Double](repeating: 0, count: rows))
            Vector.tokenDivergence(
                policy, logSumExp: totals.base, reference: reference, referenceLogSumExp: referenceTotals.base,
                into: &fast)
            Plain.tokenDivergence(
                exactPolicy, logSumExp: exactTotals.base, reference: exactReference,
                referenceLogSumExp: exactReferenceTotals.base, into: &exact)
            try #require(zip(fast, exact).allSatisfy { abs($0 - $1) < 2e-5 * max(1, $1) }, "\(rows) × \(columns)")
            let coefficients = (0..<rows).map { _ in Double(numbers.next()) }
            Vector.tokenDivergenceBackward(
                policy, logSumExp: totals.base, reference: reference, referenceLogSumExp: referenceTotals.base,
                coefficients: coefficients)
            Plain.tokenDivergenceBackward(
                exactPolicy, logSumExp: exactTotals.base, reference: exactReference,
                referenceLogSumExp: exactReferenceTotals.base, coefficients: coefficients)
            try #require(difference(reference, exactReference) < 2e-6, "\(rows) × \(columns)")
        }
    }

    /// What the reference never says adds nothing, however impossible the policy finds it.
    @Test func impossibleTokens() {
        let (policy, reference) = (Matrix<Float>(zeros: 1, 9), Matrix<Float>(zeros: 1, 9))
        (policy.base[3], reference.base[3]) = (-.infinity, -.infinity)
        let (totals, referenceTotals) = (sums(policy), sums(reference))
        var result = [1.0]
        Vector.tokenDivergence(
            policy, logSumExp: totals.base, reference: reference, referenceLogSumExp: referenceTotals.base,
            into: &result)
        #expect(abs(result[0]) < 1e-6)
        Plain.tokenDivergence(
            policy, logSumExp: totals.base, reference: reference, referenceLogSumExp: referenceTotals.base,
            into: &result)
        #expect(abs(result[0]) < 1e-6)
    }

    private func sums<Element: Scalar>(_ logits: Matrix<Element>) -> Matrix<Element> {
        let totals = Matrix<Element>(zeros: 1, logits.rows)
        var ignored = [Double](repeating: 0, count: logits.rows)
        Plain.tokenLogProbability(
            logits, targets: ignored.map { _ in 0 }, into: &ignored, logSumExp: totals.base)
        return totals
    }
}
