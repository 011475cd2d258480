/// How the next token follows from its logits: Hugging Face's `generate` with the settings of the same names.
public struct TokenSampler: Sendable, Equatable {
    /// 0 takes the most probable token always.
    public var temperature: Double
    /// The k most probable tokens stay; 0 keeps all.
    public var topK: Int
    /// The most probable tokens that together have this probability stay.
    public var topP: Double
    /// Tokens stay whose probability is at least this share of the largest; 0 keeps all.
    public var minP: Double
    /// With a sequence's key and the step it decides every draw.
    public var seed: UInt64

    /// Unless told otherwise, the most probable token always.
    public init(temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.seed = seed
    }

    /// A pure function of its arguments: a sequence gets the same tokens in any batch and on any rank.
    ///
    /// - Parameters:
    ///   - logits: V values
    ///   - key: names the sequence
    ///   - step: tokens of the answer so far
    public func next(_ logits: [Float], key: String, step: Int) -> Int32 {
        if temperature == 0 { return Self.largest(logits) }
        var random = KeyedRandom(seed, "generate", key, "\(step)")
        return pick(Self.candidates(logits, temperature, topK, topP, minP: minP), random.uniform())
    }

    /// The first of equals.
    static func largest(_ logits: [Float]) -> Int32 {
        var best = 0
        for (token, value) in logits.enumerated() where value > logits[best] { best = token }
        return Int32(best)
    }

    /// What top-k, then top-p, then min-p leave, by falling probability, the probabilities not normalised.
    package static func candidates(
        _ logits: [Float], _ temperature: Double, _ topK: Int, _ topP: Double, minP: Double = 0
    ) -> [(token: Int32, weight: Double)] {
        let highest = Double(logits.max() ?? 0)
        var all = logits.enumerated().map { token, value in
            (token: Int32(token), weight: Double.exponential((Double(value) - highest) / temperature))
        }
        if topK > 0, topK < all.count {
            let threshold = all.map(\.weight).sorted(by: >)[topK - 1]
            all = all.filter { $0.weight >= threshold }
        }
        // The largest weight is 1.
        guard topP < 1 else { return minP > 0 ? all.filter { $0.weight >= minP } : all }
        all.sort { $0.weight != $1.weight ? $0.weight > $1.weight : $0.token < $1.token }
        let total = all.reduce(0) { $0 + $1.weight }
        var (kept, sum) = (0, 0.0)
        while kept < all.count, kept == 0 || sum < topP * total {
            sum += all[kept].weight
            kept += 1
        }
        return all.prefix(kept).filter { $0.weight >= minP }
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
