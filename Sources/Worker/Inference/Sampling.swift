import Core

/// How answers are chosen, under the names of transformers.
struct Sampling: Equatable {
    /// Tokens of an answer at the most.
    var maxTokens = 128
    /// 0 takes the most probable token always.
    var temperature = 0.0
    var topK = 0
    var topP = 1.0
    var repetitionPenalty = 1.0
    var seed: UInt64 = 0

    func generator(_ model: TrainedModel) throws -> Generator<Float> {
        Generator(
            model.model,
            sampler: TokenSampler(
                temperature: temperature, topK: topK, topP: topP, repetitionPenalty: repetitionPenalty, seed: seed),
            stops: try model.stops(), limit: maxTokens, threads: BLAS.threads)
    }

    /// What answers depend on, the model apart.
    var json: JSON {
        [
            "max_tokens": .integer(maxTokens), "temperature": .number(temperature), "top_k": .integer(topK),
            "top_p": .number(topP), "repetition_penalty": .number(repetitionPenalty),
            "seed": .integer(Int(truncatingIfNeeded: seed)),
        ]
    }
}
