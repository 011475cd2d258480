import Core

/// Which differences a training step sees: a pure function of (seed, step).
///
/// Prompts come in a new keyed order each epoch; each brings candidates drawn uniformly, with replacement, from the
/// rows that may become its negatives.
struct AutoencoderSampler {
    private let settings: AutoencoderSettings
    private let images: Matrix<Float>
    private let texts: Matrix<Float>
    private let prompts: [MiningPrompt]
    private let duplicateLimit: Float

    init(
        _ settings: AutoencoderSettings, images: Matrix<Float>, texts: Matrix<Float>, prompts: [MiningPrompt],
        duplicateLimit: Float
    ) {
        (self.settings, self.images, self.texts) = (settings, images, texts)
        (self.prompts, self.duplicateLimit) = (prompts, duplicateLimit)
    }

    /// - Throws: `MISPError` when none of the step's prompts has a candidate
    func batch(_ step: Int) throws(MISPError) -> AutoencoderBatch {
        let chosen = prompts(of: step).map { ($0, candidates(of: $0, step)) }.filter { !$0.1.isEmpty }
        guard !chosen.isEmpty else {
            throw MISPError(
                "the gallery has no candidate for any prompt of step \(step + 1)", at: "autoencoder",
                remedy: "give a larger gallery, fewer exclusions or a higher duplicate limit")
        }
        let count = chosen.reduce(0) { $0 + $1.1.count }
        let texts = Matrix<Float>(uninitialized: chosen.count, texts.columns)
        let differences = Matrix<Float>(uninitialized: count, images.columns)
        var samples: [Range<Int>] = []
        var next = 0
        for (place, (prompt, rows)) in chosen.enumerated() {
            texts.rows(place..<place + 1).copyElements(of: self.texts.rows(prompt.text..<prompt.text + 1))
            for (offset, row) in rows.enumerated() {
                Vector.difference(
                    images.row(prompt.positive), images.row(row), scale: 1, into: differences.row(next + offset),
                    count: images.columns)
            }
            samples.append(next..<next + rows.count)
            next += rows.count
        }
        return AutoencoderBatch(texts: texts, differences: differences, samples: samples)
    }

    private func prompts(of step: Int) -> [MiningPrompt] {
        let perStep = min(settings.promptsPerStep, prompts.count)
        guard perStep > 0 else { return [] }
        var (epoch, order) = (-1, [Int]())
        return (step * perStep..<(step + 1) * perStep).map { place in
            if place / prompts.count != epoch {
                epoch = place / prompts.count
                var random = KeyedRandom(settings.seed, "autoencoder.order", String(epoch))
                order = random.permutation(prompts.count)
            }
            return prompts[order[place % prompts.count]]
        }
    }

    /// Fewer than asked for where nearly nothing of the gallery is left.
    private func candidates(of prompt: MiningPrompt, _ step: Int) -> [Int] {
        var random = KeyedRandom(settings.seed, "autoencoder.candidates", String(step), prompt.id)
        var rows: [Int] = []
        var attempts = 20 * settings.candidatesPerPrompt
        while rows.count < settings.candidatesPerPrompt, attempts > 0 {
            attempts -= 1
            let row = random.below(images.rows)
            if CandidateRows.admits(row, images, prompt, duplicateLimit: duplicateLimit) { rows.append(row) }
        }
        return rows
    }
}
