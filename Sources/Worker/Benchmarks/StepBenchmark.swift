import ArgumentParser
import Coordinator
import Core
import Foundation

/// `misp-worker bench step`: what a preference group costs, beside what the machine's matrix products give.
package struct StepBenchmark: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "step",
        abstract: "Times the gradient of one preference group on every rank at once.",
        discussion: """
            The group is synthetic: K + 2 sequences (chosen, rejected, K negatives) of image, prompt and response \
            tokens through a model of random weights, with low-rank adapters on all seven projections. Image features \
            and reference log-probabilities count as computed beforehand, as they are in training.

            Other families than LLaVA have their own encoder and their own way to place a picture: qwen2.5-vl and \
            qwen2-vl the width of the published towers and 8 of their 32 layers, smolvlm the tower of SmolVLM-256M, \
            64 image tokens a tile. A picture's way through the encoder is timed apart from the group.
            """)

    @Option(help: "Rank of the adapters.") package var r = 16
    @Option(help: "Negatives of the group.") package var negatives = 3
    @Option(parsing: .upToNextOption, help: "Tokens of image, prompt and response.")
    package var tokens: [Int] = [256, 24, 64]
    @Option(help: "The language model's shape: 135m (SmolLM2) or 1b (TinyLlama).") package var shape = "135m"
    @Option(help: ArgumentHelp("llava, qwen2.5-vl, qwen2-vl or smolvlm.", valueName: "name"))
    package var family = BenchmarkFamily.llava.rawValue
    @Option(help: ArgumentHelp("A LLaVA folder to measure with instead.", valueName: "folder"))
    package var model: String?
    @Option(help: "Groups timed on each rank; the median counts.") package var repeats = 5
    @Option(help: ArgumentHelp("Of the products.", valueName: "type")) package var precision = Precision.float32
    @Option(help: "Threads of each rank.") package var threads = 1
    @Option(
        help: """
            joint: one pass over all sequences; recompute: the same, layers being run again on the way back; \
            streaming: forward first, then one image's sequences at a time.
            """)
    package var members = "joint"
    @Flag(help: "Also prints the sequences' log-probabilities.") package var values = false

    package init() {}

    package func validate() throws {
        guard tokens.count == 3, tokens.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("--tokens takes three positive numbers: image, prompt, response")
        }
        guard negatives >= 0, repeats > 0, r > 0, threads > 0 else {
            throw ValidationError("--negatives, --repeats, --threads and --r take positive numbers")
        }
        guard ["joint", "recompute", "streaming"].contains(members) else {
            throw ValidationError("--members is \(members), but must be joint, recompute or streaming")
        }
        guard BenchmarkShape(rawValue: shape) != nil else {
            throw ValidationError("--shape is \(shape), but must be 135m or 1b")
        }
        guard let family = BenchmarkFamily(rawValue: family) else {
            let names = BenchmarkFamily.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--family is \(family), but must be one of \(names)")
        }
        guard model == nil || family == .llava else { throw ValidationError("--model takes a LLaVA folder") }
        guard family.picture(rows: tokens[0]) != nil else {
            throw ValidationError(
                "--tokens: pictures of \(family.rawValue) take 64 tokens a tile, and 1, 3 or more tiles")
        }
    }

    package func run() throws { throw ExitCode(Communicators.run { try measure($0, precision.arithmetic) }) }

    private func measure<A: VectorArithmetic>(_ communicator: any Communicator, _ arithmetic: A.Type) throws -> Int32 {
        BLAS.setThreads(threads)
        let trainable = Trainable(lora: LowRankSettings(r: r, alpha: 2 * Double(r)))
        let (model, shape): (VisionLanguageModel<A>, PictureShape) = try communicator.agree { try loaded(trainable) }
        let group = SyntheticGroup(
            image: chosenFamily.place(rows: tokens[0]), prompt: tokens[1], response: tokens[2], negatives: negatives,
            vocabulary: model.configuration.text.vocabulary)
        let picture = chosenFamily == .llava ? nil : chosenFamily.picture(rows: tokens[0]).map(Self.noise)
        var features: [VisionInput<A>] = (0...negatives).map {
            group.features($0, width: model.language.embedding.columns, of: shape)
        }
        let layouts = members == "streaming" ? group.single : [group.joint]
        let needed = layouts.reduce(OperationCount()) {
            $0 + model.configuration.operations($1, trainable: trainable)
        }
        let gradient = Gradient(zerosFor: model.parameters)
        var rounds: [Round] = []
        for _ in 0...repeats {
            try communicator.barrier()
            let rates = [
                MachineRate.measure(A.self, side: 1024, seconds: 0.3),
                MachineRate.measureBLAS(side: 1024, seconds: 0.3),
            ]
            try communicator.barrier()
            var clock = Stopwatch()
            if let picture { features = [VisionInput](repeating: model.encoder.input(picture), count: features.count) }
            try communicator.barrier()
            let pictureSeconds = clock.lap()
            let logProbabilities = pass(model, layouts, features, gradient)
            try communicator.barrier()
            let seconds = clock.lap()
            rounds.append(
                Round(
                    seconds: seconds, picture: pictureSeconds, rates: try communicator.mergeDisjoint(rates),
                    values: logProbabilities))
        }
        guard communicator.rank == 0 else { return 0 }
        report(Array(rounds.dropFirst()), needed: needed.total, ranks: communicator.size)
        if let picture { report(picture, of: model, Array(rounds.dropFirst()), ranks: communicator.size) }
        return 0
    }

    private struct Round {
        let seconds: Double
        /// Seconds of a picture on every rank at once.
        let picture: Double
        /// Operations per second of all ranks' products: ours, and OpenBLAS's.
        let rates: [Double]
        let values: [Double]
    }

    /// One group's gradient, as training computes it. Returns the log-probabilities.
    private func pass<A: VectorArithmetic>(
        _ model: VisionLanguageModel<A>, _ layouts: [SequenceLayout], _ features: [VisionInput<A>],
        _ gradient: Gradient<Float>
    ) -> [Double] {
        func forward(_ index: Int, _ keeping: Keeping) -> ([Double], VisionLanguageModel<A>.Activations) {
            model.forward(
                layouts[index], images: layouts.count == 1 ? features : [features[index]], keeping: keeping)
        }
        if layouts.count > 1 { for index in layouts.indices { _ = forward(index, .nothing).0 } }
        return layouts.indices.flatMap { index in
            let (logProbabilities, saved) = forward(
                index,
                members == "recompute" ? .layerInputs(Recomputation(inBFloat16: precision == .bfloat16)) : .everything)
            model.backward(logProbabilities.map { _ in 0.1 }, saved, gradient)
            return logProbabilities
        }
    }

    private func report(_ rounds: [Round], needed: Double, ranks: Int) {
        let timed = rounds.sorted { $0.seconds < $1.seconds }
        let median = timed[timed.count / 2]
        let rate = needed * Double(ranks) / median.seconds
        print(
            String(
                format: "%d %@: %.2f s per group (%.3f TFLOP), %.1f GFLOP/s; 1024³ products %.1f (%.0f %%), "
                    + "OpenBLAS's %.1f (%.0f %%); at most %.0f MiB a rank, %.0f of them matrices",
                ranks, ranks == 1 ? "rank" : "ranks", median.seconds / Double(ranks), needed / 1e12, rate / 1e9,
                median.rates[0] / 1e9, 100 * rate / median.rates[0], median.rates[1] / 1e9,
                100 * rate / median.rates[1], ProcessMemory.peak / 0x1p20, Double(MemoryPool.mostUsed) / 0x1p20))
        if values {
            print("log-probabilities", median.values.map { String(format: "%.4f", $0) }.joined(separator: " "))
        }
    }

    private func report<A: VectorArithmetic>(
        _ picture: ProcessedPicture, of model: VisionLanguageModel<A>, _ rounds: [Round], ranks: Int
    ) {
        let seconds = rounds.map(\.picture).sorted()[rounds.count / 2] / Double(ranks)
        let cost = model.configuration.family.cost(picture.shape)
        let shape = picture.shape
        print(
            String(
                format: "  a picture (%d × %d pixels%@, %d tokens) through the encoder: %.2f s (%.3f TFLOP)",
                shape.width, shape.height, shape.tiles > 1 ? ", \(shape.tiles) tiles" : "", tokens[0], seconds,
                (cost.tower + cost.connector) / 1e12))
    }

    private static func noise(_ shape: PictureShape) -> ProcessedPicture {
        var random = KeyedRandom(1, "bench.picture")
        return ProcessedPicture((0..<shape.count).map { _ in Float(2 * random.uniform() - 1) }, shape: shape)
    }

    private var chosenFamily: BenchmarkFamily { BenchmarkFamily(rawValue: family) ?? .llava }

    /// - Returns: the shape of the pictures whose features are made up
    private func loaded<A: VectorArithmetic>(
        _ trainable: Trainable
    ) throws -> (VisionLanguageModel<A>, PictureShape) {
        if let model { return try loaded(ModelFolder(URL(filePath: model)), at: model, trainable) }
        // A strip with a patch of 14 × 14 pixels for each row.
        let strip = PictureShape(height: 14, width: 14 * tokens[0])
        let json = chosenFamily.configuration(BenchmarkShape(rawValue: shape) ?? .smol)
        let configuration = try ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json"))
        let random = try VisionLanguageModel<A>(
            configuration, from: RandomTensors(seed: 1),
            common: chosenFamily == .llava ? PictureShape(height: 28, width: 28) : nil, trainable: trainable, seed: 1)
        return (random, strip)
    }

    /// A folder's pictures take as many rows as they do.
    private func loaded<A: VectorArithmetic>(
        _ folder: ModelFolder, at place: String, _ trainable: Trainable
    ) throws -> (VisionLanguageModel<A>, PictureShape) {
        guard let shape = folder.processor.commonShape else {
            throw MISPError("is no LLaVA", at: place, remedy: "give --family for models of other families")
        }
        let rows = try folder.configuration.family.place(shape, folder.tokenizer).features
        guard rows == tokens[0] else {
            throw MISPError(
                "has \(rows) tokens for a picture, not \(tokens[0])", at: place,
                remedy: "give --tokens \(rows) \(tokens[1]) \(tokens[2])")
        }
        return (try folder.model(trainable: trainable, seed: 1, as: A.self), shape)
    }
}
