/// How the next token follows from its logits: Hugging Face's `generate` with the settings of the same names.
public struct TokenSampler: Sendable, Equatable {
    /// 0 takes the most probable token always.
    public var temperature: Double
    /// The k most probable tokens stay; 0 keeps all.
    public var topK: Int
    /// The most probable tokens that together have this probability stay.
    public var topP: Double
    /// Logits of tokens that occurred are divided by it where positive, multiplied where negative.
    public var repetitionPenalty: Double
    public var seed: UInt64

    public init(
        temperature: Double = 0, topK: Int = 0, topP: Double = 1, repetitionPenalty: Double = 1, seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
    }

    /// Whether the next token is the most probable one as the logits stand.
    var takesLargest: Bool { temperature == 0 && repetitionPenalty == 1 }

    /// A pure function of its arguments: a sequence gets the same tokens in any batch and on any rank.
    ///
    /// - Parameters:
    ///   - logits: V values; changed
    ///   - seen: tokens of prompt and answer so far
    ///   - key: names the sequence
    ///   - step: tokens of the answer so far
    public func next(_ logits: inout [Float], seen: Set<Int32>, key: String, step: Int) -> Int32 {
        if repetitionPenalty != 1 {
            let penalty = Float(repetitionPenalty)
            for token in seen where logits.indices.contains(Int(token)) {
                let value = logits[Int(token)]
                logits[Int(token)] = value < 0 ? value * penalty : value / penalty
            }
        }
        if temperature == 0 { return Self.largest(logits) }
        var random = KeyedRandom(seed, "generate", key, "\(step)")
        return pick(Self.candidates(logits, temperature, topK, topP), random.uniform())
    }

    /// The first of equals.
    static func largest(_ logits: [Float]) -> Int32 {
        var best = 0
        for (token, value) in logits.enumerated() where value > logits[best] { best = token }
        return Int32(best)
    }

    /// What top-k and then top-p leave, by falling probability, the probabilities not normalised.
    package static func candidates(
        _ logits: [Float], _ temperature: Double, _ topK: Int, _ topP: Double
    ) -> [(token: Int32, weight: Double)] {
        let highest = Double(logits.max() ?? 0)
        var all = logits.enumerated().map { token, value in
            (token: Int32(token), weight: Double.exponential((Double(value) - highest) / temperature))
        }
        if topK > 0, topK < all.count {
            let threshold = all.map(\.weight).sorted(by: >)[topK - 1]
            all = all.filter { $0.weight >= threshold }
        }
        guard topP < 1 else { return all }
        all.sort { $0.weight != $1.weight ? $0.weight > $1.weight : $0.token < $1.token }
        let total = all.reduce(0) { $0 + $1.weight }
        var (kept, sum) = (0, 0.0)
        while kept < all.count, kept == 0 || sum < topP * total {
            sum += all[kept].weight
            kept += 1
        }
        return Array(all.prefix(kept))
    }

    private func pick(_ candidates: [(token: Int32, weight: Double)], _ uniform: Double) -> Int32 {
        var rest = uniform * candidates.reduce(0) { $0 + $1.weight }
        for candidate in candidates {
            rest -= candidate.weight
            if rest < 0 { return candidate.token }
        }
        return candidates.last?.token ?? 0
    }
}
