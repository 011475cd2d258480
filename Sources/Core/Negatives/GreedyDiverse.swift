/// Algorithm 1 of the paper, `misp`: hard and diverse negatives.
///
/// The first pick is argmax s_i, every next one argmax over the rest of s_i + η·min_{j picked}(1 − cos(E(d_i),
/// E(d_j))); ties go to the lower index. A latent vector of length 0 has cosine 0 with every other.
public struct GreedyDiverse: NegativeStrategy {
    /// η
    public let diversity: Double

    /// Unless told otherwise, hardness and diversity weigh alike.
    public init(diversity: Double = 1) { self.diversity = diversity }

    /// The picks of `pick`, in order.
    public func choose(_ count: Int, _ context: SelectionContext) -> [ChosenNegative] {
        pick(count, context.candidates).map(context.chosen)
    }

    /// Places among the candidates. Each pick looks at every candidate once: O(count · n · K).
    public func pick(_ count: Int, _ candidates: CandidateScores) -> [Int] {
        let n = candidates.rows.count
        let latents = candidates.latents
        let norms = Matrix<Float>(uninitialized: 1, n)
        Vector.rowDots(latents, latents, into: norms.base)
        let dots = Matrix<Float>(uninitialized: 1, n)
        // min over the picked of 1 − cos; infinite before the first pick, where it does not count.
        var distances = [Double](repeating: .infinity, count: n)
        var taken = [Bool](repeating: false, count: n)
        var picks: [Int] = []
        while picks.count < min(count, n) {
            var best: (place: Int, value: Double)?
            for i in 0..<n where !taken[i] {
                let value = candidates.scores[i] + (picks.isEmpty ? 0 : diversity * distances[i])
                if value > best?.value ?? -.infinity { best = (i, value) }
            }
            guard let pick = best?.place else { break }
            picks.append(pick)
            taken[pick] = true
            Vector.rowDots(latents, latents.repeated(pick), into: dots.base)
            for i in 0..<n {
                let square = Double(norms.base[i]) * Double(norms.base[pick])
                let cosine = square > 0 ? Double(dots.base[i]) / square.squareRoot() : 0
                distances[i] = min(distances[i], 1 - cosine)
            }
        }
        return picks
    }
}
