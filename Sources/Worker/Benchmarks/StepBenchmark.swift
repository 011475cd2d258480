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
            """)

    @Option(help: "Rank of the adapters.") package var r = 16
    @Option(help: "Negatives of the group.") package var negatives = 3
    @Option(help: "Tokens of image, prompt and response.") package var tokens: [Int] = [256, 24, 64]
    @Option(help: "Groups timed on each rank; the median counts.") package var repeats = 5
    @Flag(help: "One sequence at a time instead of one pass over all.") package var streaming = false

    package init() {}

    package func run() throws {
        guard tokens.count == 3, tokens.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("--tokens takes three positive numbers: image, prompt, response")
        }
        throw ExitCode(Communicators.run { try measure($0) })
    }

    private func measure(_ communicator: any Communicator) throws -> Int32 {
        BLAS.setThreads(1)
        let trainable = Trainable(lora: LowRankSettings(r: r, alpha: 2 * Double(r)))
        let model = try communicator.agree { try Self.model(trainable) }
        let batches = layouts()
        let features = (0..<negatives + 1).map { index in
            var random = KeyedRandom(1, "image", String(index))
            let rows = (0..<tokens[0] * 576).map { _ in Float(0.1 * random.normal()) }
            return Matrix<Float>(tokens[0], 576, rows)
        }
        let needed = batches.reduce(OperationCount()) {
            $0 + model.configuration.operations($1.layout, trainable: trainable)
        }
        let gradient = Gradient(zerosFor: model.parameters)
        var rounds: [(seconds: Double, rate: Double)] = []
        for _ in 0...repeats {
            try communicator.barrier()
            let rate = MachineRate.measure(side: 1024, seconds: 0.3)
            try communicator.barrier()
            var clock = Stopwatch()
            for batch in batches {
                let pass = model.forward(batch.layout, images: batch.images.map { features[$0] })
                model.backward(pass.0.map { _ in 0.1 }, pass.1, gradient)
            }
            try communicator.barrier()
            rounds.append((clock.lap(), try communicator.mergeDisjoint([rate])[0]))
        }
        guard communicator.rank == 0 else { return 0 }
        let timed = rounds.dropFirst().sorted { $0.seconds < $1.seconds }
        let median = timed[timed.count / 2]
        let ranks = Double(communicator.size)
        let done = needed.total * ranks / median.seconds
        print(
            String(
                format: "%d %@: %.2f s per group (%.3f TFLOP), %.1f GFLOP/s = %.0f %% of %.1f GFLOP/s sgemm",
                communicator.size, communicator.size == 1 ? "rank" : "ranks", median.seconds / ranks,
                needed.total / 1e12, done / 1e9, 100 * done / median.rate,
                median.rate / 1e9))
        return 0
    }

    private func layouts() -> [(layout: SequenceLayout, images: [Int])] {
        let prompt = PromptTokens(
            tokens: [Int32](repeating: 5, count: tokens[0] + tokens[1]), imageRows: 4..<4 + tokens[0])
        func response(_ seed: Int32) -> [Int32] { (0..<Int32(tokens[2])).map { 100 + ($0 * 37 + seed) % 40_000 } }
        var joint = SequenceLayout()
        var single: [(SequenceLayout, [Int])] = []
        for image in 0...negatives {
            let responses = image == 0 ? [response(0), response(7)] : [response(0)]
            joint.append(prompt, image: image, responses: responses)
            var own = SequenceLayout()
            own.append(prompt, image: 0, responses: responses)
            single.append((own, [image]))
        }
        return streaming ? single : [(joint, Array(0...negatives))]
    }

    /// SmolLM2-135M's shape with a vision tower that is never run.
    private static func model(_ trainable: Trainable) throws -> VisionLanguageModel<Float> {
        let json = """
            {"model_type": "llava", "tie_word_embeddings": true, "image_token_index": 49151, "vision_feature_layer": 0,
             "text_config": {"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
               "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
               "rms_norm_eps": 1e-5, "rope_theta": 100000, "max_position_embeddings": 8192},
             "vision_config": {"model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 64,
               "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}}
            """
        let configuration = try ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json"))
        return try VisionLanguageModel(
            configuration, from: RandomTensors(seed: 1), pixels: (28, 28), trainable: trainable, seed: 1)
    }
}

/// `misp-worker bench`: measurements for people who tune the program.
package struct Bench: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the program on this machine.",
        subcommands: [StepBenchmark.self, MiningBenchmark.self])

    package init() {}
}
