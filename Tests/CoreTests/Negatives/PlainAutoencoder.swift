import Core

/// The autoencoder as its formulas stand, in Double, with every d = vec(δ hᵀ) written out.
struct PlainAutoencoder {
    let latents: Int
    /// W and Dᵀ by latent; a; b.
    var encoder: [[Double]]
    var encoderBias: [Double]
    var decoder: [[Double]]
    var decoderBias: [Double]

    static func outer(_ delta: [Double], _ text: [Double]) -> [Double] { delta.flatMap { d in text.map { d * $0 } } }

    static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for i in a.indices { sum += a[i] * b[i] }
        return sum
    }

    func encode(_ d: [Double]) -> [Double] {
        (0..<latents).map { 1 / (1 + Double.exponential(-(Self.dot(encoder[$0], d) + encoderBias[$0]))) }
    }

    /// d̂ − d
    func residual(_ d: [Double], _ z: [Double]) -> [Double] {
        var r = decoderBias
        for j in 0..<latents { for i in r.indices { r[i] += z[j] * decoder[j][i] } }
        for i in r.indices { r[i] -= d[i] }
        return r
    }

    func error(_ d: [Double]) -> Double {
        let r = residual(d, encode(d))
        return Self.dot(r, r)
    }

    struct Outcome {
        var loss = 0.0
        var errors: [Double] = []
        var encoder, decoder: [[Double]]
        var encoderBias, decoderBias: [Double]
    }

    /// Loss and gradients over a batch, by the chain rule entry by entry.
    func outcome(_ batch: [[Double]], rho: Double, gamma: Double) -> Outcome {
        let zero = [Double](repeating: 0, count: decoderBias.count)
        var result = Outcome(
            encoder: Array(repeating: zero, count: latents), decoder: Array(repeating: zero, count: latents),
            encoderBias: Array(repeating: 0, count: latents), decoderBias: zero)
        let (codes, n) = (batch.map(encode), Double(batch.count))
        let means = (0..<latents).map { j in codes.reduce(0) { $0 + $1[j] } / n }
        for mean in means {
            let ratio = Double.naturalLogarithm(rho / mean)
            result.loss += gamma * (rho * ratio + (1 - rho) * Double.naturalLogarithm((1 - rho) / (1 - mean)))
        }
        for (d, z) in zip(batch, codes) {
            let r = residual(d, z)
            result.errors.append(Self.dot(r, r))
            result.loss += Self.dot(r, r) / n
            for i in r.indices { result.decoderBias[i] += 2 * r[i] / n }
            for j in 0..<latents {
                let slope = gamma * ((1 - rho) / (1 - means[j]) - rho / means[j]) / n
                let g = (2 * Self.dot(r, decoder[j]) / n + slope) * z[j] * (1 - z[j])
                result.encoderBias[j] += g
                for i in r.indices {
                    result.encoder[j][i] += g * d[i]
                    result.decoder[j][i] += 2 * z[j] * r[i] / n
                }
            }
        }
        return result
    }
}

/// |a − b| over the norm of b.
func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
    let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / PlainAutoencoder.dot(b, b)).squareRoot()
}

/// Unit rows around a few centres, as embeddings of pictures and texts lie.
func clusteredRows(_ count: Int, _ columns: Int, spread: Double, clusters: Int = 5, key: String) -> Matrix<Float> {
    var random = KeyedRandom(3, key)
    let centres = (0..<clusters).map { _ in (0..<columns).map { _ in random.normal() } }
    let rows = Matrix<Float>(uninitialized: count, columns)
    for r in 0..<count {
        let centre = centres[random.below(clusters)]
        var row = centre.map { $0 + spread * random.normal() }
        let norm = PlainAutoencoder.dot(row, row).squareRoot()
        row = row.map { $0 / norm }
        for c in 0..<columns { rows[r, c] = Float(row[c]) }
    }
    return rows
}

func doubles(_ matrix: Matrix<Float>, _ row: Int) -> [Double] { matrix.rows(row..<row + 1).elements.map(Double.init) }
