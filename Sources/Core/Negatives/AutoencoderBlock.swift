/// The parameters that meet some columns of δ, with their AdamW moments: a rank's share of the autoencoder is a few of
/// these.
///
/// d = vec(δ hᵀ) has rank one. So W d is (W·h)·δ with W·h of K × d_v, formed once per prompt; and the gradient
/// of W, Σ_i g_i ⊗ δ_i ⊗ h_i, is Σ_x (Σ_{i of x} g_i ⊗ δ_i) ⊗ h_x: matrix products over prompts, not over
/// samples. The sums over entries of d split into sums over blocks of columns, and only those (`AutoencoderSums`) have
/// to leave a block: neither parameters nor gradients do.
public final class AutoencoderBlock {
    /// Sizes of the whole autoencoder, not of the block.
    public let shape: AutoencoderShape
    /// Of δ.
    public let columns: Range<Int>
    /// W: K × (columns·d_t).
    public let encoder: Matrix<Float>
    /// Dᵀ and, in the last row, b: (K+1) × (columns·d_t).
    public let atoms: Matrix<Float>
    private let moments: [Matrix<Float>]

    /// Initial values that are a pure function of (seed, latent, column): uniform, with rows of W and atoms of norm
    /// about 1, and b = 0.
    public init(_ shape: AutoencoderShape, columns: Range<Int>, seed: UInt64) {
        (self.shape, self.columns) = (shape, columns)
        let length = columns.count * shape.text
        encoder = Matrix(zeros: shape.latents, length)
        atoms = Matrix(zeros: shape.latents + 1, length)
        moments = [encoder, encoder, atoms, atoms].map { Matrix(zeros: $0.rows, $0.columns) }
        let bound = (3 / Double(shape.entries)).squareRoot()
        for (name, matrix) in [("encoder", encoder), ("decoder", atoms.rows(0..<shape.latents))] {
            for latent in 0..<shape.latents {
                for (place, column) in columns.enumerated() {
                    var random = KeyedRandom(seed, "autoencoder.\(name)", String(latent), String(column))
                    let row = matrix.row(latent) + place * shape.text
                    for t in 0..<shape.text { row[t] = Float(bound * (2 * random.uniform() - 1)) }
                }
            }
        }
    }

    /// Adds this block's share of the forward sums to `sums`.
    public func forward(_ batch: AutoencoderBatch, to sums: UnsafeMutableBufferPointer<Double>) {
        let (p, width) = (batch.texts.rows, shape.latents + 1)
        let layout = AutoencoderSums(samples: batch.count, latents: shape.latents)
        let byEncoder = Vector.product(batch.texts, transposed: perEntry(encoder))
        let byAtoms = Vector.product(batch.texts, transposed: perEntry(atoms))
        for x in 0..<p {
            let samples = batch.samples[x]
            let delta = batch.differences.rows(samples).columns(columns)
            let own = Vector.product(delta, transposed: perLatent(byEncoder, x, shape.latents))
            let cross = Vector.product(delta, transposed: perLatent(byAtoms, x, width))
            for (i, sample) in samples.enumerated() {
                for j in 0..<shape.latents { sums[layout.activation(sample, j)] += Double(own[i, j]) }
                for j in 0..<width { sums[layout.cross(sample, j)] += Double(cross[i, j]) }
            }
        }
        let gram = Vector.product(atoms, transposed: atoms)
        for (place, value) in zip(layout.gram, gram.elements) { sums[place] += Double(value) }
    }

    /// Cuts the atoms to the greatest length; before `gradients`, whose loss counts on it.
    public func scaleAtoms(_ loss: AutoencoderLoss) {
        for (atom, scale) in loss.atomScales.enumerated() where scale < 1 {
            Vector.scale(atoms.row(atom), by: scale, count: atoms.columns)
        }
    }

    /// The gradients of the block's parameters, shaped like `encoder` and `atoms`.
    public func gradients(
        _ batch: AutoencoderBatch, _ loss: AutoencoderLoss
    ) -> (encoder: Matrix<Float>, atoms: Matrix<Float>) {
        let (p, width) = (batch.texts.rows, shape.latents + 1)
        let byEncoder = Matrix<Float>(uninitialized: p, shape.latents * columns.count)
        let byAtoms = Matrix<Float>(uninitialized: p, width * columns.count)
        let scale = 2 / Float(batch.count)
        for x in 0..<p {
            let delta = batch.differences.rows(batch.samples[x]).columns(columns)
            Vector.setProduct(
                perLatent(byEncoder, x, shape.latents), loss.activationGradient.rows(batch.samples[x]),
                transposeA: true, delta)
            Vector.setProduct(
                perLatent(byAtoms, x, width), loss.codes.rows(batch.samples[x]), transposeA: true, delta, scale: -scale)
        }
        let encoderGradient = Matrix<Float>(uninitialized: encoder.rows, encoder.columns)
        Vector.setProduct(perEntry(encoderGradient), byEncoder, transposeA: true, batch.texts)
        // Σ_i z_i (d̂_i − d_i): d̂ through the codes' second moments, d contracted.
        let moments = Matrix<Float>(uninitialized: width, width)
        Vector.setProduct(moments, loss.codes, transposeA: true, loss.codes, scale: scale)
        let atomGradient = Vector.product(moments, atoms)
        Vector.setProduct(perEntry(atomGradient), byAtoms, transposeA: true, batch.texts, keep: 1)
        return (encoderGradient, atomGradient)
    }

    /// One AdamW update.
    public func update(_ batch: AutoencoderBatch, _ loss: AutoencoderLoss, step: AdamWStep) {
        scaleAtoms(loss)
        let gradients = gradients(batch, loss)
        for (index, (parameters, gradient)) in [(encoder, gradients.encoder), (atoms, gradients.atoms)].enumerated() {
            Vector.adamW(
                parameters.base, gradient: gradient.base, firstMoment: moments[2 * index].base,
                secondMoment: moments[2 * index + 1].base, count: parameters.count, step: step)
        }
    }

    /// (rows·columns) × d_t: a row for each latent and column of δ.
    private func perEntry(_ matrix: Matrix<Float>) -> Matrix<Float> {
        matrix.reshaped(matrix.rows * columns.count, shape.text)
    }

    /// Prompt `x`'s row as latents × columns.
    private func perLatent(_ matrix: Matrix<Float>, _ x: Int, _ latents: Int) -> Matrix<Float> {
        matrix.rows(x..<x + 1).reshaped(latents, columns.count)
    }
}
