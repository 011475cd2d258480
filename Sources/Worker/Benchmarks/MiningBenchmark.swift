import ArgumentParser
import Coordinator
import Core
import Foundation

/// `misp-worker bench mine`: scoring a gallery for a prompt, beside the plain form, and training the autoencoder.
package struct MiningBenchmark: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "mine",
        abstract: "Times the scoring of a gallery for one prompt on every rank at once.",
        discussion: """
            The embeddings are synthetic. The plain form writes every difference out (size² numbers) and sends a \
            batch of them through the same matrix products; both are timed in one run, on the same candidates, and \
            have to agree. The autoencoder is first trained for a few steps, by all ranks together, and read back \
            from its file.
            """)

    @Option(help: "Length of an embedding.") package var size = 512
    @Option(help: "Images of the gallery; COCO's training set has 118,287.") package var gallery = 118_287
    @Option(help: "Steps of training.") package var steps = 3
    @Option(help: "Prompts timed on each rank; the median counts.") package var repeats = 3
    @Option(help: "Candidates of the plain form.") package var plain = 64
    @Option(help: "Keeps the autoencoder in this file.") package var out: String?

    package init() {}

    package func run() throws {
        guard size >= 8, gallery > 100, steps > 0, repeats > 0, (1..<gallery).contains(plain) else {
            throw ValidationError("--size, --gallery, --steps, --repeats and --plain take positive numbers")
        }
        throw ExitCode(Communicators.run { try measure($0) })
    }

    private func measure(_ communicator: any Communicator) throws -> Int32 {
        BLAS.setThreads(1)
        let (images, texts) = (Self.rows(gallery, size, "images"), Self.rows(64, size, "texts"))
        let autoencoder = try train(images, texts, communicator)
        var (fast, slow, picking, rates) = ([Double](), [Double](), [Double](), [Double]())
        var worst = 0.0
        for round in 0..<repeats {
            let text = texts.rows(round % 64..<round % 64 + 1)
            let candidates = (0..<gallery).filter { $0 != round }
            try communicator.barrier()
            rates.append(MachineRate.measure(side: 1024, seconds: 0.3))
            try communicator.barrier()
            var clock = Stopwatch()
            let scorer = PromptScorer.make(autoencoder, texts: text)[0]
            let scores = scorer.scores(images, positive: round, candidates: candidates)
            try communicator.barrier()
            fast.append(clock.lap())
            _ = GreedyDiverse().pick(3, scores)
            picking.append(clock.lap())
            let form = PlainScorer(autoencoder, text: text)
            try communicator.barrier()
            _ = clock.lap()
            let errors = form.errors(images, positive: round, candidates: Array(candidates.prefix(plain)))
            try communicator.barrier()
            slow.append(clock.lap())
            for (own, other) in zip(scores.errors, errors) { worst = max(worst, abs(Double(own / other) - 1)) }
        }
        try communicator.agree {
            if worst > 1e-3 {
                throw MISPError("differs from the plain form by \(worst)", at: "bench mine", kind: .defect)
            }
        }
        let memory = try communicator.max([ProcessMemory.peak])[0]
        guard communicator.rank == 0 else { return 0 }
        let (seconds, plainSeconds) = (Self.median(fast), Self.median(slow))
        let (rate, plainRate) = (Double(gallery - 1) / seconds, Double(plain) / plainSeconds)
        let operations = Double(gallery - 1) * 2 * 128 * Double(2 * size + 129) + 4 * 128 * Double(size * size)
        print(
            String(
                format: """
                    d %d, %d candidates, %d %@: %.2f s a prompt, %.0f candidates/s a core, %.1f GFLOP/s \
                    (sgemm %.1f); 3 picks %.3f s
                      plain form: %.0f candidates/s a core; ratio %.0f, greatest difference %.1e; \
                    peak memory %.2f GiB a rank
                    """, size, gallery - 1, communicator.size, communicator.size == 1 ? "rank" : "ranks", seconds, rate,
                operations / seconds / 1e9, Self.median(rates) / 1e9, Self.median(picking), plainRate,
                rate / plainRate, worst, memory / 1_073_741_824))
        return 0
    }

    /// Collective.
    private func train(
        _ images: Matrix<Float>, _ texts: Matrix<Float>, _ communicator: any Communicator
    ) throws -> SparseAutoencoder {
        var settings = AutoencoderSettings()
        settings.steps = steps
        let prompts = (0..<texts.rows).map { MiningPrompt(id: "g\($0)", positive: $0, text: $0) }
        let training = try AutoencoderTraining(
            settings, images: images, texts: texts, prompts: prompts, duplicateLimit: 0.99, communicator: communicator)
        let summary = try training.run()
        let name = "misp-bench-\(ProcessInfo.processInfo.processIdentifier).safetensors"
        let mine = out ?? FileManager.default.temporaryDirectory.appending(path: name).path
        let file = URL(
            filePath: String(decoding: try communicator.broadcast(Data(mine.utf8), from: 0), as: UTF8.self))
        try training.write(to: file)
        let read = try communicator.agree { try SparseAutoencoder(contentsOf: file) }
        if communicator.rank == 0 {
            // Mapped files stay readable after their name is gone.
            if out == nil { try FileManager.default.removeItem(at: file) }
            let seconds = Self.median(summary.steps.map(\.seconds))
            print(
                String(
                    format: "training: %.2f s a step of %d differences; %@", seconds, summary.steps[0].samples,
                    summary.line))
        }
        return read
    }

    /// Unit rows around a few centres.
    private static func rows(_ count: Int, _ columns: Int, _ key: String) -> Matrix<Float> {
        let matrix = Matrix<Float>(uninitialized: count, columns)
        let centres = (0..<32).map { centre in
            var random = KeyedRandom(1, "bench.centre", key, String(centre))
            return (0..<columns).map { _ in Float(random.uniform() - 0.5) }
        }
        for r in 0..<count {
            var random = KeyedRandom(1, "bench.row", key, String(r))
            let centre = centres[random.below(centres.count)]
            for c in 0..<columns { matrix[r, c] = centre[c] + Float(random.uniform() - 0.5) }
            let norm = Vector.sumOfSquares(matrix.row(r), count: columns).squareRoot()
            Vector.scale(matrix.row(r), by: Float(1 / norm), count: columns)
        }
        return matrix
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}

/// The form without contraction: what `PromptScorer` is measured against.
private struct PlainScorer {
    private let autoencoder: SparseAutoencoder
    private let text: Matrix<Float>

    init(_ autoencoder: SparseAutoencoder, text: Matrix<Float>) { (self.autoencoder, self.text) = (autoencoder, text) }

    /// ‖d − D z − b‖² with every d = vec(δ hᵀ) written out: batch × (d_v·d_t).
    func errors(_ images: Matrix<Float>, positive: Int, candidates: [Int]) -> [Float] {
        let shape = autoencoder.shape
        let differences = Matrix<Float>(uninitialized: candidates.count, shape.entries)
        for (i, row) in candidates.enumerated() {
            for v in 0..<shape.image {
                let delta = images[positive, v] - images[row, v]
                let target = differences.row(i) + v * shape.text
                target.update(from: text.base, count: shape.text)
                Vector.scale(target, by: delta, count: shape.text)
            }
        }
        let codes = Vector.product(differences, transposed: autoencoder.encoder)
        Vector.sigmoid(codes, bias: autoencoder.encoderBias.base)
        Vector.setProduct(differences, codes, autoencoder.decoder, scale: -1, keep: 1)
        return candidates.indices.map { i in
            Vector.addScaled(-1, autoencoder.decoderBias.base, to: differences.row(i), count: shape.entries)
            return Float(Vector.sumOfSquares(differences.row(i), count: shape.entries))
        }
    }
}
