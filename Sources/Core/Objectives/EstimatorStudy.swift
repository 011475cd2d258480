/// How the gradient of drawn negatives compares with that of the whole pool, for one group (docs/method.md, importance
/// sampling).
///
/// A gradient of the image loss is Σ_s c_s ∇log π_s over the group's sequences, so that distances between gradients
/// follow from their coefficients c and the Gram matrix G of the sequences' own gradients: ‖g − g'‖² = (c −
/// c')ᵀ G (c − c'). The model is needed once per sequence; thousands of draws then cost next to nothing.
public struct EstimatorStudy: Sendable {
    /// Sums over draws, which add up over groups.
    public struct Errors: Sendable, Equatable {
        /// ‖E g − g*‖², without what chance leaves in a mean over so many draws.
        public var squaredBias = 0.0
        /// E ‖g − E g‖²
        public var variance = 0.0
        /// ‖g*‖², of the exact gradient.
        public var squaredNorm = 0.0
        /// Means over draws: of the loss less the exact one, and of `NegativeDraw.diagnostics`.
        public var lossBias = 0.0
        /// (Σu)²/Σu² over a draw, its mean over draws.
        public var effectiveSamples = 0.0
        /// The largest term's share of a draw, its mean over draws.
        public var largestShare = 0.0
        /// Mean numbers of negatives that go forward and backward.
        public var forwards = 0.0
        /// Those with a coefficient other than 0.
        public var backwards = 0.0

        /// All 0, to add to.
        public init() {}
    }

    private let group: String
    private let scores: [Double?]
    private let policy: GroupValues
    private let reference: GroupValues
    private let objective: SDPO
    private let gram: Matrix<Double>
    private let exact: GroupLoss

    /// - Parameters:
    ///   - scores: of the pool's N pictures, as mined
    ///   - policy, reference: log-probabilities of the chosen response with the positive and with each picture of the
    ///     pool
    ///   - gram: products of the gradients of these N + 1 log-probabilities, the positive's first
    public init(
        group: String, scores: [Double?], policy: GroupValues, reference: GroupValues, beta: Double,
        gram: Matrix<Double>
    ) {
        precondition(gram.rows == policy.negatives.count + 1 && gram.columns == gram.rows)
        (self.group, self.scores, self.policy, self.reference) = (group, scores, policy, reference)
        self.gram = gram
        objective = SDPO(beta: beta)
        let all = NegativeDraw(
            indices: Array(scores.indices), logWeights: [Double](repeating: 0, count: scores.count))
        exact = objective(ScoredGroup(policy: policy, reference: reference, draw: all, chosenTokens: 1))
    }

    /// Draws with the keys (seed, epoch, group) of epochs 0..<draws.
    public func errors(_ sampler: NegativeSampler, seed: UInt64, draws: Int) -> Errors {
        let target = Self.flat(exact.coefficients)
        var mean = [Double](repeating: 0, count: target.count)
        var spread = 0.0
        var result = Errors()
        for epoch in 0..<draws {
            let draw = sampler.draw(scores, seed: seed, epoch: epoch, group: group)
            let found = loss(draw)
            let coefficients = Self.flat(found.coefficients)
            // Welford: mean and sum of squared distances in one pass.
            let before = zip(coefficients, mean).map { $0 - $1 }
            for s in mean.indices { mean[s] += before[s] / Double(epoch + 1) }
            spread += product(before, zip(coefficients, mean).map { $0 - $1 })
            result.lossBias += found.loss - exact.loss
            let advantages = draw.indices.map {
                objective.beta
                    * ((policy.negatives[$0] - reference.negatives[$0]) - (policy.chosen - reference.chosen))
            }
            let diagnostics = draw.diagnostics(advantages: advantages)
            result.effectiveSamples += diagnostics.effectiveSamples
            result.largestShare += diagnostics.largestShare
            result.forwards += Double(draw.indices.count)
            result.backwards += Double(found.coefficients.negatives.count { $0 != 0 })
        }
        for path in [\Errors.lossBias, \.effectiveSamples, \.largestShare, \.forwards, \.backwards] {
            result[keyPath: path] /= Double(draws)
        }
        result.variance = draws > 1 ? spread / Double(draws - 1) : 0
        let bias = zip(mean, target).map { $0 - $1 }
        result.squaredBias = max(product(bias, bias) - result.variance / Double(draws), 0)
        result.squaredNorm = product(target, target)
        return result
    }

    /// The loss on a draw, with a coefficient for every picture of the pool.
    private func loss(_ draw: NegativeDraw) -> GroupLoss {
        func drawn(_ values: GroupValues) -> GroupValues {
            GroupValues(chosen: values.chosen, negatives: draw.indices.map { values.negatives[$0] })
        }
        var loss = objective(
            ScoredGroup(policy: drawn(policy), reference: drawn(reference), draw: draw, chosenTokens: 1))
        var all = [Double](repeating: 0, count: scores.count)
        for (index, coefficient) in zip(draw.indices, loss.coefficients.negatives) { all[index] = coefficient }
        loss.coefficients.negatives = all
        return loss
    }

    private static func flat(_ coefficients: GroupValues) -> [Double] { [coefficients.chosen] + coefficients.negatives }

    /// aᵀ G b
    private func product(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for i in a.indices where a[i] != 0 { for j in b.indices { sum += a[i] * gram[i, j] * b[j] } }
        return sum
    }
}
