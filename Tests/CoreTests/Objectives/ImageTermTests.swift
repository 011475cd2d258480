import Core
import Foundation
import Testing

/// What the image term log(1 + Σ exp a) must keep, whatever the numbers (docs/method.md).
@Suite struct ImageTermTests {
    /// Advantages of every size, seeded.
    static let examples: [[Double]] = {
        var random = KeyedRandom(11, "advantages")
        return (0..<60).map { index in
            (0..<1 + index % 7).map { _ in pow(10, Double(index % 5) - 1) * random.normal() }
        }
    }()

    private func loss(_ advantages: [Double]) -> Double { PlackettLuce.loss(advantages).loss }

    private func misp(_ h: GroupValues, textWeight: Double = 0, beta: Double = 1) -> GroupLoss {
        let reference = GroupValues(
            chosen: -3, rejected: h.rejected.map { _ in -4 }, negatives: h.negatives.map { _ in -5 })
        let policy = GroupValues(
            chosen: h.chosen - 3, rejected: h.rejected.map { $0 - 4 }, negatives: h.negatives.map { $0 - 5 })
        return MISP(beta: beta, textWeight: textWeight)(
            ScoredGroup(
                policy: policy, reference: reference,
                draw: NegativeDraw(indices: Array(h.negatives.indices), logWeights: h.negatives.map { _ in 0 }),
                chosenTokens: 1))
    }

    private func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }

    @Test func oneNegativeIsPairwise() {
        for a in [-30, -2.5, 0, 0.7, 12, 1e4] as [Double] {
            let result = misp(GroupValues(chosen: 1, negatives: [1 + a]))
            #expect(abs(result.loss - (max(a, 0) + log1p(exp(-abs(a))))) < 1e-12 * max(1, a))
            #expect(abs(result.coefficients.negatives[0] - sigmoid(a)) < 1e-14)
            #expect(abs(result.coefficients.chosen + sigmoid(a)) < 1e-14)
            #expect(PlackettLuce.pairwise(-a).loss == PlackettLuce.loss([a]).loss)
        }
    }

    @Test(arguments: 1...8) func policyEqualToReference(n: Int) {
        let result = misp(
            GroupValues(chosen: 0, rejected: 0, negatives: [Double](repeating: 0, count: n)), textWeight: 1, beta: 0.5)
        let image = log(Double(n + 1))
        #expect(abs((result.image ?? .nan) - image) < 1e-14)
        #expect(abs(result.loss - image - log(2)) < 1e-14)
        if n == 3 {
            #expect(abs((result.image ?? .nan) - 1.3862944) < 1e-7)
            #expect(abs(result.loss - 2.0794415) < 1e-7)
        }
        for c in result.coefficients.negatives { #expect(abs(c - 0.5 / Double(n + 1)) < 1e-15) }
        #expect(abs((result.coefficients.rejected ?? .nan) - 0.25) < 1e-15)
    }

    @Test func coefficientsSumToZero() {
        for a in Self.examples {
            let (loss, weights) = PlackettLuce.loss(a)
            let sum = weights.reduce(0, +)
            #expect(weights.allSatisfy { $0 >= 0 })
            // σ(log Σ exp a) = 1 − exp(−loss)
            #expect(abs(sum - -expm1(-loss)) < 1e-13)
            #expect(sum < 1 + 1e-13)
            let c = misp(GroupValues(chosen: 0, negatives: a)).coefficients
            #expect(abs(c.chosen + c.negatives.reduce(0, +)) < 1e-14)
        }
    }

    @Test func orderAndCommonConstantsChangeNothing() {
        for a in Self.examples {
            let (forward, backward) = (PlackettLuce.loss(a), PlackettLuce.loss(a.reversed()))
            #expect(abs(forward.loss - backward.loss) < 1e-14 * max(1, forward.loss))
            for (x, y) in zip(forward.weights, backward.weights.reversed()) { #expect(abs(x - y) < 1e-14) }
            let moved = misp(GroupValues(chosen: 7, negatives: a.map { $0 + 7 }))
            #expect(abs(moved.loss - forward.loss) < 1e-12 * max(1, forward.loss))
        }
    }

    @Test func duplicatesAddTheirLogarithm() {
        for a in Self.examples {
            for times in 2...4 {
                let repeated = a + [Double](repeating: a[0], count: times - 1)
                let weighted = [a[0] + log(Double(times))] + a.dropFirst()
                #expect(abs(loss(repeated) - loss(weighted)) < 1e-13 * max(1, loss(weighted)))
            }
        }
    }

    @Test func minusInfinityAddsNothing() {
        for a in Self.examples {
            let (value, weights) = PlackettLuce.loss(a + [-.infinity])
            #expect(value == loss(a))
            #expect(weights.last == 0)
        }
        #expect(PlackettLuce.loss([-.infinity]) == (0, [0]))
        #expect(PlackettLuce.loss([]) == (0, []))
    }

    @Test func boundsAndMonotony() {
        for a in Self.examples {
            let largest = max(0, a.max() ?? 0)
            let value = loss(a)
            #expect(value >= largest)
            #expect(value <= largest + log(1 + Double(a.count)) + 1e-12 * largest)
            for i in a.indices {
                var more = a
                more[i] += 0.5
                #expect(loss(more) >= value)
            }
        }
        #expect(loss([0.1]) > loss([0]))
    }

    @Test func extremesAreFiniteAndRight() {
        #expect(PlackettLuce.loss([1e4]) == (1e4, [1]))
        #expect(PlackettLuce.loss([-1e4]) == (0, [0]))
        #expect(PlackettLuce.loss([1e4, -1e4]) == (1e4, [1, 0]))
        let (value, weights) = PlackettLuce.loss([1e4, 1e4])
        #expect(abs(value - 1e4 - log(2)) < 1e-11)
        #expect(weights.allSatisfy { abs($0 - 0.5) < 1e-11 })
        #expect(abs(loss([-30]) / exp(-30) - 1) < 1e-2, "what is left of exp(−30) beside 1")
        #expect(PlackettLuce.pairwise(1e4) == (0, 0))
        #expect(PlackettLuce.pairwise(-1e4) == (1e4, 1))
    }

    /// A NaN must come out, so that the step is refused; it must not be lost in a comparison.
    @Test(arguments: [[Double.nan], [1, .nan], [.nan, 1], [1e4, .nan, -1e4], [-1, .nan, 2]])
    func notANumberComesOut(logits: [Double]) {
        let (value, weights) = PlackettLuce.loss(logits)
        #expect(value.isNaN)
        #expect(weights.allSatisfy { $0.isNaN })
    }

    /// ∂loss/∂log π by central differences, every term present.
    @Test(arguments: ObjectiveKind.allCases) func coefficientsAreDerivatives(kind: ObjectiveKind) {
        var settings = kind.defaults
        (settings.beta, settings.textWeight, settings.anchorWeight) = (0.4, 0.7, 0.3)
        let objective = kind.objective(settings)
        let policy = GroupValues(chosen: -20.3, rejected: -18.1, negatives: [-22, -19.5, -20.9])
        let reference = GroupValues(chosen: -21, rejected: -18.8, negatives: [-21, -20.2, -23])
        func evaluate(_ policy: GroupValues) -> GroupLoss {
            objective(
                ScoredGroup(
                    policy: policy, reference: reference,
                    draw: NegativeDraw(indices: [0, 1, 2], logWeights: [0.2, -0.4, 1.1]), chosenTokens: 7))
        }
        let exact = evaluate(policy).coefficients
        for sequence in [GroupSequence.chosen, .rejected, .negative(0), .negative(1), .negative(2)] {
            var (above, below) = (policy, policy)
            above[sequence] += 1e-5
            below[sequence] -= 1e-5
            let numeric = (evaluate(above).loss - evaluate(below).loss) / 2e-5
            #expect(abs(numeric - exact[sequence]) < 1e-9, "\(sequence)")
        }
    }
}
