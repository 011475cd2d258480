import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Generate: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Answers questions about pictures.",
        discussion: """
            With the weights that the configuration's run has trained, or those named. What generation_config.json of \
            the model says holds where no option says otherwise.

              \(Typed.program) generate --config run.yaml --image cat.jpg --prompt "What is on the table?"
              \(Typed.program) generate --config run.yaml --input questions.jsonl --out answers.jsonl

            A line of the input has `prompt` and `image`, and of the output `id`, `answer` and `tokens` besides. \
            Ranks share the lines.
            """)

    @OptionGroup package var options: RunOptions
    @OptionGroup var sampling: SamplingOptions

    @Option(help: "A question; as many as there are pictures, or one for all.")
    var prompt: [String] = []

    @Option(help: ArgumentHelp("A picture; relative paths start from here.", valueName: "file"))
    var image: [String] = []

    @Option(help: ArgumentHelp("Questions (JSON lines); relative images start from data.images.", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("The file for answers to --input (JSON lines).", valueName: "file"))
    var out: String?

    @Flag(help: "Writes each answer's token ids beside its text in --out.")
    var tokenIds = false

    @Option(help: ArgumentHelp("A PEFT adapter to answer with.", valueName: "folder"))
    var adapter: String?

    @Option(
        help: ArgumentHelp(
            "A checkpoint of the run to answer with: best, step-000100, a folder.", valueName: "checkpoint"))
    var checkpoint: String?

    @Flag(help: "Answers with the model alone, whatever was trained.")
    var base = false

    package init() {}

    package func validate() throws {
        let chosen =
            (base ? ["--base"] : []) + (adapter.map { _ in ["--adapter"] } ?? [])
            + (checkpoint.map { _ in ["--checkpoint"] } ?? [])
        if chosen.count > 1 { throw ValidationError("\(chosen.joined(separator: " and ")) exclude each other") }
        guard input == nil else {
            if out == nil { throw ValidationError("--input needs --out") }
            if !prompt.isEmpty || !image.isEmpty {
                throw ValidationError("--input takes the place of --prompt and --image")
            }
            return
        }
        if tokenIds { throw ValidationError("--token-ids belongs to --input and --out") }
        guard !prompt.isEmpty, prompt.count == 1 || prompt.count == image.count, !image.isEmpty else {
            throw ValidationError("give a --prompt and an --image, or pairs of them, or --input and --out")
        }
    }

    package func run() throws {
        let configuration = try options.configuration()
        throw ExitCode(
            Communicators.run { communicator in
                DecodingThreads.set(atLeast: configuration.compute.threads)
                let sampling = try communicator.agree {
                    try Sampling(self.sampling.choice, configuration.modelFolder())
                }
                if communicator.rank == 0 { sampling.lines.forEach(Console.say) }
                try answer(configuration, sampling, communicator, configuration.compute.precision.arithmetic)
                return 0
            })
    }

    /// Collective.
    private func answer<A: VectorArithmetic>(
        _ configuration: RunConfiguration, _ sampling: Sampling, _ communicator: any Communicator,
        _ arithmetic: A.Type
    ) throws {
        let model = try communicator.agree { try TrainedModel<A>(configuration, weights: weights) }
        if communicator.rank == 0 { Console.say("answers of \(model.origin)") }
        configuration.compute.precision.tell(communicator)
        if let input, let out {
            Interruption.watch()
            let questions = try communicator.agree {
                try Question.read(URL(filePath: input), images: configuration.data.images)
            }
            try AnswerSheet(model, sampling, writesTokenIds: tokenIds).fill(
                questions, communicator: communicator, out: URL(filePath: out))
        } else {
            try communicator.agree { if communicator.rank == 0 { try answer(model, sampling) } }
        }
    }

    private var weights: ChosenWeights {
        if base { return .base }
        if let checkpoint { return .checkpoint(URL(filePath: checkpoint)) }
        return adapter.map { .adapter(URL(filePath: $0)) } ?? .newest
    }

    /// The questions of the command line; a single one's answer appears as it is made.
    private func answer(_ model: TrainedModel<some VectorArithmetic>, _ sampling: Sampling) throws {
        let requests = try image.enumerated().map { index, image in
            let prompt = prompt.count == 1 ? prompt[0] : prompt[index]
            if let fault = PictureReference.fault(image) {
                throw MISPError(fault.what, at: "--image", remedy: fault.remedy)
            }
            return try model.request(prompt, image: image, key: "\(index)", sampling, at: "--prompt")
        }
        let generator = sampling.generator(model)
        if requests.count == 1 {
            var text = AnswerText(model.folder.tokenizer)
            _ = try model.answers(generator, requests) { _, token in
                StandardStreams.show(text.append(token).shown)
            }
            print(text.finish().shown)
        } else {
            for answer in try model.answers(generator, requests) {
                print(model.folder.tokenizer.decode(answer, skipSpecialTokens: true).shown)
            }
        }
    }
}

/// The options for `SamplingChoice`.
package struct SamplingOptions: ParsableArguments {
    @Option(help: "Tokens of an answer at the most (default: what generation_config.json says, else 128).")
    var maxTokens: Int?

    @Option(help: "0 takes the most probable token always; 1 draws from the model's distribution.")
    var temperature: Double?

    @Option(help: "Draws from the k most probable tokens; 0 from all.")
    var topK: Int?

    @Option(help: "Draws from the most probable tokens that together have this probability.")
    var topP: Double?

    @Option(help: "Makes tokens that occurred less likely where above 1.")
    var repetitionPenalty: Double?

    @Option(help: "Of the draws.")
    var seed: UInt64 = 0

    @Flag(help: "Takes from generation_config.json no more than what ends an answer.")
    var ignoreGenerationConfig = false

    package init() {}

    package func validate() throws {
        let counts = GenerationConfiguration.counts
        func check(_ name: String, _ value: Int?, from least: Int) throws {
            guard let value, !(least...counts.upperBound ~= value) else { return }
            throw ValidationError("--\(name) is \(value), but must be from \(least) to \(counts.upperBound)")
        }
        func check(_ name: String, _ value: Double?, _ expected: String, _ isGood: (Double) -> Bool) throws {
            guard let value, !(value.isFinite && isGood(value)) else { return }
            throw ValidationError("--\(name) is \(value), but must be \(expected)")
        }
        try check("max-tokens", maxTokens, from: counts.lowerBound)
        try check("top-k", topK, from: 0)
        try check("temperature", temperature, "0 or more, and finite") { $0 >= 0 }
        try check("top-p", topP, "above 0 and at most 1") { $0 > 0 && $0 <= 1 }
        try check("repetition-penalty", repetitionPenalty, "above 0, and finite") { $0 > 0 }
    }

    var choice: SamplingChoice {
        SamplingChoice(
            maxTokens: maxTokens, temperature: temperature, topK: topK, topP: topP,
            repetitionPenalty: repetitionPenalty, seed: seed, followsFile: !ignoreGenerationConfig)
    }
}
