/// The loss of a batch and its derivatives by what the ranks' shares of the parameters have to know: scalars per
/// sample and latent, never per entry of d.
///
/// With z = σ(W d + a) and d̂ = Dz + b: L = (1/n) Σ_i ‖d_i − d̂_i‖² + γ Σ_j KL(ρ ‖ ρ̂_j), ρ̂_j the
/// batch mean of z_j (docs/mining.md). The bias b counts as atom K of the dictionary, with z_K = 1. Atoms longer than
/// `atomLength` count as cut to it: their sums are scaled here, and `AutoencoderBlock` then scales the atoms.
public struct AutoencoderLoss: Sendable {
    /// (1/n) Σ ‖d − d̂‖²
    public let reconstruction: Double
    /// Σ KL, unweighted.
    public let penalty: Double
    /// Reconstruction + γ · penalty.
    public let loss: Double
    /// Reconstruction over the mean of ‖d‖²: 1 is what predicting 0 gives.
    public let relativeError: Double
    /// Mean over samples and latents of z.
    public let meanActivation: Double
    /// By latent, the greatest activation in the batch.
    public let peaks: [Double]
    /// ‖d_i − d̂_i‖² of each sample.
    public let errors: [Double]
    /// ∂L/∂(Wd + a): n × K.
    public let activationGradient: Matrix<Float>
    /// (z, 1): n × (K+1).
    public let codes: Matrix<Float>
    /// Σ_i of `activationGradient`.
    public let biasGradient: [Float]
    /// What each atom is multiplied with, at most 1.
    public let atomScales: [Float]

    /// - Parameters:
    ///   - sums: the forward sums over all blocks, as `AutoencoderSums` lays them out
    ///   - bias: a, K floats
    public init(
        _ batch: AutoencoderBatch, sums: [Double], bias: Matrix<Float>, settings: AutoencoderSettings
    ) {
        let (n, latents) = (batch.count, settings.latents)
        let layout = AutoencoderSums(samples: n, latents: latents)
        let z = Matrix<Double>(uninitialized: n, latents + 1)
        for i in 0..<n {
            for j in 0..<latents { z[i, j] = sums[layout.activation(i, j)] }
            z[i, latents] = 1
        }
        let double = Matrix<Double>(1, latents, bias.elements.map(Double.init))
        DoublePrecision.sigmoid(z.columns(0..<latents), bias: double.base)

        let gram = Matrix(layout.width, layout.width, Array(sums[layout.gram]))
        let scales = (0...latents).map { atom in
            atom == latents
                ? 1 : Float(min(1, settings.atomLength / max(gram[atom, atom].squareRoot(), .leastNormalMagnitude)))
        }
        for a in 0...latents { for b in 0...latents { gram[a, b] *= Double(scales[a]) * Double(scales[b]) } }

        // G z̃ − c, which is minus the residual seen by each atom.
        let pull = DoublePrecision.product(z, gram)
        let squares = batch.squaredNorms
        var errors: [Double] = []
        for i in 0..<n {
            var (cross, quadratic) = (0.0, 0.0)
            for j in 0..<layout.width {
                let c = Double(scales[j]) * sums[layout.cross(i, j)]
                cross += z[i, j] * c
                quadratic += z[i, j] * pull[i, j]
                pull[i, j] -= c
            }
            errors.append(max(squares[i] - 2 * cross + quadratic, 0))
        }

        let (rho, count) = (settings.sparsity, Double(n))
        var penalty = 0.0
        var slopes: [Double] = []
        var (peaks, total) = ([Double](), 0.0)
        for j in 0..<latents {
            var (mean, peak) = (0.0, 0.0)
            for i in 0..<n {
                mean += z[i, j]
                peak = max(peak, z[i, j])
            }
            total += mean
            peaks.append(peak)
            // σ rounds to 0 or 1 far out, where KL would be infinite.
            let mild = min(max(mean / count, 1e-12), 1 - 1e-12)
            penalty +=
                rho * Double.naturalLogarithm(rho / mild)
                + (1 - rho) * Double.naturalLogarithm((1 - rho) / (1 - mild))
            slopes.append((1 - rho) / (1 - mild) - rho / mild)
        }
        let gradient = Matrix<Float>(uninitialized: n, latents)
        var biasSums = [Double](repeating: 0, count: latents)
        for i in 0..<n {
            for j in 0..<latents {
                let byCode = (2 * pull[i, j] + settings.sparsityWeight * slopes[j]) / count
                let value = byCode * z[i, j] * (1 - z[i, j])
                gradient[i, j] = Float(value)
                biasSums[j] += value
            }
        }
        let codes = Matrix<Float>(uninitialized: n, latents + 1)
        for i in 0..<codes.count { codes.base[i] = Float(z.base[i]) }
        reconstruction = errors.reduce(0, +) / count
        relativeError = errors.reduce(0, +) / max(squares.reduce(0, +), .leastNormalMagnitude)
        meanActivation = total / count / Double(latents)
        loss = reconstruction + settings.sparsityWeight * penalty
        (self.penalty, self.peaks, self.errors) = (penalty, peaks, errors)
        atomScales = scales
        (activationGradient, self.codes, biasGradient) = (gradient, codes, biasSums.map(Float.init))
    }
}

/// Where a step's forward sums lie in the flat vector that blocks add up: Wd (n × K), the products of d with the
/// atoms (n × (K+1)), and the atoms' Gram matrix ((K+1)²).
public struct AutoencoderSums: Sendable {
    /// n and K.
    public let samples, latents: Int

    /// Of a batch of n samples and an autoencoder of K latents.
    public init(samples: Int, latents: Int) { (self.samples, self.latents) = (samples, latents) }

    /// Atoms: the latents' and the bias.
    var width: Int { latents + 1 }
    /// Numbers of the flat vector.
    public var count: Int { samples * (latents + width) + width * width }
    func activation(_ sample: Int, _ latent: Int) -> Int { sample * latents + latent }
    func cross(_ sample: Int, _ atom: Int) -> Int { samples * latents + sample * width + atom }
    var gram: Range<Int> { count - width * width..<count }
}
