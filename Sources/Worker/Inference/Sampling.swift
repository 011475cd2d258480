import Core
import Foundation

/// What a command line or eval.yaml asks of answers, under the names of transformers; what it leaves open is as
/// generation_config.json says, else as the default.
struct SamplingChoice: Equatable {
    /// Tokens of an answer at the most.
    var maxTokens: Int?
    /// 0 takes the most probable token always.
    var temperature: Double?
    var topK: Int?
    var topP: Double?
    var repetitionPenalty: Double?
    var seed: UInt64 = 0
    /// Whether generation_config.json is followed; what ends an answer is as it says in any case.
    var followsFile = true

    static let defaultTokens = 128
}

/// How many tokens an answer has at the most.
enum AnswerLimit: Equatable {
    /// Asked for: a prompt behind which they do not fit is refused.
    case asked(Int)
    /// max_new_tokens of generation_config.json: fewer where the model reads no more.
    case upTo(Int)
    /// Its max_length: of prompt and answer together.
    case total(Int)
}

/// How answers are chosen.
struct Sampling: Equatable {
    let limit: AnswerLimit
    let sampler: TokenSampler
    let constraints: TokenConstraints
    /// `key=value` of what generation_config.json decides.
    let followed: [String]
    /// The end-of-sequence token that the file's eos_token_id leaves out, if it does.
    let addedStop: Int32?

    init(_ choice: SamplingChoice, _ folder: ModelFolder) throws(MISPError) {
        let vocabulary = folder.configuration.text.vocabulary
        let ends = try GenerationConfiguration.ends(folder: folder.url, vocabulary: vocabulary)
        let file =
            choice.followsFile
            ? try GenerationConfiguration(folder: folder.url, vocabulary: vocabulary) : GenerationConfiguration()
        var followed: [String] = []
        func own<Value>(_ value: Value?, _ name: String, _ inFile: Value?) -> Value? {
            if value == nil, let inFile { followed.append("\(name)=\(inFile)") }
            return value ?? inFile
        }
        let samples = choice.temperature.map { $0 > 0 } ?? file.samples
        if choice.temperature == nil, file.samples { followed.append("do_sample=true") }
        var sampler = TokenSampler(seed: choice.seed)
        if samples {
            sampler.temperature = own(choice.temperature, "temperature", file.temperature) ?? 1
            // transformers' own default, where it is the file that asks for draws.
            let topK = choice.temperature == nil ? 50 : 0
            sampler.topK = own(choice.topK, "top_k", file.topK) ?? topK
            sampler.topP = own(choice.topP, "top_p", file.topP) ?? 1
            sampler.minP = own(nil, "min_p", file.minP) ?? 0
        }
        self.sampler = sampler
        var constraints = TokenConstraints()
        constraints.repetitionPenalty =
            own(choice.repetitionPenalty, "repetition_penalty", file.repetitionPenalty) ?? 1
        constraints.noRepeatSize = own(nil, "no_repeat_ngram_size", file.noRepeatSize) ?? 0
        constraints.leastNew = own(nil, "min_new_tokens", file.leastNew) ?? 0
        if file.leastNew == nil { constraints.leastLength = own(nil, "min_length", file.leastLength) ?? 0 }
        constraints.suppressed = file.suppressed
        constraints.suppressedFirst = file.suppressedFirst
        if !file.suppressed.isEmpty { followed.append("suppress_tokens") }
        if !file.suppressedFirst.isEmpty { followed.append("begin_suppress_tokens") }
        constraints.ends = ends.union([folder.endOfSequence])
        addedStop = ends.isEmpty || ends.contains(folder.endOfSequence) ? nil : folder.endOfSequence
        self.constraints = constraints
        if let tokens = choice.maxTokens {
            limit = .asked(tokens)
        } else if let tokens = own(nil, "max_new_tokens", file.mostNew) {
            limit = .upTo(tokens)
        } else if let tokens = own(nil, "max_length", file.mostLength) {
            limit = .total(tokens)
        } else {
            limit = .asked(SamplingChoice.defaultTokens)
        }
        self.followed = followed
    }

    func generator<A: VectorArithmetic>(_ model: TrainedModel<A>) -> Generator<A> {
        Generator(
            model.model, sampler: sampler, constraints: constraints, stops: constraints.ends, limit: 1,
            threads: BLAS.threads)
    }

    /// What the answers follow besides the command line, for the terminal.
    var lines: [String] {
        var lines: [String] = []
        if !followed.isEmpty { lines.append("generation_config.json decides \(followed.joined(separator: ", "))") }
        if let addedStop {
            lines.append(
                "the tokenizer's end-of-sequence token (\(addedStop)) ends answers too, which eos_token_id of "
                    + "generation_config.json does not name")
        }
        return lines
    }

    /// Tokens of the answer to a prompt at the most.
    ///
    /// - Throws: `MISPError` where they do not fit what the model reads
    func limit(behind prompt: PromptTokens, _ folder: ModelFolder, at place: String) throws(MISPError) -> Int {
        let (most, length) = (folder.configuration.text.maximumLength, prompt.tokens.count)
        let (tokens, remedy) =
            switch limit {
            case .asked(let tokens): (tokens, "shorten the prompt or lower --max-tokens")
            case .upTo(let tokens): (min(tokens, max(1, most - length)), "shorten the prompt")
            case .total(let tokens):
                (max(1, min(tokens, most) - length), "shorten the prompt, or give --max-tokens")
            }
        if case .total(let total) = limit, length >= total {
            throw MISPError(
                "has \(length) tokens, but max_length of generation_config.json is \(total)", at: place, remedy: remedy)
        }
        guard length + tokens > most else { return tokens }
        throw MISPError(
            "has \(length) tokens, and \(tokens) more do not fit: the model reads at most \(most)", at: place,
            remedy: remedy)
    }

    /// What answers depend on, the model apart.
    var json: JSON {
        var json = JSON.Object([
            ("temperature", .number(sampler.temperature)), ("top_k", .integer(sampler.topK)),
            ("top_p", .number(sampler.topP)), ("repetition_penalty", .number(constraints.repetitionPenalty)),
            ("seed", .integer(Int(truncatingIfNeeded: sampler.seed))),
        ])
        switch limit {
        case .asked(let tokens), .upTo(let tokens): json["max_tokens"] = .integer(tokens)
        case .total(let tokens): json["max_length"] = .integer(tokens)
        }
        let rare = [
            ("no_repeat_ngram_size", constraints.noRepeatSize), ("min_new_tokens", constraints.leastNew),
            ("min_length", constraints.leastLength),
        ]
        for (key, value) in rare where value > 0 { json[key] = .integer(value) }
        if sampler.minP > 0 { json["min_p"] = .number(sampler.minP) }
        for (key, ids) in [
            ("suppress_tokens", constraints.suppressed), ("begin_suppress_tokens", constraints.suppressedFirst),
        ] where !ids.isEmpty {
            json[key] = .array(ids.map { .integer(Int($0)) })
        }
        return .object(json)
    }
}
