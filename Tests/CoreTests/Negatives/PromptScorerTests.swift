import Core
import Foundation
import TestSupport
import Testing

/// Scores against the autoencoder written out, and their independence of the order of the gallery.
struct PromptScorerTests {
    static let shape = AutoencoderShape(latents: 16, image: 40, text: 24)

    /// - Parameter explained: of each difference, the share that the atoms explain; the rest is the error
    static func autoencoder(explained: Double) -> SparseAutoencoder {
        let shape = Self.shape
        var random = KeyedRandom(11, "autoencoder")
        func normal(_ rows: Int, _ columns: Int, _ scale: Double) -> Matrix<Float> {
            Matrix(rows, columns, (0..<rows * columns).map { _ in Float(scale * random.normal()) })
        }
        let decoder = normal(shape.latents, shape.entries, 0.02 * (1 - explained))
        let encoder = normal(shape.latents, shape.entries, 1)
        // Atoms nearly along the prompt's direction: their Gram matrix and its part along h all but cancel.
        let (text, images) = (texts(), images())
        for j in 0..<shape.latents where explained > 0 {
            for v in 0..<shape.image {
                for t in 0..<shape.text {
                    decoder[j, v * shape.text + t] += Float(0.05 * Double(images[j, v])) * text[0, t]
                }
            }
        }
        let bias = normal(1, shape.entries, 0.01 * (1 - explained))
        guard explained > 0 else {
            return SparseAutoencoder(
                shape, encoder: encoder, encoderBias: normal(1, 16, 1), decoder: decoder, decoderBias: bias)
        }
        // b takes care of most of the difference between images 0 and 50.
        for v in 0..<shape.image {
            for t in 0..<shape.text {
                bias[0, v * shape.text + t] += Float(explained) * (images[0, v] - images[50, v]) * text[0, t]
            }
        }
        return SparseAutoencoder(
            shape, encoder: encoder, encoderBias: Matrix(1, 16, [Float](repeating: -7, count: 16)), decoder: decoder,
            decoderBias: bias)
    }

    static func texts() -> Matrix<Float> { clusteredRows(3, shape.text, spread: 1, key: "texts") }

    static func images() -> Matrix<Float> {
        let images = clusteredRows(700, shape.image, spread: 0.5, key: "gallery")
        // A neighbourhood of image 50: small changes, as in near repetitions of a scene.
        var random = KeyedRandom(12, "near")
        for r in 51..<80 {
            for c in 0..<shape.image { images[r, c] = images[50, c] + Float(0.01 * random.normal()) }
        }
        return images
    }

    static func plain(_ autoencoder: SparseAutoencoder) -> PlainAutoencoder {
        PlainAutoencoder(
            latents: shape.latents, encoder: (0..<shape.latents).map { doubles(autoencoder.encoder, $0) },
            encoderBias: doubles(autoencoder.encoderBias, 0),
            decoder: (0..<shape.latents).map { doubles(autoencoder.decoder, $0) },
            decoderBias: doubles(autoencoder.decoderBias, 0))
    }

    @Test(arguments: [0, 0.97]) func scoresAreThePlainOnes(explained: Double) {
        let (images, texts) = (Self.images(), Self.texts())
        let autoencoder = Self.autoencoder(explained: explained)
        let plain = Self.plain(autoencoder)
        let candidates = Array(40..<600)
        for (p, scorer) in PromptScorer.make(autoencoder, texts: texts).enumerated() {
            let own = scorer.scores(images, positive: 0, candidates: candidates)
            let differences = candidates.map { row in
                PlainAutoencoder.outer(
                    zip(doubles(images, 0), doubles(images, row)).map(-), doubles(texts, p))
            }
            let errors = differences.map(plain.error)
            let codes = differences.map(plain.encode)
            let deviations = codes.map { $0.reduce(0, +) }
            let greatest = (errors.max() ?? 1, deviations.max() ?? 1)
            for i in candidates.indices {
                #expect(abs(Double(own.errors[i]) - errors[i]) < 1e-5 * errors[i])
                #expect(abs(Double(own.deviations[i]) - deviations[i]) < 1e-5 * deviations[i])
                let score = errors[i] / greatest.0 + deviations[i] / greatest.1
                #expect(abs(own.scores[i] - score) < 1e-5 * score)
                #expect(relativeDistance(doubles(own.latents, i), codes[i]) < 1e-5)
            }
            if explained > 0, p == 0 {
                // The case is what it claims to be: errors far below the differences.
                let square = PlainAutoencoder.dot(differences[10], differences[10])
                #expect(errors[10] < 0.003 * square, "\(errors[10] / square)")
            }
        }
    }

    /// An image's bits do not depend on its place, so equal images tie exactly and ranks may share a gallery out.
    @Test func equalImagesHaveEqualScoresWhereverTheyStand() {
        let images = Self.images()
        let repeated = Array(600..<700) + [611, 655] + Array(1..<300) + [655] + Array(300..<333) + [611]
        let scorer = PromptScorer.make(Self.autoencoder(explained: 0), texts: Self.texts())[1]
        let own = scorer.scores(images, positive: 0, candidates: repeated)
        let places = Dictionary(grouping: repeated.indices) { repeated[$0] }.values.filter { $0.count > 1 }
        #expect(places.count == 2)
        for group in places {
            #expect(Set(group.map { own.scores[$0].bitPattern }).count == 1)
            #expect(Set(group.map { own.latents.rows($0..<$0 + 1).elements }).count == 1)
        }
        let alone = scorer.scores(images, positive: 0, candidates: [655])
        #expect(alone.errors[0] == own.errors[101] && alone.deviations[0] == own.deviations[101])
        #expect(own.rows[101] == 655)
    }

    @Test func filesGiveTheSameScores() throws {
        let folder = try TemporaryFolder()
        let file = folder["sae.safetensors"]
        let made = Self.autoencoder(explained: 0)
        try SparseAutoencoder.write(
            made.shape, encoder: made.encoder, encoderBias: made.encoderBias, decoder: made.decoder,
            decoderBias: made.decoderBias, to: file)
        let read = try SparseAutoencoder(contentsOf: file)
        #expect(read.shape == made.shape)
        let (images, texts) = (Self.images(), Self.texts())
        let scores = [made, read].map {
            PromptScorer.make($0, texts: texts)[2].scores(images, positive: 3, candidates: [5, 6, 7]).scores
        }
        #expect(scores[0] == scores[1])
    }

    @Test func filesThatAreNoAutoencoderAreNamed() throws {
        let folder = try TemporaryFolder()
        let file = folder["sae.safetensors"]
        try SafetensorsWriter.write(
            [.init(name: "encoder.weight", shape: [2, 6], matrix: Matrix(zeros: 2, 6))],
            metadata: ["latents": "2", "image": "3", "text": "4"], to: file)
        let error = #expect(throws: MISPError.self) { try SparseAutoencoder(contentsOf: file) }
        #expect(error?.description.contains("encoder.weight: is F32 [2, 6], and should be F32 [2, 12]") == true)
    }

    @Test func duplicatesAndExclusionsAreNoCandidates() {
        let images = Matrix<Float>(5, 2, [1, 0, 0.999, 0.0447, 0, 1, -1, 0, 0.6, 0.8])
        let prompt = MiningPrompt(id: "g", positive: 0, text: 0, excluded: [3])
        #expect(CandidateRows.select(images, prompt, duplicateLimit: 0.95) == [2, 4])
        #expect(CandidateRows.select(images, prompt, duplicateLimit: 0.9995) == [1, 2, 4])
        #expect(CandidateRows.select(images, prompt, duplicateLimit: 0.5) == [2])
    }
}
