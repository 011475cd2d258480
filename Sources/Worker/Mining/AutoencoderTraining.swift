import Coordinator
import Core
import Foundation

/// Trains the sparse autoencoder on all ranks; the same bits for any number of them.
///
/// The ranks share out the columns of δ and with them the parameters, not the samples: since d = vec(δ hᵀ) has rank
/// one, what the columns have to tell each other about a sample are sums of 2K + 1 numbers, while a gradient has
/// 2K·d_v·d_t. So a step has one exchange, forward, of some kilobytes a prompt; gradients, AdamW and its moments stay
/// with the parameters, whose memory is divided by the number of ranks.
package final class AutoencoderTraining {
    /// Blocks of columns: the leaves of every sum, and the most ranks that have work.
    static let blocks = 32

    package let shape: AutoencoderShape
    private let settings: AutoencoderSettings
    private let sampler: AutoencoderSampler
    private let communicator: any Communicator
    private let sum: LeafSum
    private let own: [Int: AutoencoderBlock]
    /// a and its moments, on every rank.
    private let bias: Matrix<Float>
    private let biasMoments: Matrix<Float>
    private var peaks: [[Double]] = []

    /// Collective.
    ///
    /// - Parameters:
    ///   - images: n × d_v, rows of unit length; the same on every rank, like all arguments
    ///   - texts: m × d_t, rows of unit length
    ///   - duplicateLimit: the cosine above which an image counts as the positive itself
    package init(
        _ settings: AutoencoderSettings, images: Matrix<Float>, texts: Matrix<Float>, prompts: [MiningPrompt],
        duplicateLimit: Float, communicator: any Communicator
    ) throws {
        self.settings = settings
        self.communicator = communicator
        let shape = AutoencoderShape(latents: settings.latents, image: images.columns, text: texts.columns)
        self.shape = shape
        sampler = AutoencoderSampler(
            settings, images: images, texts: texts, prompts: prompts, duplicateLimit: duplicateLimit)
        let sum = LeafSum(leaves: min(Self.blocks, shape.image), communicator: communicator)
        self.sum = sum
        own = .init(
            uniqueKeysWithValues: sum.mine.map { leaf in
                (
                    leaf,
                    AutoencoderBlock(shape, columns: Self.columns(leaf, of: sum.leaves, shape), seed: settings.seed)
                )
            })
        // At 0 input each latent then has the activation that the penalty asks for.
        let logit = Double.naturalLogarithm(settings.sparsity / (1 - settings.sparsity))
        bias = Matrix(1, shape.latents, [Float](repeating: Float(logit), count: shape.latents))
        biasMoments = Matrix(zeros: 2, shape.latents)
    }

    private static func columns(_ leaf: Int, of leaves: Int, _ shape: AutoencoderShape) -> Range<Int> {
        shape.image * leaf / leaves..<shape.image * (leaf + 1) / leaves
    }

    /// Collective: all steps. `report` is called on every rank after each of them.
    package func run(_ report: (AutoencoderStep) throws -> Void = { _ in }) throws -> AutoencoderSummary {
        var steps: [AutoencoderStep] = []
        for step in 0..<settings.steps {
            steps.append(try takeStep(step))
            try report(steps[step])
        }
        return AutoencoderSummary(steps: steps, peaks: peaks, settings: settings)
    }

    private func takeStep(_ step: Int) throws -> AutoencoderStep {
        var clock = Stopwatch()
        let batch = try communicator.agree { try sampler.batch(step) }
        let count = AutoencoderSums(samples: batch.count, latents: shape.latents).count
        let sums = try sum(count: count) { leaf, vector in own[leaf]?.forward(batch, to: vector) }
        let loss = AutoencoderLoss(batch, sums: sums, bias: bias, settings: settings)
        // The same on every rank, like the loss.
        try communicator.agree {
            if !loss.loss.isFinite {
                throw MISPError(
                    "the loss is not finite in step \(step + 1)", at: "autoencoder", remedy: "lower its learning rate")
            }
        }
        let update = AdamWStep(
            learningRate: settings.learningRate(step: step, shape), weightDecay: settings.weightDecay, count: step + 1)
        for leaf in sum.mine { own[leaf]?.update(batch, loss, step: update) }
        let gradient = Matrix<Float>(1, shape.latents, loss.biasGradient)
        Vector.adamW(
            bias.base, gradient: gradient.base, firstMoment: biasMoments.row(0), secondMoment: biasMoments.row(1),
            count: shape.latents, step: update)
        peaks = peaks.suffix(AutoencoderSummary.window - 1) + [loss.peaks]
        return AutoencoderStep(step: step + 1, loss, samples: batch.count, seconds: clock.lap())
    }

    /// Collective: writes `sae.safetensors`, rank 0 doing it, whole or not at all.
    package func write(to url: URL) throws {
        let encoder = try gather(rows: shape.latents) { $0.encoder }
        let atoms = try gather(rows: shape.latents + 1) { $0.atoms }
        try communicator.agree {
            guard communicator.rank == 0 else { return }
            // As the next step would find them.
            for latent in 0..<shape.latents {
                let length = Vector.sumOfSquares(atoms.row(latent), count: atoms.columns).squareRoot()
                guard length > settings.atomLength else { continue }
                Vector.scale(atoms.row(latent), by: Float(settings.atomLength / length), count: atoms.columns)
            }
            try SparseAutoencoder.write(
                shape, encoder: encoder, encoderBias: bias, decoder: atoms.rows(0..<shape.latents),
                decoderBias: atoms.rows(shape.latents..<shape.latents + 1), to: url,
                metadata: ["sparsity": "\(settings.sparsity)", "sparsity_weight": "\(settings.sparsityWeight)"])
        }
    }

    /// The blocks' matrices side by side, on rank 0; the other ranks get an empty one.
    private func gather(rows: Int, _ part: (AutoencoderBlock) -> Matrix<Float>) throws -> Matrix<Float> {
        let isRoot = communicator.rank == 0
        let whole = Matrix<Float>(uninitialized: isRoot ? rows : 0, shape.entries)
        func width(_ rank: Int) -> Int {
            sum.leaves(of: rank).reduce(0) { $0 + Self.columns($1, of: sum.leaves, shape).count } * shape.text
        }
        // A row at a time: beside the blocks and the whole there is no third copy.
        for row in 0..<rows {
            var mine: [Float] = []
            for leaf in sum.mine {
                if let block = own[leaf].map(part) {
                    mine += UnsafeBufferPointer(start: block.row(row), count: block.columns)
                }
            }
            try mine.withUnsafeBufferPointer { mine in
                let nothing = UnsafeBufferPointer<Float>(start: nil, count: 0)
                var incoming: [UnsafeMutableBufferPointer<Float>] = []
                var start = 0
                for rank in 0..<communicator.size {
                    incoming.append(
                        .init(start: isRoot ? whole.row(row) + start : nil, count: isRoot ? width(rank) : 0))
                    start += width(rank)
                }
                try communicator.exchange(
                    (0..<communicator.size).map { $0 == 0 ? mine : nothing }, into: incoming)
            }
        }
        return whole
    }
}
