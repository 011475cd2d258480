import Foundation

/// A map of points in the plane that keeps neighbours together: exact t-SNE (van der Maaten and Hinton, JMLR 9, 2008).
///
/// In the plane, q_ij ∝ (1 + ‖y_i − y_j‖²)⁻¹ is to be like p_ij = (p_{j|i} + p_{i|j}) / 2n, where p_{j|i}
/// is normal in the distance of the points and as wide as the perplexity asks: KL(P‖Q) is minimised by gradient
/// descent with momentum and a gain per coordinate. O(n²) time and 4n² bytes: for some thousand points. It starts
/// from given places and draws nothing at random, so the map is a pure function of its input, on any number of threads.
///
/// The first iterations exaggerate P, so that clusters draw together. Points without clusters then all fall into one
/// place, from which nothing leads out: where that begins, the descent starts again without exaggeration.
public struct NeighbourMap: Sendable {
    /// How wide neighbourhoods are, and how the descent goes.
    public struct Settings: Sendable {
        /// Effective number of neighbours; at most (n − 1) / 3 are used.
        public var perplexity = 30.0
        /// Steps of the descent, the exaggerated ones included.
        public var iterations = 750
        /// For the first `exaggerated` iterations P is multiplied by `exaggeration`, so that clusters form.
        public var exaggeration = 12.0
        /// Iterations at the start with P exaggerated.
        public var exaggerated = 250

        /// The defaults.
        public init() {}
    }

    /// x and y of each point.
    public private(set) var places: [SIMD2<Double>]
    private let settings: Settings
    private let threads: Int
    /// p_ij, n × n, of rows as long as a multiple of 4; the rest is 0.
    private let affinities: [Float]
    private let stride: Int
    private var update: [SIMD2<Double>]
    private var gains: [SIMD2<Double>]
    private let start: [SIMD2<Double>]
    /// Iterations with P exaggerated.
    private var exaggerated: Int

    /// - Parameters:
    ///   - squaredDistances: n × n, symmetric, of the points
    ///   - start: n places, of which those of equal points differ
    public init(squaredDistances: Matrix<Float>, start: [SIMD2<Double>], settings: Settings = .init(), threads: Int = 1)
    {
        let n = start.count
        precondition(squaredDistances.rows == n && squaredDistances.columns == n)
        self.settings = settings
        self.threads = threads
        stride = (n + 3) / 4 * 4
        affinities = Self.affinities(squaredDistances, perplexity: settings.perplexity, stride: stride, threads)
        // As others start: a standard deviation of 1e-4 along x.
        let deviation = (start.reduce(0) { $0 + $1.x * $1.x } / Double(max(n, 1))).squareRoot()
        self.start = start.map { deviation > 0 ? $0 * (1e-4 / deviation) : $0 }
        places = self.start
        exaggerated = settings.exaggerated
        update = [SIMD2](repeating: .zero, count: n)
        gains = [SIMD2](repeating: .one, count: n)
    }

    /// The whole descent; `progress` hears of every iteration.
    public mutating func settle(progress: (Int) throws -> Void) rethrows {
        for iteration in 0..<settings.iterations {
            step(iteration)
            try progress(iteration + 1)
        }
    }

    /// One iteration of gradient descent, counted from 0.
    mutating func step(_ iteration: Int) {
        let n = places.count
        guard n > 1 else { return }
        let isEarly = iteration < exaggerated
        let momentum = isEarly ? 0.5 : 0.8
        let rate = max(Double(n) / settings.exaggeration / 4, 50)
        let gradient = gradient(exaggeration: isEarly ? settings.exaggeration : 1)
        for i in 0..<n {
            for axis in 0..<2 {
                let slope = gradient[i][axis]
                let turns = update[i][axis] * slope < 0
                gains[i][axis] = max(turns ? gains[i][axis] + 0.2 : gains[i][axis] * 0.8, 0.01)
                update[i][axis] = momentum * update[i][axis] - rate * gains[i][axis] * slope
            }
            places[i] += update[i]
        }
        if isEarly, Self.spread(places) < 0.01 * Self.spread(start) { beginAgain() }
    }

    /// From the first places, without exaggeration.
    private mutating func beginAgain() {
        exaggerated = 0
        places = start
        update = update.map { _ in .zero }
        gains = gains.map { _ in .one }
    }

    /// Σ ‖y_i − mean‖²
    private static func spread(_ places: [SIMD2<Double>]) -> Double {
        let mean = places.reduce(.zero, +) / Double(max(places.count, 1))
        return places.reduce(0) { $0 + (($1 - mean) * ($1 - mean)).sum() }
    }

    /// ∂KL/∂y_i = 4 Σ_j (p_ij − q_ij) k_ij (y_i − y_j), with k_ij = (1 + ‖y_i − y_j‖²)⁻¹ and q_ij =
    /// k_ij / Σ k.
    private func gradient(exaggeration: Double) -> [SIMD2<Double>] {
        let forces = forces()
        // The kernel of a point with itself is 1.
        let total = max(forces.reduce(0) { $0 + $1.kernel } - Double(places.count), .leastNormalMagnitude)
        return forces.map { 4 * (exaggeration * $0.attraction - $0.repulsion / total) }
    }

    /// KL(P‖Q) of the places as they are.
    public var divergence: Double {
        let n = places.count
        let total = max(forces().reduce(0) { $0 + $1.kernel } - Double(n), .leastNormalMagnitude)
        var sum = 0.0
        for i in 0..<n {
            for j in 0..<n where j != i {
                let p = Double(affinities[i * stride + j])
                let difference = places[i] - places[j]
                if p > 0 { sum += p * log(p * total * (1 + (difference * difference).sum())) }
            }
        }
        return sum
    }

    /// Of one point: Σ_j p_ij k_ij (y_i − y_j), Σ_j k_ij² (y_i − y_j), Σ_j k_ij.
    private struct Force: Sendable {
        var attraction = SIMD2<Double>.zero
        var repulsion = SIMD2<Double>.zero
        var kernel = 0.0
    }

    private func forces() -> [Force] {
        let n = places.count
        // Padding lies infinitely far away, where the kernel is 0.
        var x = [Double](repeating: .greatestFiniteMagnitude.squareRoot() / 4, count: stride)
        var y = [Double](repeating: 0, count: stride)
        for i in 0..<n { (x[i], y[i]) = (places[i].x, places[i].y) }
        let rows = 64
        var parts = [[Force]](repeating: [], count: (n + rows - 1) / rows)
        let (xs, ys) = (x, y)
        parts.withUnsafeMutableBufferPointer { parts in
            nonisolated(unsafe) let parts = parts
            Parallel.forEach(parts.count, threads: threads) { part in
                parts[part] = (part * rows..<min(n, (part + 1) * rows)).map { force(on: $0, xs, ys) }
            }
        }
        return parts.flatMap(\.self)
    }

    private func force(on i: Int, _ x: [Double], _ y: [Double]) -> Force {
        typealias Lanes = SIMD4<Double>
        var (ax, ay, rx, ry, sum) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
        x.withUnsafeBytes { x in
            y.withUnsafeBytes { y in
                affinities.withUnsafeBytes { p in
                    for j in Swift.stride(from: 0, to: stride, by: 4) {
                        let dx = places[i].x - x.loadUnaligned(fromByteOffset: 8 * j, as: Lanes.self)
                        let dy = places[i].y - y.loadUnaligned(fromByteOffset: 8 * j, as: Lanes.self)
                        let kernel = 1 / (1 + dx * dx + dy * dy)
                        let pull =
                            kernel
                            * Lanes(
                                p.loadUnaligned(fromByteOffset: 4 * (i * stride + j), as: SIMD4<Float>.self))
                        let push = kernel * kernel
                        sum += kernel
                        (ax, ay) = (ax + pull * dx, ay + pull * dy)
                        (rx, ry) = (rx + push * dx, ry + push * dy)
                    }
                }
            }
        }
        return Force(
            attraction: SIMD2(ax.sum(), ay.sum()), repulsion: SIMD2(rx.sum(), ry.sum()), kernel: sum.sum())
    }
}

extension NeighbourMap {
    /// p_ij. Each point's normal is as wide as its entropy, log(perplexity), asks: a search by halving.
    private static func affinities(
        _ squaredDistances: Matrix<Float>, perplexity: Double, stride: Int, _ threads: Int
    ) -> [Float] {
        let n = squaredDistances.rows
        let entropy = log(max(min(perplexity, Double(n - 1) / 3), 1))
        var rows = [[Double]](repeating: [], count: n)
        rows.withUnsafeMutableBufferPointer { rows in
            nonisolated(unsafe) let rows = rows
            Parallel.forEach(n, threads: threads) { i in
                let distances = (0..<n).map { Double(squaredDistances[i, $0]) }
                rows[i] = neighbours(of: i, distances, entropy: entropy)
            }
        }
        var joint = [Float](repeating: 0, count: n * stride)
        for i in 0..<n {
            for j in 0..<n where j != i { joint[i * stride + j] = Float((rows[i][j] + rows[j][i]) / Double(2 * n)) }
        }
        return joint
    }

    /// p_{j|i} ∝ exp(−b d_ij), with the b at which its entropy is as asked.
    private static func neighbours(of i: Int, _ distances: [Double], entropy: Double) -> [Double] {
        let nearest = distances.indices.filter { $0 != i }.map { distances[$0] }.min() ?? 0
        var (low, high, precision) = (0.0, Double.infinity, 1.0)
        var row = [Double](repeating: 0, count: distances.count)
        for _ in 0..<200 {
            var (sum, weighted) = (0.0, 0.0)
            for j in distances.indices where j != i {
                let distance = distances[j] - nearest
                row[j] = exp(-precision * distance)
                sum += row[j]
                weighted += row[j] * distance
            }
            for j in row.indices { row[j] /= sum }
            let excess = log(sum) + precision * weighted / sum - entropy
            if abs(excess) < 1e-9 { break }
            if excess > 0 { low = precision } else { high = precision }
            precision = high.isFinite ? (low + high) / 2 : precision * 2
        }
        return row
    }
}
