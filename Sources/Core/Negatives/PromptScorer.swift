/// Scores a gallery's images as negatives for one prompt: the autoencoder contracted with the prompt's h once, then
/// 2·K·d_v multiplications an image.
///
/// With ĥ = h/‖h‖ each atom is split along the text side: D_k = u_k ⊗ ĥ + D_k⊥ with u_k = D_k·ĥ. As d =
/// vec(δ hᵀ) lies along ĥ altogether, ‖d − Dz − b‖² = ‖‖h‖δ − Σ_k z_k u_k − u_b‖² + ‖Σ_k
/// z_k D_k⊥ + b⊥‖², and the second term is ‖Lᵀ(z, 1)‖² with the Cholesky factor L of the remaining Gram
/// matrix. Unlike the expansion ‖d‖² − 2… + …, nothing large cancels: small errors keep their digits
/// (docs/mining.md; the split is this project's own).
public struct PromptScorer: Sendable {
    private let shape: AutoencoderShape
    /// W·ĥ: K × d_v.
    private let encoder: Matrix<Float>
    private let encoderBias: Matrix<Float>
    /// u: K × d_v, and u_b.
    private let along: Matrix<Float>
    private let biasAlong: Matrix<Float>
    /// L: K × (K+1), and its last row.
    private let across: Matrix<Float>
    private let biasAcross: Matrix<Float>
    /// ‖h‖
    private let length: Float

    /// Candidates that go through the products at once. Always as many, so that an image's bits do not depend on where
    /// in the list it stands.
    static let block = 256

    /// One scorer for each row of `texts`; several at once read the autoencoder's weights once.
    ///
    /// - Parameter texts: p × d_t
    public static func make(_ autoencoder: SparseAutoencoder, texts: Matrix<Float>) -> [PromptScorer] {
        let shape = autoencoder.shape
        let lengths = (0..<texts.rows).map { Vector.sumOfSquares(texts.row($0), count: shape.text).squareRoot() }
        let directions = Matrix<Double>(uninitialized: texts.rows, shape.text)
        let narrow = texts.copied()
        for p in 0..<texts.rows {
            let inverse = 1 / max(lengths[p], .leastNormalMagnitude)
            for t in 0..<shape.text { directions[p, t] = Double(texts[p, t]) * inverse }
            for t in 0..<shape.text { narrow[p, t] = Float(directions[p, t]) }
        }
        let byEncoder = Vector.product(
            narrow, transposed: autoencoder.encoder.reshaped(shape.latents * shape.image, shape.text))
        let along = alongText(autoencoder, directions)
        return (0..<texts.rows).map { p in
            PromptScorer(
                autoencoder, encoder: byEncoder.rows(p..<p + 1).reshaped(shape.latents, shape.image).copied(),
                along: along[p], length: Float(lengths[p]))
        }
    }

    /// u of each prompt, (K+1) × d_v: in Double, as it is subtracted from the Gram matrix.
    private static func alongText(_ autoencoder: SparseAutoencoder, _ directions: Matrix<Double>) -> [Matrix<Double>] {
        let shape = autoencoder.shape
        let results = (0..<directions.rows).map { _ in Matrix<Double>(uninitialized: shape.latents + 1, shape.image) }
        let wide = Matrix<Double>(uninitialized: shape.image, shape.text)
        let products = Matrix<Double>(uninitialized: directions.rows, shape.image)
        for index in 0...shape.latents {
            Double.widen(autoencoder.atom(index).base, .float32, into: wide.base, count: wide.count)
            DoublePrecision.setProduct(products, directions, wide, transposeB: true)
            for p in 0..<directions.rows {
                results[p].row(index).update(from: products.row(p), count: shape.image)
            }
        }
        return results
    }

    private init(_ autoencoder: SparseAutoencoder, encoder: Matrix<Float>, along: Matrix<Double>, length: Float) {
        shape = autoencoder.shape
        (self.encoder, encoderBias, self.length) = (encoder, autoencoder.encoderBias, length)
        let rest = autoencoder.gram.copied()
        DoublePrecision.setProduct(rest, along, along, transposeB: true, scale: -1, keep: 1)
        let factor = rest.semidefiniteFactor().narrowed()
        let narrow = along.narrowed()
        self.along = narrow.rows(0..<shape.latents)
        biasAlong = narrow.rows(shape.latents..<shape.latents + 1)
        across = factor.rows(0..<shape.latents)
        biasAcross = factor.rows(shape.latents..<shape.latents + 1)
    }

    /// The scores of the images `candidates` as negatives of `positive`, both rows of `images` (n × d_v).
    public func scores(_ images: Matrix<Float>, positive: Int, candidates: [Int]) -> CandidateScores {
        let latents = Matrix<Float>(uninitialized: candidates.count, shape.latents)
        var (errors, deviations) = ([Float](), [Float]())
        errors.reserveCapacity(candidates.count)
        deviations.reserveCapacity(candidates.count)
        let delta = Matrix<Float>(zeros: Self.block, shape.image)
        let codes = Matrix<Float>(uninitialized: Self.block, shape.latents)
        let rest = Matrix<Float>(uninitialized: Self.block, shape.latents + 1)
        for start in stride(from: 0, to: candidates.count, by: Self.block) {
            let count = min(Self.block, candidates.count - start)
            for i in 0..<count {
                Vector.difference(
                    images.row(positive), images.row(candidates[start + i]), scale: length, into: delta.row(i),
                    count: shape.image)
            }
            Vector.setProduct(codes, delta, encoder, transposeB: true)
            Vector.sigmoid(codes, bias: encoderBias.base)
            for i in 0..<Self.block {
                Vector.addScaled(-1, biasAlong.base, to: delta.row(i), count: shape.image)
                rest.row(i).update(from: biasAcross.base, count: rest.columns)
            }
            Vector.setProduct(delta, codes, along, scale: -1, keep: 1)
            Vector.setProduct(rest, codes, across, keep: 1)
            for i in 0..<count {
                let error =
                    Vector.sumOfSquares(delta.row(i), count: delta.columns)
                    + Vector.sumOfSquares(rest.row(i), count: rest.columns)
                errors.append(Float(error))
                deviations.append(Float(Vector.sum(codes.row(i), count: codes.columns)))
            }
            latents.rows(start..<start + count).copyElements(of: codes.rows(0..<count))
        }
        return CandidateScores(rows: candidates, errors: errors, deviations: deviations, latents: latents)
    }
}

/// What an autoencoder makes of one prompt's candidates.
public struct CandidateScores: Sendable {
    /// The candidates' rows in the gallery.
    public let rows: [Int]
    /// s_i = ℓ_i / max ℓ + v_i / max v, the maxima over these candidates.
    public let scores: [Double]
    /// ℓ_i, the squared reconstruction error: how hard the difference is to explain.
    public let errors: [Float]
    /// v_i = ‖E(d_i)‖₁: how far the meaning deviates.
    public let deviations: [Float]
    /// E(d_i): candidates × K.
    public let latents: Matrix<Float>

    /// Computes the scores; the maxima are over the candidates given here.
    public init(rows: [Int], errors: [Float], deviations: [Float], latents: Matrix<Float>) {
        (self.rows, self.errors, self.deviations, self.latents) = (rows, errors, deviations, latents)
        let (greatestError, greatestDeviation) = (Double(errors.max() ?? 0), Double(deviations.max() ?? 0))
        func share(_ value: Float, of greatest: Double) -> Double { greatest > 0 ? Double(value) / greatest : 0 }
        scores = zip(errors, deviations).map {
            share($0, of: greatestError) + share($1, of: greatestDeviation)
        }
    }

    /// ℓ_i / max ℓ, the first term of the score.
    public func errorShare(_ place: Int) -> Double {
        let greatest = errors.max() ?? 0
        return greatest > 0 ? Double(errors[place]) / Double(greatest) : 0
    }
}

extension Matrix<Double> {
    func narrowed() -> Matrix<Float> { Matrix<Float>(rows, columns, elements.map(Float.init)) }

    /// L, lower triangular, with L Lᵀ = self for a symmetric positive semidefinite matrix. A pivot that is rounding
    /// beside the diagonal gives a column of zeros.
    func semidefiniteFactor() -> Matrix<Double> {
        let factor = Matrix(zeros: rows, columns)
        let least = 1e-13 * (0..<rows).reduce(0) { max($0, self[$1, $1]) }
        for k in 0..<rows {
            var pivot = self[k, k]
            for m in 0..<k { pivot -= factor[k, m] * factor[k, m] }
            guard pivot > least else { continue }
            factor[k, k] = pivot.squareRoot()
            for i in k + 1..<rows {
                var value = self[i, k]
                for m in 0..<k { value -= factor[i, m] * factor[k, m] }
                factor[i, k] = value / factor[k, k]
            }
        }
        return factor
    }
}
