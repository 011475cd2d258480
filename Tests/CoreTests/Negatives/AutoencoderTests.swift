import Core
import Testing

/// Rank-one arithmetic against the autoencoder written out.
struct AutoencoderTests {
    static let shape = AutoencoderShape(latents: 7, image: 11, text: 9)

    static func batch(_ shape: AutoencoderShape, prompts: Int = 3, each: Int = 5) -> AutoencoderBatch {
        let texts = clusteredRows(prompts, shape.text, spread: 1, key: "texts")
        let images = clusteredRows(prompts * each + prompts, shape.image, spread: 1, key: "images")
        let differences = Matrix<Float>(uninitialized: prompts * each, shape.image)
        for i in 0..<differences.rows {
            Vector.difference(
                images.row(i / each), images.row(prompts + i), scale: 1, into: differences.row(i), count: shape.image)
        }
        return AutoencoderBatch(
            texts: texts, differences: differences, samples: (0..<prompts).map { $0 * each..<($0 + 1) * each })
    }

    /// Blocks with weights far larger than initial ones, so that latents differ.
    static func blocks(_ shape: AutoencoderShape, cuts: [Int]) -> [AutoencoderBlock] {
        let blocks = zip(cuts, cuts.dropFirst()).map { AutoencoderBlock(shape, columns: $0..<$1, seed: 4) }
        for block in blocks {
            Vector.scale(block.encoder.base, by: 3 * Float(shape.entries).squareRoot(), count: block.encoder.count)
            var random = KeyedRandom(5, "bias", "\(block.columns)")
            for i in 0..<block.atoms.columns { block.atoms[shape.latents, i] = Float(0.1 * random.normal()) }
        }
        return blocks
    }

    static func plain(_ shape: AutoencoderShape, _ blocks: [AutoencoderBlock], bias: Matrix<Float>) -> PlainAutoencoder
    {
        func row(_ part: (AutoencoderBlock) -> Matrix<Float>, _ index: Int) -> [Double] {
            blocks.flatMap { doubles(part($0), index) }
        }
        return PlainAutoencoder(
            latents: shape.latents, encoder: (0..<shape.latents).map { row({ $0.encoder }, $0) },
            encoderBias: bias.elements.map(Double.init), decoder: (0..<shape.latents).map { row({ $0.atoms }, $0) },
            decoderBias: row({ $0.atoms }, shape.latents))
    }

    static func differences(_ batch: AutoencoderBatch) -> [[Double]] {
        batch.samples.enumerated().flatMap { x, samples in
            samples.map { PlainAutoencoder.outer(doubles(batch.differences, $0), doubles(batch.texts, x)) }
        }
    }

    static func loss(
        _ batch: AutoencoderBatch, _ blocks: [AutoencoderBlock], bias: Matrix<Float>, _ settings: AutoencoderSettings
    ) -> AutoencoderLoss {
        var sums = [Double](
            repeating: 0, count: AutoencoderSums(samples: batch.count, latents: settings.latents).count)
        sums.withUnsafeMutableBufferPointer { sums in blocks.forEach { $0.forward(batch, to: sums) } }
        return AutoencoderLoss(batch, sums: sums, bias: bias, settings: settings)
    }

    @Test(arguments: [[0, 11], [0, 4, 5, 11]]) func lossAndGradientsAreThePlainOnes(cuts: [Int]) throws {
        let (shape, batch) = (Self.shape, Self.batch(Self.shape))
        var settings = AutoencoderSettings()
        settings.latents = shape.latents
        settings.sparsityWeight = 0.7
        let blocks = Self.blocks(shape, cuts: cuts)
        let bias = Matrix<Float>(1, 7, [-1, 0.3, 0, -2, 1, 0.5, -0.2])
        settings.atomLength = 0.9
        let own = Self.loss(batch, blocks, bias: bias, settings)
        for block in blocks { block.scaleAtoms(own) }
        let lengths = (0..<shape.latents).map { j in
            blocks.reduce(0) { $0 + Vector.sumOfSquares($1.atoms.row(j), count: $1.atoms.columns) }.squareRoot()
        }
        // Some are cut and some are not.
        #expect(lengths.allSatisfy { $0 < 0.9 + 1e-6 } && lengths.contains { $0 < 0.9 - 1e-3 })
        #expect(own.atomScales.contains { $0 < 1 } && own.atomScales[shape.latents] == 1)
        let plain = Self.plain(shape, blocks, bias: bias)
            .outcome(Self.differences(batch), rho: settings.sparsity, gamma: settings.sparsityWeight)
        #expect(abs(own.loss - plain.loss) < 1e-5 * plain.loss)
        for (error, expected) in zip(own.errors, plain.errors) { #expect(abs(error - expected) < 1e-5 * expected) }
        #expect(relativeDistance(own.biasGradient.map(Double.init), plain.encoderBias) < 1e-5)
        let gradients = blocks.map { $0.gradients(batch, own) }
        for j in 0..<shape.latents {
            #expect(relativeDistance(gradients.flatMap { doubles($0.encoder, j) }, plain.encoder[j]) < 1e-5)
            #expect(relativeDistance(gradients.flatMap { doubles($0.atoms, j) }, plain.decoder[j]) < 1e-5)
        }
        #expect(relativeDistance(gradients.flatMap { doubles($0.atoms, shape.latents) }, plain.decoderBias) < 1e-5)
    }

    /// The plain form itself, by differences of its loss: the other tests lean on it.
    @Test func plainGradientsAreDerivatives() {
        let (shape, batch) = (Self.shape, Self.differences(Self.batch(Self.shape)))
        let bias = Matrix<Float>(1, 7, [-1, 0.3, 0, -2, 1, 0.5, -0.2])
        let plain = Self.plain(shape, Self.blocks(shape, cuts: [0, 11]), bias: bias)
        let gradient = plain.outcome(batch, rho: 0.05, gamma: 0.7)
        func slope(_ change: (inout PlainAutoencoder, Double) -> Void) -> Double {
            let losses = [1e-5, -1e-5].map { step in
                var moved = plain
                change(&moved, step)
                return moved.outcome(batch, rho: 0.05, gamma: 0.7).loss
            }
            return (losses[0] - losses[1]) / 2e-5
        }
        for (j, i) in [(0, 0), (3, 40), (6, 98)] {
            #expect(abs(slope { $0.encoder[j][i] += $1 } - gradient.encoder[j][i]) < 1e-7)
            #expect(abs(slope { $0.decoder[j][i] += $1 } - gradient.decoder[j][i]) < 1e-7)
            #expect(abs(slope { $0.encoderBias[j] += $1 } - gradient.encoderBias[j]) < 1e-7)
            #expect(abs(slope { $0.decoderBias[i] += $1 } - gradient.decoderBias[i]) < 1e-7)
        }
    }

    @Test func initialValuesDoNotDependOnTheBlocks() {
        let whole = AutoencoderBlock(Self.shape, columns: 0..<11, seed: 9)
        let part = AutoencoderBlock(Self.shape, columns: 4..<7, seed: 9)
        for j in 0..<7 {
            let range = 4 * 9..<7 * 9
            #expect(part.encoder.rows(j..<j + 1).elements == whole.encoder.columns(range).rows(j..<j + 1).elements)
            #expect(part.atoms.rows(j..<j + 1).elements == whole.atoms.columns(range).rows(j..<j + 1).elements)
        }
        #expect(whole.encoder.elements != whole.atoms.rows(0..<7).elements)
        let norm = Vector.sumOfSquares(whole.encoder.base, count: whole.encoder.count)
        #expect(abs(norm / 7 - 1) < 0.2)
    }
}
