import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Generate: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Answers questions about pictures.",
        discussion: """
            With the weights that the configuration's run has trained, or those named:

              misp-worker generate --config run.yaml --image cat.jpg --prompt "What is on the table?"
              misp-worker generate --config run.yaml --input questions.jsonl --out answers.jsonl

            A line of the input has `prompt` and `image`, and of the output `id`, `answer` and `tokens` besides. Ranks share \
            the lines.
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

    @Option(help: ArgumentHelp("A checkpoint of the run to answer with.", valueName: "folder"))
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
        let weights = weights
        throw ExitCode(
            Communicators.run { communicator in
                DecodingThreads.set(atLeast: configuration.compute.threads)
                let model = try communicator.agree { try TrainedModel(configuration, weights: weights) }
                if communicator.rank == 0 { RunOutput.say("answers of \(model.origin)") }
                if let input, let out {
                    let questions = try communicator.agree {
                        try Question.read(URL(filePath: input), images: configuration.data.images)
                    }
                    try AnswerSheet(model, sampling.sampling, writesTokenIds: tokenIds).fill(
                        questions, communicator: communicator, out: URL(filePath: out))
                } else {
                    try communicator.agree { if communicator.rank == 0 { try answer(model) } }
                }
                return 0
            })
    }

    private var weights: TrainedModel.Weights {
        if base { return .base }
        if let checkpoint { return .checkpoint(URL(filePath: checkpoint)) }
        return adapter.map { .adapter(URL(filePath: $0)) } ?? .newest
    }

    /// The questions of the command line; a single one's answer appears as it is made.
    private func answer(_ model: TrainedModel) throws {
        let requests = try image.enumerated().map { index, image in
            let prompt = prompt.count == 1 ? prompt[0] : prompt[index]
            if let fault = PictureReference.fault(image) {
                throw MISPError(fault.what, at: "--image", remedy: fault.remedy)
            }
            let request = try model.request(prompt, image: image, key: "\(index)", at: "--prompt")
            try model.checkLength(request.prompt, answer: sampling.maxTokens, at: "--prompt")
            return request
        }
        let generator = try sampling.sampling.generator(model)
        if requests.count == 1 {
            var text = AnswerText(model.folder.tokenizer)
            _ = try model.answers(generator, requests) { _, token in
                FileHandle.standardOutput.write(Data(text.append(token).shown.utf8))
            }
            print(text.finish().shown)
        } else {
            for answer in try model.answers(generator, requests) {
                print(model.folder.tokenizer.decode(answer, skipSpecialTokens: true).shown)
            }
        }
    }
}

/// The options for `Sampling`.
package struct SamplingOptions: ParsableArguments {
    @Option(help: "Tokens of an answer at the most.")
    var maxTokens = 128

    @Option(help: "0 takes the most probable token always; 1 draws from the model's distribution.")
    var temperature = 0.0

    @Option(help: "Draws from the k most probable tokens; 0 from all.")
    var topK = 0

    @Option(help: "Draws from the most probable tokens that together have this probability.")
    var topP = 1.0

    @Option(help: "Makes tokens that occurred less likely where above 1.")
    var repetitionPenalty = 1.0

    @Option(help: "Of the draws.")
    var seed: UInt64 = 0

    package init() {}

    package func validate() throws {
        guard 1...1_000_000 ~= maxTokens else {
            throw ValidationError("--max-tokens is \(maxTokens), but must be at least 1 and at most 1000000")
        }
        guard temperature >= 0 else { throw ValidationError("--temperature is \(temperature), but must be 0 or more") }
        guard topK >= 0 else { throw ValidationError("--top-k is \(topK), but must be 0 or more") }
        guard topP > 0, topP <= 1 else {
            throw ValidationError("--top-p is \(topP), but must be above 0 and at most 1")
        }
        guard repetitionPenalty > 0 else {
            throw ValidationError("--repetition-penalty is \(repetitionPenalty), but must be above 0")
        }
    }

    var sampling: Sampling {
        Sampling(
            maxTokens: maxTokens, temperature: temperature, topK: topK, topP: topP,
            repetitionPenalty: repetitionPenalty, seed: seed)
    }
}
