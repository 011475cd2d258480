import Coordinator
import Core
import Foundation

/// How a CLIP model is trained; docs/mining.md says what for.
package struct ContrastiveSettings: Sendable, Equatable {
    /// Keys the order of the pairs.
    package var seed: UInt64 = 0
    /// Pairs of a batch, each of which is told from all others.
    package var batch = 64
    package var epochs = 10
    package var learningRate = 1e-3
    package var weightDecay = 0.1
    package var warmupRatio = 0.05

    package init() {}
}

/// A picture and what is said of it.
package struct CaptionedPicture: Sendable {
    package let image: String
    package let caption: String

    package init(image: String, caption: String) { (self.image, self.caption) = (image, caption) }
}

/// Trains a CLIP model on pictures and their captions (Radford et al., arXiv 2103.00020); the same bits for 1, 2, 4 or
/// 8 ranks.
///
/// A batch is cut into pieces of a few pairs. Each rank embeds its pieces; the embeddings, some kilobytes, are
/// exchanged; every rank computes the loss over the whole batch, and the gradients of its own pieces; one ordered
/// reduction adds them up.
package final class ContrastiveTraining {
    /// Pairs that one rank computes together: the leaves of every sum.
    private static let piece = 8

    package let network: ClipNetwork<Vector>
    private let settings: ContrastiveSettings
    private let configuration: ClipConfiguration
    private let tokenizer: Tokenizer
    private let processor: ImageProcessor
    private let folder: URL
    private let communicator: any Communicator
    private var patches: [String: Matrix<Float>] = [:]

    /// What a step has to tell.
    package struct Step: Sendable {
        /// Counted from 1.
        package let number: Int
        package let of: Int
        package let loss: Double
        /// The share of the batch's pictures that find their own caption.
        package let accuracy: Double
    }

    /// - Parameters:
    ///   - folder: a Hugging Face folder of `CLIPModel`, whose weights are the first values
    ///   - source: those weights; nil reads the folder's
    package init(
        folder: URL, from source: (any TensorSource)? = nil, _ settings: ContrastiveSettings,
        communicator: any Communicator
    ) throws {
        (self.folder, self.settings, self.communicator) = (folder, settings, communicator)
        configuration = try ClipConfiguration(contentsOf: folder.appending(path: "config.json"))
        tokenizer = try Tokenizer(contentsOf: folder.appending(path: "tokenizer.json"))
        processor = try ImageProcessor(modelDirectory: folder)
        network = try ClipNetwork(
            configuration, from: source ?? TensorCatalog(folder: folder),
            pixels: (processor.height, processor.width), isTrained: true)
    }

    /// Collective. Trains, and has rank 0 write the weights to the folder.
    ///
    /// - Parameter told: called on every rank after each step
    /// - Throws: `MISPError` where a picture cannot be read, a caption does not fit the model, or a number is not
    ///   finite
    package func run(_ pairs: [CaptionedPicture], told: (Step) throws -> Void = { _ in }) throws {
        let texts = try communicator.agree { try pairs.map { try encoded($0.caption) } }
        let parameters = network.parameters
        let reduction = try OrderedReduction(elements: parameters.count, communicator: communicator)
        let optimizer = SliceOptimizer(parameters, slice: reduction.slice, settings)
        let pool = ScratchPool(elements: parameters.count)
        let batches = pairs.count / settings.batch
        let total = batches * settings.epochs
        let schedule = LearningRateSchedule(
            .cosine, peak: settings.learningRate, warmupRatio: settings.warmupRatio, totalSteps: total)
        for step in 0..<total {
            var random = KeyedRandom(settings.seed, "clip", String(step / batches))
            let order = random.permutation(pairs.count)
            let batch = Array(order[step % batches * settings.batch..<(step % batches + 1) * settings.batch])
            let pieces = stride(from: 0, to: batch.count, by: Self.piece).map {
                Array(batch[$0..<min($0 + Self.piece, batch.count)])
            }
            let plan = ShardPlan(costs: pieces.map { Double($0.count) }, ranks: communicator.size)
            let loss = try gradients(pieces, pairs, texts, plan, into: reduction.gradient, pool)
            let slice = try reduction.reduceScatter(plan)
            let norm = try reduction.squaredNorm(UnsafeBufferPointer(slice)).squareRoot()
            guard loss.loss.isFinite, norm.isFinite else {
                throw MISPError(
                    "loss and gradient of step \(step + 1) are not finite", at: folder.relativePath,
                    remedy: "lower the learning rate")
            }
            optimizer.update(slice, rate: schedule.rate(at: step), norm: norm, step: step)
            try reduction.gather(UnsafeMutableBufferPointer(start: parameters.values, count: parameters.count))
            try told(Step(number: step + 1, of: total, loss: loss.loss, accuracy: loss.accuracy))
        }
        try communicator.barrier()
        try reduction.close()
        try communicator.agree { if communicator.rank == 0 { try write() } }
    }

    /// Collective. This rank's gradients of a batch, and the batch's loss.
    private func gradients(
        _ pieces: [[Int]], _ pairs: [CaptionedPicture], _ texts: [(tokens: [Int32], place: Int)], _ plan: ShardPlan,
        into gradient: UnsafeMutableBufferPointer<Float>, _ pool: ScratchPool
    ) throws -> ContrastiveLoss {
        let (rank, width) = (communicator.rank, configuration.projection)
        let count = pieces.reduce(0) { $0 + $1.count }
        typealias Saved = (images: ClipNetwork<Vector>.ImageActivations, texts: ClipNetwork<Vector>.TextActivations)
        var saved: [Int: Saved] = [:]
        let own = try communicator.agree {
            var rows = [Double](repeating: 0, count: 2 * count * width)
            for piece in plan.groups(of: rank) {
                let stacked = try stackedPatches(pieces[piece].map { pairs[$0].image })
                let (images, savedImages) = network.images(stacked, count: pieces[piece].count)
                let (captions, savedTexts) = network.texts(pieces[piece].map { texts[$0] })
                saved[piece] = (savedImages, savedTexts)
                for (half, block) in [images, captions].enumerated() {
                    let start = (half * count + piece * Self.piece) * width
                    rows.replaceSubrange(start..<start + block.count, with: block.elements.map(Double.init))
                }
            }
            return rows
        }
        let all = Matrix<Double>(2 * count, width, try communicator.mergeDisjoint(own))
        let loss = ContrastiveLoss(
            images: all.rows(0..<count), texts: all.rows(count..<2 * count), logScale: network.logScale)
        try communicator.agree {
            try plan.sumLocally(rank: rank, into: gradient, pool: pool) { piece, buffer in
                guard let base = buffer.baseAddress, let activations = saved[piece] else { return }
                let target = Gradient<Float>(base, owner: pool)
                let rows = piece * Self.piece..<piece * Self.piece + pieces[piece].count
                network.imagesBackward(Self.floats(loss.images.rows(rows)), activations.images, target)
                network.textsBackward(Self.floats(loss.texts.rows(rows)), activations.texts, target)
                if piece == 0 { network.addScaleGradient(loss.logScale, target) }
            }
        }
        return loss
    }

    private static func floats(_ matrix: Matrix<Double>) -> Matrix<Float> {
        Matrix(matrix.rows, matrix.columns, matrix.elements.map(Float.init))
    }

    private func encoded(_ caption: String) throws -> (tokens: [Int32], place: Int) {
        let tokens = tokenizer.encode(caption, addSpecialTokens: true)
        guard tokens.count <= configuration.text.maximumLength,
            tokens.allSatisfy({ (0..<configuration.text.vocabulary).contains(Int($0)) }),
            let place = configuration.text.pooling.place(in: tokens)
        else {
            throw MISPError(
                "the caption \(caption.shown) has \(tokens.count) tokens; a text has at most "
                    + "\(configuration.text.maximumLength), of the vocabulary, with an end of text",
                at: folder.relativePath)
        }
        return (tokens, place)
    }

    private func stackedPatches(_ images: [String]) throws -> Matrix<Float> {
        let all = try images.map { image in
            if let known = patches[image] { return known }
            let pixels = try ImageSource(path: image).picture(processor).values
            let made: Matrix<Float> = network.image.patches(
                of: pixels, height: processor.height, width: processor.width)
            patches[image] = made
            return made
        }
        return .stacked(all)
    }

    private func write() throws {
        try SafetensorsWriter.write(
            network.tensors.map { tensor in
                SafetensorsWriter.Entry(name: tensor.name, shape: tensor.shape) { tensor.weight.matrix }
            }, to: folder.appending(path: "model.safetensors"))
    }
}

/// AdamW on the slice of the parameters that a rank owns; the gradient's norm is held at 1.
private final class SliceOptimizer {
    private let parameters: ParameterStore<Float>
    private let slice: Range<Int>
    private let settings: ContrastiveSettings
    private let moments: [Storage<Float>]

    init(_ parameters: ParameterStore<Float>, slice: Range<Int>, _ settings: ContrastiveSettings) {
        (self.parameters, self.slice, self.settings) = (parameters, slice, settings)
        moments = (0..<2).map { _ in Storage(count: slice.count) }
        for moment in moments { moment.base.update(repeating: 0, count: slice.count) }
    }

    /// - Parameter step: steps taken before this one
    func update(_ gradient: UnsafeMutableBufferPointer<Float>, rate: Double, norm: Double, step: Int) {
        guard let base = gradient.baseAddress else { return }
        _ = Vector.adamW(
            parameters.values + slice.lowerBound, gradient: base, firstMoment: moments[0].base,
            secondMoment: moments[1].base, count: slice.count,
            step: AdamWStep(
                learningRate: rate, beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: settings.weightDecay,
                gradientScale: clippingFactor(norm: norm, maximum: 1), count: step + 1))
    }
}
