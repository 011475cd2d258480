import Core
import Foundation
import Testing

/// Errors of drawn gradients against enumerations and formulas, with gradients written out as vectors.
@Suite struct EstimatorStudyTests {
    private static let beta = 0.7
    private static let h = GroupValues(chosen: 0.3, negatives: [1.1, -0.8, 0.2, -1.9])
    private static let reference = GroupValues(chosen: -4, negatives: [-5, -3, -6, -2])
    /// The gradients of the five log-probabilities.
    private static let gradients: [[Double]] = (0..<5).map { s in
        var random = KeyedRandom(3, "gradient", "\(s)")
        return (0..<6).map { _ in random.normal() }
    }
    private static var advantages: [Double] { h.negatives.map { beta * ($0 - h.chosen) } }

    private static func study(scores: [Double?]) -> EstimatorStudy {
        let policy = GroupValues(
            chosen: h.chosen + reference.chosen, negatives: zip(h.negatives, reference.negatives).map { $0 + $1 })
        let products = (0..<25).map { index in
            zip(gradients[index / 5], gradients[index % 5]).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return EstimatorStudy(
            group: "g", scores: scores, policy: policy, reference: reference, beta: beta, gram: Matrix(5, 5, products))
    }

    private static func vector(_ coefficients: [Double]) -> [Double] {
        (0..<6).map { c in zip(coefficients, gradients).reduce(0) { $0 + $1.0 * $1.1[c] } }
    }

    private static func squared(_ v: [Double]) -> Double { v.reduce(0) { $0 + $1 * $1 } }

    /// β w_i on the negatives, the rest on the chosen response.
    private static func exact() -> [Double] {
        let masses = advantages.map { exp($0) }
        let weights = masses.map { beta * $0 / (1 + masses.reduce(0, +)) }
        return vector([-weights.reduce(0, +)] + weights)
    }

    @Test(arguments: [NegativeSampler.Mode.uniform, .importance, .subset])
    func theWholePoolHasNoError(_ mode: NegativeSampler.Mode) {
        let errors = Self.study(scores: [0.5, 0.1, 2, 1]).errors(NegativeSampler(mode, count: 4), seed: 0, draws: 20)
        #expect(errors.squaredBias < 1e-20 && errors.variance < 1e-20 && abs(errors.lossBias) < 1e-12)
        #expect(abs(errors.squaredNorm - Self.squared(Self.exact())) < 1e-12)
        #expect(errors.forwards == 4 && errors.backwards == 4)
    }

    /// Each draw of `replacement` from q = p has the exact loss, though not the exact gradient.
    @Test(arguments: [1, 2, 5]) func aPerfectProposalHasTheExactLoss(_ count: Int) {
        let sampler = NegativeSampler(.replacement, count: count, temperature: 1, uniformMix: 0)
        let errors = Self.study(scores: Self.advantages).errors(sampler, seed: 1, draws: 200)
        #expect(abs(errors.lossBias) < 1e-12)
        #expect(errors.variance > 0.01)
        #expect(abs(errors.effectiveSamples - Double(count)) < 1e-9)
    }

    /// g = W (1/K) Σ_k Δ_k with Δ drawn from p: Var g = W²/K (Σ p ‖Δ‖² − ‖Σ p Δ‖²).
    @Test(arguments: [1, 3]) func twoPassHasItsFormulasVarianceAndNoBias(_ count: Int) {
        let masses = Self.advantages.map { exp($0) }
        let total = masses.reduce(0, +)
        let p = masses.map { $0 / total }
        let deltas = (0..<4).map { i in zip(Self.gradients[i + 1], Self.gradients[0]).map { $0 - $1 } }
        let mean = (0..<6).map { c in zip(p, deltas).reduce(0) { $0 + $1.0 * $1.1[c] } }
        let factor = Self.beta * total / (1 + total)
        let variance =
            factor * factor / Double(count)
            * (zip(p, deltas).reduce(0) { $0 + $1.0 * Self.squared($1.1) } - Self.squared(mean))
        let errors = Self.study(scores: [nil, nil, nil, nil]).errors(
            NegativeSampler(.twoPass, count: count), seed: 2, draws: 20_000)
        #expect(abs(errors.variance / variance - 1) < 0.03)
        #expect(errors.squaredBias < 4 * variance / 20_000)
        #expect(errors.forwards == 4 && errors.backwards <= Double(count))
    }

    /// One of four, each as likely: bias and variance by going through all four draws.
    @Test func oneUniformDrawIsAsTheEnumerationSays() {
        let draws = (0..<4).map { i -> [Double] in
            let mass = 4 * exp(Self.advantages[i])
            var coefficients = [Double](repeating: 0, count: 5)
            coefficients[i + 1] = Self.beta * mass / (1 + mass)
            coefficients[0] = -coefficients[i + 1]
            return Self.vector(coefficients)
        }
        let mean = (0..<6).map { c in draws.reduce(0) { $0 + $1[c] } / 4 }
        let variance = draws.reduce(0) { $0 + Self.squared(zip($1, mean).map { $0 - $1 }) } / 4
        let bias = Self.squared(zip(mean, Self.exact()).map { $0 - $1 })
        let errors = Self.study(scores: [nil, nil, nil, nil]).errors(
            NegativeSampler(.uniform, count: 1), seed: 3, draws: 40_000)
        #expect(abs(errors.variance / variance - 1) < 0.02)
        #expect(abs(errors.squaredBias / bias - 1) < 0.1)
    }

    /// The printed formula has another expectation (docs/method.md).
    @Test func thePrintedEstimatorIsBiased() {
        let study = Self.study(scores: [0.5, 0.1, 2, 1])
        let printed = study.errors(NegativeSampler(.published, count: 2), seed: 4, draws: 5000)
        let sound = study.errors(NegativeSampler(.twoPass, count: 2), seed: 4, draws: 5000)
        #expect(printed.squaredBias > 0.05 * printed.squaredNorm)
        #expect(sound.squaredBias < 0.01 * sound.squaredNorm)
    }
}
