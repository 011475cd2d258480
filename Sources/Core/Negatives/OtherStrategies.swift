/// `random`: uniform without replacement, a pure function of (seed, prompt id).
public struct RandomNegatives: NegativeStrategy {
    /// Nothing to set.
    public init() {}

    /// Different candidates, in the order of the draw.
    public func choose(_ count: Int, _ context: SelectionContext) -> [ChosenNegative] {
        let n = context.candidates.rows.count
        var random = KeyedRandom(context.seed, "negatives.random", context.prompt.id)
        // The first steps of a Fisher–Yates shuffle, of which only the places that moved are kept.
        var moved: [Int: Int] = [:]
        return (0..<min(count, n)).map { step in
            let place = step + random.below(n - step)
            let pick = moved[place] ?? place
            moved[place] = moved[step] ?? step
            return context.chosen(pick)
        }
    }
}

/// `nearest`: the greatest cosine with the positive image; ties to the lower index.
public struct NearestNegatives: NegativeStrategy {
    /// Nothing to set.
    public init() {}

    /// Nearest first.
    public func choose(_ count: Int, _ context: SelectionContext) -> [ChosenNegative] {
        let rows = context.candidates.rows
        let cosines = rows.map { context.images.cosine($0, context.prompt.positive) }
        return rows.indices.sorted { cosines[$0] != cosines[$1] ? cosines[$0] > cosines[$1] : $0 < $1 }
            .prefix(count).map(context.chosen)
    }
}

/// `perturb`: the positive image itself, by turns a random crop (mDPO) and under diffusion noise (CHiP).
public struct PerturbedPositive: NegativeStrategy {
    /// Nothing to set.
    public init() {}

    /// Always `count` of them, without scores; the candidates are not looked at.
    public func choose(_ count: Int, _ context: SelectionContext) -> [ChosenNegative] {
        (0..<count).map { index in
            // The first of each kind is the one that `objective.kind: mdpo` and `chip` make.
            let key = index < 2 ? context.prompt.id : "\(context.prompt.id)#\(index / 2)"
            let source =
                index.isMultiple(of: 2)
                ? ImageSource(path: context.positivePath, crop: .random(seed: context.seed, group: key))
                : ImageSource(path: context.positivePath, noise: DiffusionNoise(seed: context.seed, group: key))
            return ChosenNegative(source: .perturbed(source), score: nil)
        }
    }
}

extension ImageSource {
    /// The picture as 8-bit RGB. Noise, which training adds to preprocessed pixels, is added to pixels scaled to
    /// −1…1 and cut off where 8 bits end.
    public func rendered(_ transparency: Transparency) throws(MISPError) -> RGBImage {
        let image = try load(transparency)
        guard let noise else { return image }
        let noised = noise.added(to: image.pixels.map { Float($0) / 127.5 - 1 })
        let bytes = noised.map { UInt8(min(max(($0 + 1) * 127.5, 0), 255).rounded()) }
        return RGBImage(width: image.width, height: image.height, pixels: bytes)
    }
}

/// `logdet`: greedily the candidate that raises log det(λI + Σ δδᵀ) over the picked most; ties to the lower
/// index. MASS-DPO's criterion, which it is not, has the policy's Fisher information as its matrix.
///
/// Features are the differences d_i = vec(δ_i hᵀ), whose inner products K_ij are δ_i·δ_j for an h of unit length.
/// With the Cholesky factor of λI + K over the picked, the gain of candidate i is log(r_i), r_i = λ + K_ii − Σ_k
/// e_ik², and a pick adds one column e to all candidates: O(n·d_v) a pick.
public struct LogDeterminant: NegativeStrategy {
    /// λ: small against the squared length of a difference, which is 2 between unrelated images.
    public let ridge: Double

    /// Unless told otherwise, λ = 0.1.
    public init(ridge: Double = 0.1) { self.ridge = ridge }

    /// The picks of `pick` over the differences between the positive and each candidate, in order.
    public func choose(_ count: Int, _ context: SelectionContext) -> [ChosenNegative] {
        let rows = context.candidates.rows
        let features = Matrix<Float>(uninitialized: rows.count, context.images.columns)
        for (place, row) in rows.enumerated() {
            Vector.difference(
                context.images.row(context.prompt.positive), context.images.row(row), scale: 1,
                into: features.row(place), count: features.columns)
        }
        return pick(count, features).map(context.chosen)
    }

    /// - Parameter features: n × d
    public func pick(_ count: Int, _ features: Matrix<Float>) -> [Int] {
        let n = features.rows
        let dots = Matrix<Float>(uninitialized: 1, n)
        Vector.rowDots(features, features, into: dots.base)
        var rest = dots.elements.map { Double($0) + ridge }
        var columns: [[Double]] = []
        var taken = [Bool](repeating: false, count: n)
        var picks: [Int] = []
        while picks.count < min(count, n) {
            var best: (place: Int, value: Double)?
            for i in 0..<n where !taken[i] && rest[i] > best?.value ?? -.infinity { best = (i, rest[i]) }
            guard let pick = best?.place else { break }
            picks.append(pick)
            taken[pick] = true
            Vector.rowDots(features, features.repeated(pick), into: dots.base)
            let root = max(rest[pick], .leastNormalMagnitude).squareRoot()
            var column = [Double](repeating: 0, count: n)
            for i in 0..<n {
                var value = Double(dots.base[i])
                for earlier in columns { value -= earlier[i] * earlier[pick] }
                column[i] = value / root
                rest[i] -= column[i] * column[i]
            }
            columns.append(column)
        }
        return picks
    }
}
