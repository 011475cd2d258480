#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Which negatives of a group's pool a step uses, and the log-weights that correct their advantages.
public struct NegativeDraw: Sendable, Equatable {
    /// Indices into the pool, each at most once.
    public var indices: [Int]
    /// Added to the advantages, so that Σ exp(a + log-weight) estimates the sum over the whole pool.
    public var logWeights: [Double]
    /// How often each item was drawn; its log-weight counts all of them.
    public var multiplicities: [Int]
    /// How the gradient follows from the advantages.
    public var estimator: Estimator

    /// Unless told otherwise, each item was drawn once. As many log-weights as indices.
    public init(
        indices: [Int], logWeights: [Double], multiplicities: [Int]? = nil, estimator: Estimator = .corrected
    ) {
        self.indices = indices
        self.logWeights = logWeights
        self.multiplicities = multiplicities ?? indices.map { _ in 1 }
        self.estimator = estimator
    }

    /// The effective sample size (Σu)²/Σu² over the draws, and the largest share of a draw, where the draws weigh
    /// u = exp(advantage)/π; an item drawn m times stands for m equal draws.
    public func diagnostics(advantages: [Double]) -> (effectiveSamples: Double, largestShare: Double) {
        let logits = zip(advantages, logWeights).map { $0 + $1 }
        let largest = logits.max() ?? 0
        let masses = logits.map { exp($0 - largest) }
        let total = masses.reduce(0, +)
        let shares = zip(masses, multiplicities).map { $0 / Double($1) }
        let squares = zip(masses, shares).reduce(0) { $0 + $1.0 * $1.1 }
        return (total * total / squares, (shares.max() ?? 0) / total)
    }

    /// How the gradient follows from the drawn items' advantages.
    public enum Estimator: Sendable, Equatable {
        /// The derivative of the loss on the corrected advantages.
        case corrected
        /// The loss is exact over all items; K of them, picked by K uniform numbers from `proposal`, carry its
        /// gradient. Without a proposal they are picked in proportion to their share of that gradient, which has the
        /// least variance.
        case twoPass(uniforms: [Double], proposal: [Double]?)
        /// The formula as printed in the paper, weighting each item by exp(a)/q: biased, for comparison only.
        case published(proposal: [Double])
    }

    /// The weight of each drawn item in the gradient of the image loss, given the loss's own weights w (`PlackettLuce`)
    /// and the advantages a (docs/method.md, importance sampling).
    func gradientWeights(_ weights: [Double], advantages: [Double]) -> [Double] {
        switch estimator {
        case .corrected: return weights
        case .published(let proposal):
            let positive = weights.reduce(0, +)
            return advantages.indices.map {
                positive * exp(advantages[$0] + logWeights[$0]) / proposal[$0]
            }
        case .twoPass(let uniforms, let given):
            let total = weights.reduce(0, +)
            guard total > 0 else { return weights }
            let proposal = given ?? weights.map { $0 / total }
            var counts = weights.map { _ in 0.0 }
            for uniform in uniforms { counts[NegativeSampler.pick(proposal, uniform)] += 1 }
            return counts.indices.map {
                counts[$0] == 0 ? 0 : counts[$0] / Double(uniforms.count) * weights[$0] / proposal[$0]
            }
        }
    }
}

/// Draws K negatives from a pool of N (docs/method.md, importance sampling). A draw is a pure function of
/// (seed, epoch, group id).
public struct NegativeSampler: Sendable, Equatable {
    /// The draws, by their names in `negatives.sampling`.
    public enum Mode: String, Sendable, CaseIterable {
        /// The first K, as mined: exact on those.
        case subset
        /// K without replacement, uniform: unbiased, exact at K = N.
        case uniform
        /// Gumbel-top-K on the proposal, K distinct: unbiased, exact at K = N.
        case importance
        /// K independent draws from the proposal: self-normalised; exact on every draw where q ∝ exp a.
        case replacement
        /// All N forward, K backward, drawn by their share of the exact gradient: unbiased, with the least variance.
        case twoPass = "two_pass"
        /// K independent draws with the weights as printed in the paper: biased, for comparison.
        case published
    }

    /// How it draws.
    public var mode: Mode
    /// K
    public var count: Int
    /// τ of the proposal's softmax over scores.
    public var temperature: Double
    /// ε: the uniform share of the proposal.
    public var uniformMix: Double

    /// K = `count`, with τ and ε of the proposal, which `subset`, `uniform` and `two_pass` do not use.
    public init(_ mode: Mode, count: Int, temperature: Double = 1, uniformMix: Double = 0.1) {
        self.mode = mode
        self.count = count
        self.temperature = temperature
        self.uniformMix = uniformMix
    }

    /// q_i = (1 − ε)·softmax_i(s_i/τ) + ε/N; uniform where any score is absent.
    public func proposal(_ scores: [Double?]) -> [Double] {
        let known = scores.compactMap { $0 }
        let uniform = 1 / Double(max(scores.count, 1))
        guard known.count == scores.count, let largest = known.max() else { return scores.map { _ in uniform } }
        let masses = known.map { exp(($0 - largest) / temperature) }
        let total = masses.reduce(0, +)
        return masses.map { (1 - uniformMix) * $0 / total + uniformMix * uniform }
    }

    /// The draw for a pool with these scores; never more than its N items, each once.
    public func draw(_ scores: [Double?], seed: UInt64, epoch: Int, group: String) -> NegativeDraw {
        let n = scores.count
        let k = min(count, n)
        var random = KeyedRandom(seed, "negatives", String(epoch), group)
        switch mode {
        case .subset: return NegativeDraw(indices: Array(0..<k), logWeights: Array(repeating: 0, count: k))
        case .uniform:
            let chosen = random.permutation(n).prefix(k).sorted()
            return NegativeDraw(indices: chosen, logWeights: chosen.map { _ in log(Double(n) / Double(max(k, 1))) })
        case .importance:
            let keys = proposal(scores).map { log($0) + random.gumbel() }
            return Self.topK(keys, k, logProposal: proposal(scores).map { log($0) })
        case .replacement:
            guard n > 0 else { return NegativeDraw(indices: [], logWeights: []) }
            let q = proposal(scores)
            return Self.merged((0..<count).map { _ in Self.pick(q, random.uniform()) }, q)
        case .twoPass:
            let uniforms = (0..<count).map { _ in random.uniform() }
            return NegativeDraw(
                indices: Array(0..<n), logWeights: Array(repeating: 0, count: n),
                estimator: .twoPass(uniforms: uniforms, proposal: nil))
        case .published:
            guard n > 0 else { return NegativeDraw(indices: [], logWeights: []) }
            let q = proposal(scores)
            return Self.published((0..<count).map { _ in Self.pick(q, random.uniform()) }, q)
        }
    }

    /// The K largest keys, each weighted by 1/π_i, π_i = 1 − exp(−exp(log q_i − κ)), κ the next key.
    package static func topK(_ keys: [Double], _ k: Int, logProposal: [Double]) -> NegativeDraw {
        let order = keys.indices.sorted { (keys[$0], $1) > (keys[$1], $0) }
        let chosen = order.prefix(k).sorted()
        guard k < keys.count else { return NegativeDraw(indices: chosen, logWeights: chosen.map { _ in 0 }) }
        let threshold = keys[order[k]]
        return NegativeDraw(
            indices: chosen, logWeights: chosen.map { -log(-expm1(-exp(logProposal[$0] - threshold))) })
    }

    /// Draws with replacement as distinct items: m occurrences weigh m/(K·q), since duplicates add log m to an
    /// advantage.
    package static func merged(_ draws: [Int], _ q: [Double]) -> NegativeDraw {
        let chosen = Set(draws).sorted()
        let times = chosen.map { item in draws.count { $0 == item } }
        let weights = zip(chosen, times).map { log(Double($1)) - log(Double(draws.count) * q[$0]) }
        return NegativeDraw(indices: chosen, logWeights: weights, multiplicities: times)
    }

    /// Draws for the printed estimator: m occurrences add log m to an advantage.
    package static func published(_ draws: [Int], _ q: [Double]) -> NegativeDraw {
        let chosen = Set(draws).sorted()
        let times = chosen.map { item in draws.count { $0 == item } }
        return NegativeDraw(
            indices: chosen, logWeights: times.map { log(Double($0)) }, multiplicities: times,
            estimator: .published(proposal: chosen.map { q[$0] }))
    }

    /// The item at which the running sum of `q` passes `uniform`.
    static func pick(_ q: [Double], _ uniform: Double) -> Int {
        var rest = uniform
        for (index, mass) in q.enumerated() {
            rest -= mass
            if rest < 0 { return index }
        }
        return q.count - 1
    }
}
