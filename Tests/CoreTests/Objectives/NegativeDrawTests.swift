import Core
import Foundation
import Testing

/// A uniform number that picks `item` from `q`.
func middle(of item: Int, in q: [Double]) -> Double { q[..<item].reduce(0, +) + q[item] / 2 }

/// Draws of negatives: the estimators' exactness, by enumeration of every draw where there are finitely many.
@Suite struct NegativeDrawTests {
    static let advantages = [1.0, -2, 0.5, 0.3, -0.7]
    static let q = [0.3, 0.1, 0.25, 0.2, 0.15]

    private func total(_ advantages: [Double]) -> Double { advantages.reduce(0) { $0 + exp($1) } }

    /// Ẑ = Σ exp(a + log-weight), the draw's estimate of Z = Σ exp a.
    private func estimate(_ draw: NegativeDraw, _ advantages: [Double]) -> Double {
        zip(draw.indices, draw.logWeights).reduce(0) { $0 + exp(advantages[$1.0] + $1.1) }
    }

    private func drawnLoss(_ draw: NegativeDraw, _ advantages: [Double]) -> Double {
        PlackettLuce.loss(zip(draw.indices, draw.logWeights).map { advantages[$0] + $1 }).loss
    }

    private func tuples(_ n: Int, _ k: Int) -> [[Int]] {
        (0..<k).reduce([[]]) { tuples, _ in tuples.flatMap { tuple in (0..<n).map { tuple + [$0] } } }
    }

    private func subsets(_ n: Int, _ k: Int) -> [[Int]] {
        tuples(n, k).filter { zip($0, $0.dropFirst()).allSatisfy(<) }
    }

    @Test func knownNumbers() {
        let a = [1, -2, 0.5]
        #expect(abs(total(a) - 4.5023384) < 1e-7)
        let (loss, w) = PlackettLuce.loss(a)
        #expect(abs(loss - 1.7051732) < 1e-7)
        for (x, y) in zip(w, [0.4940230, 0.0245960, 0.2996401]) { #expect(abs(x - y) < 1e-7) }
        let draw = NegativeSampler.merged([0, 2], [0.5, 0.2, 0.3])
        let logits = zip(draw.indices, draw.logWeights).map { a[$0] + $1 }
        for (x, y) in zip(logits, [1, 1.0108256]) { #expect(abs(x - y) < 1e-7) }
        let (drawn, weights) = PlackettLuce.loss(logits)
        #expect(abs(drawn - 1.8665810) < 1e-7)
        for (x, y) in zip(weights, [0.4203864, 0.4249621]) { #expect(abs(x - y) < 1e-7) }
    }

    @Test func subsetTakesTheFirst() {
        let scores: [Double?] = [0.1, 3, 2]
        let draw = NegativeSampler(.subset, count: 2).draw(scores, seed: 1, epoch: 5, group: "a")
        #expect(draw == NegativeDraw(indices: [0, 1], logWeights: [0, 0]))
        #expect(NegativeSampler(.subset, count: 9).draw(scores, seed: 1, epoch: 5, group: "a").indices == [0, 1, 2])
    }

    /// Every K-subset occurs, equally often; the mean of Ẑ over them is Z.
    @Test(arguments: 1...4) func uniformIsUnbiased(k: Int) {
        let (n, epochs) = (Self.advantages.count, 4000)
        let sampler = NegativeSampler(.uniform, count: k)
        var counts: [[Int]: Int] = [:]
        var distinct: [[Int]: NegativeDraw] = [:]
        for epoch in 0..<epochs {
            let draw = sampler.draw(Self.q, seed: 3, epoch: epoch, group: "g")
            counts[draw.indices, default: 0] += 1
            distinct[draw.indices] = draw
        }
        let all = subsets(n, k)
        #expect(Set(counts.keys) == Set(all))
        let expected = Double(epochs) / Double(all.count)
        let deviation = (expected * (1 - 1 / Double(all.count))).squareRoot()
        for count in counts.values { #expect(abs(Double(count) - expected) < 4.5 * deviation) }
        let mean = distinct.values.reduce(0) { $0 + estimate($1, Self.advantages) } / Double(all.count)
        #expect(abs(mean - total(Self.advantages)) < 1e-12)
    }

    /// Over all K-tuples, weighted by their probability, the mean of Ẑ is Z.
    @Test(arguments: 1...4) func replacementIsUnbiased(k: Int) {
        var mean = 0.0
        for tuple in tuples(Self.q.count, k) {
            let probability = tuple.reduce(1.0) { $0 * Self.q[$1] }
            mean += probability * estimate(NegativeSampler.merged(tuple, Self.q), Self.advantages)
        }
        #expect(abs(mean - total(Self.advantages)) < 1e-12)
    }

    /// With q ∝ exp a every draw has the exact loss.
    @Test(arguments: 1...4) func replacementWithTheBestProposalIsExact(k: Int) {
        let z = total(Self.advantages)
        let p = Self.advantages.map { exp($0) / z }
        let exact = PlackettLuce.loss(Self.advantages).loss
        for tuple in tuples(p.count, k) {
            #expect(abs(drawnLoss(NegativeSampler.merged(tuple, p), Self.advantages) - exact) < 1e-13)
        }
    }

    /// E[Ẑ] = Z, integrated over the threshold.
    ///
    /// Gumbel keys are −log of arrival times with rates q. Given that item j arrives as the (K+1)-th, at time t, the
    /// set S before it has density q_j·exp(−q_j·t)·Π_{i∈S}(1 − exp(−q_i·t))·Π_{others} exp(−q_l·t).
    /// Only S and t count, so one set of keys for each is given to the code under test.
    @Test(arguments: [1, 2, 3]) func importanceIsUnbiased(k: Int) {
        let (q, n) = (Self.q, Self.q.count)
        let logQ = q.map { log($0) }
        let points = 4000
        var (mean, mass) = (0.0, 0.0)
        for point in 0..<points {
            let s = (Double(point) + 0.5) / Double(points)
            // t = s/(1 − s) covers the half-line; dt = ds/(1 − s)².
            let (t, dt) = (10 * s / (1 - s), 10 / ((1 - s) * (1 - s)) / Double(points))
            for set in subsets(n, k) {
                for j in 0..<n where !set.contains(j) {
                    var density = q[j] * exp(-q[j] * t)
                    var keys = [Double](repeating: -log(t) - 1, count: n)
                    for i in 0..<n where i != j { density *= set.contains(i) ? -expm1(-q[i] * t) : exp(-q[i] * t) }
                    for i in set { keys[i] = -log(t) + 1 }
                    keys[j] = -log(t)
                    let draw = NegativeSampler.topK(keys, k, logProposal: logQ)
                    mass += density * dt
                    mean += density * dt * estimate(draw, Self.advantages)
                }
            }
        }
        #expect(abs(mass - 1) < 1e-5)
        #expect(abs(mean - total(Self.advantages)) < 1e-5)
    }

    /// The same of the draws themselves: the mean over many epochs, within five standard errors.
    @Test(arguments: [NegativeSampler.Mode.uniform, .importance, .replacement])
    func drawsAreUnbiased(mode: NegativeSampler.Mode) {
        let scores: [Double?] = [1, 0.2, 0.7, 0.5, 0.1]
        let sampler = NegativeSampler(mode, count: 3)
        let count = 20000
        var (sum, squares) = (0.0, 0.0)
        for epoch in 0..<count {
            let value = estimate(sampler.draw(scores, seed: 5, epoch: epoch, group: "g"), Self.advantages)
            sum += value
            squares += value * value
        }
        let mean = sum / Double(count)
        let error = ((squares / Double(count) - mean * mean) / Double(count)).squareRoot()
        #expect(error < 0.03)
        #expect(abs(mean - total(Self.advantages)) < 5 * error)
    }

    @Test(arguments: [NegativeSampler.Mode.uniform, .importance]) func wholePoolIsExact(mode: NegativeSampler.Mode) {
        for count in [5, 8] {
            for epoch in 0..<20 {
                let draw = NegativeSampler(mode, count: count).draw(Self.q, seed: 1, epoch: epoch, group: "g")
                #expect(draw.indices == Array(0..<5))
                #expect(draw.logWeights.allSatisfy { $0 == 0 })
            }
        }
    }

    /// Single draws follow the proposal.
    @Test(arguments: [NegativeSampler.Mode.importance, .replacement]) func drawsFollowTheProposal(
        mode: NegativeSampler.Mode
    ) {
        let scores: [Double?] = [1.5, 0, 0.7]
        let sampler = NegativeSampler(mode, count: 1, temperature: 0.7, uniformMix: 0.2)
        let q = sampler.proposal(scores)
        let count = 20000
        var counts = [0, 0, 0]
        for epoch in 0..<count { counts[sampler.draw(scores, seed: 2, epoch: epoch, group: "g").indices[0]] += 1 }
        for (seen, mass) in zip(counts, q) {
            let deviation = (Double(count) * mass * (1 - mass)).squareRoot()
            #expect(abs(Double(seen) - Double(count) * mass) < 4.5 * deviation)
        }
    }

    @Test func aMissingScoreMakesTheProposalUniform() {
        #expect(NegativeSampler(.importance, count: 1).proposal([3, nil, 1, 2]) == [0.25, 0.25, 0.25, 0.25])
        #expect(NegativeSampler(.importance, count: 1).proposal([]) == [])
        let far = NegativeSampler(.importance, count: 1, uniformMix: 0.1).proposal([1e4, -1e4])
        #expect(zip(far, [0.95, 0.05]).allSatisfy { abs($0 - $1) < 1e-15 })
    }

    @Test(arguments: NegativeSampler.Mode.allCases) func anEmptyPoolIsAnEmptyDraw(mode: NegativeSampler.Mode) {
        let draw = NegativeSampler(mode, count: 3).draw([], seed: 0, epoch: 0, group: "g")
        #expect(draw.indices.isEmpty && draw.logWeights.isEmpty)
    }

    /// Over all K-tuples, weighted by their probability, the mean of the gradient is the exact gradient.
    @Test(arguments: [1, 2, 3], [true, false]) func twoPassIsUnbiased(k: Int, hasBestProposal: Bool) {
        let n = Self.advantages.count
        let z = total(Self.advantages)
        let q = hasBestProposal ? Self.advantages.map { exp($0) / z } : Self.q
        func coefficients(_ estimator: NegativeDraw.Estimator) -> [Double] {
            let draw = NegativeDraw(
                indices: Array(0..<n), logWeights: [Double](repeating: 0, count: n), estimator: estimator)
            let values = GroupValues(chosen: 0, negatives: Self.advantages)
            let zero = GroupValues(chosen: 0, negatives: [Double](repeating: 0, count: n))
            let result = SDPO(beta: 1)(ScoredGroup(policy: values, reference: zero, draw: draw, chosenTokens: 1))
            #expect(abs(result.loss - log(1 + z)) < 1e-13)
            #expect(abs(result.coefficients.chosen + result.coefficients.negatives.reduce(0, +)) < 1e-13)
            return result.coefficients.negatives
        }
        var mean = [Double](repeating: 0, count: n)
        for tuple in tuples(n, k) {
            let probability = tuple.reduce(1.0) { $0 * q[$1] }
            let uniforms = tuple.map { middle(of: $0, in: q) }
            let drawn = coefficients(.twoPass(uniforms: uniforms, proposal: hasBestProposal ? nil : q))
            for i in 0..<n {
                if !tuple.contains(i) { #expect(drawn[i] == 0) }
                mean[i] += probability * drawn[i]
            }
        }
        for (a, b) in zip(mean, coefficients(.corrected)) { #expect(abs(a - b) < 1e-13) }
    }

    /// A draw depends on seed, epoch and id, on nothing else.
    @Test(arguments: [NegativeSampler.Mode.uniform, .importance, .replacement])
    func drawsArePureFunctions(mode: NegativeSampler.Mode) {
        let scores: [Double?] = (0..<40).map { Double($0 % 7) }
        let sampler = NegativeSampler(mode, count: 6)
        func draw(_ seed: UInt64, _ epoch: Int, _ group: String) -> NegativeDraw {
            sampler.draw(scores, seed: seed, epoch: epoch, group: group)
        }
        let first = draw(1, 2, "a")
        #expect(first.indices == first.indices.sorted() && Set(first.indices).count == first.indices.count)
        for other in [draw(2, 2, "a"), draw(1, 3, "a"), draw(1, 2, "b"), draw(1, 2, "")] { #expect(other != first) }
        #expect(draw(1, 2, "a") == first)
    }
}
