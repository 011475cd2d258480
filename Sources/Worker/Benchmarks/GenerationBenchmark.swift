import ArgumentParser
import Coordinator
import Core
import Foundation

/// `misp-worker bench generate`: what a token costs.
package struct GenerationBenchmark: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Times answers: the prompts with their pictures, and apart from them token after token.",
        discussion: """
            Greedy, and past the end-of-sequence token, so that every answer has as many tokens as asked. Pictures are \
            noise, prompts tokens of no meaning.
            """)

    @Option(help: ArgumentHelp("A LLaVA folder, as transformers saves it.", valueName: "folder")) var model: String
    @Option(help: "Prompts answered together.") var batch = 1
    @Option(help: "Tokens of a prompt besides its picture's.") var promptTokens = 32
    @Option(help: "Tokens of an answer.") var tokens = 64
    @Option(help: "Rounds; the median counts.") var repeats = 3
    @Option(help: ArgumentHelp("Of the products.", valueName: "type")) var precision = Precision.float32
    @Option(help: "Threads; by default the cores that the process may use.") var threads: Int?

    package init() {}

    package func validate() throws {
        for (name, value) in [("batch", batch), ("prompt-tokens", promptTokens), ("repeats", repeats)] where value < 1 {
            throw ValidationError("--\(name) is \(value), but must be at least 1")
        }
        guard tokens > 1 else { throw ValidationError("--tokens is \(tokens), but must be at least 2") }
        if let threads, threads < 1 { throw ValidationError("--threads is \(threads), but must be at least 1") }
    }

    package func run() throws {
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree { if communicator.rank == 0 { try measure(precision.arithmetic) } }
                return 0
            })
    }

    private func measure<A: VectorArithmetic>(_ arithmetic: A.Type) throws {
        let threads = threads ?? DecodingThreads.available
        BLAS.setThreads(threads)
        let folder = try ModelFolder(URL(filePath: model))
        let model = try folder.model(trainable: Trainable(language: .frozen), seed: 0, as: A.self)
        let generator = Generator(model, sampler: TokenSampler(), stops: [], limit: tokens, threads: threads)
        let rounds = try (0...repeats).map { _ in
            let clock = ContinuousClock()
            let start = clock.now
            var first: ContinuousClock.Instant?
            var last = start
            let answers = try generator.answers((0..<batch).map { try request($0, folder, model) }) { index, _ in
                last = clock.now
                if index == batch - 1, first == nil { first = last }
            }
            let prefill = ((first ?? last) - start) / .seconds(1)
            let decoding = (last - (first ?? last)) / .seconds(1)
            return (prefill: prefill, decoding: decoding, tokens: answers.reduce(0) { $0 + $1.count } - batch)
        }.dropFirst()
        let prefill = rounds.map(\.prefill).sorted()[rounds.count / 2]
        let rate = rounds.map { Double($0.tokens) / $0.decoding }.sorted()[rounds.count / 2]
        print(
            String(
                format: "misp, %d %@, batch %d: prompts %.3f s, then %.1f tokens/s", threads,
                threads == 1 ? "thread" : "threads", batch, prefill, rate))
    }

    /// A picture of noise and tokens that count upwards, each request's its own.
    private func request<A: VectorArithmetic>(
        _ index: Int, _ folder: ModelFolder, _ model: VisionLanguageModel<A>
    ) throws -> Generator<A>.Request {
        let shape = try folder.processor.shape(height: Self.side, width: Self.side)
        var random = KeyedRandom(1, "picture", String(index))
        let pixels = (0..<shape.count).map { _ in Float(2 * random.uniform() - 1) }
        let words = (0..<promptTokens).map { Int32(1000 + 37 * $0 + 1000 * index) % 30_000 }
        let place = try folder.configuration.family.place(shape, folder.tokenizer)
        let input = model.encoder.input(ProcessedPicture(pixels, shape: shape))
        return .init(
            key: "\(index)", prompt: PromptTokens(before: [], place, after: words), features: input.fixedPart)
    }

    /// Of a picture before the processor, for families whose pictures have rows by their size.
    private static let side = 448
}
