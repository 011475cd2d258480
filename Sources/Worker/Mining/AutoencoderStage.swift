import Coordinator
import Core
import Foundation

/// Trains the autoencoder, or takes the one that an earlier run with the same input has left.
struct AutoencoderStage {
    struct Result {
        let weights: SparseAutoencoder
        let summary: AutoencoderSummary
    }

    /// Beside the weights: what they were trained on, and how that went.
    private struct Record: Codable {
        let key: String
        let summary: AutoencoderSummary
    }

    private let configuration: MineConfiguration
    private let communicator: any Communicator
    private var weights: URL { configuration.output.appending(path: "sae.safetensors") }
    private var record: URL { configuration.output.appending(path: "sae.json") }

    init(_ configuration: MineConfiguration, _ communicator: any Communicator) {
        (self.configuration, self.communicator) = (configuration, communicator)
    }

    /// Collective.
    ///
    /// - Parameter content: names the embeddings, row by row
    /// - Returns: nil where the strategy scores nothing
    func run(_ embeddings: MiningRun.Embeddings, _ prompts: [MiningPrompt], content: [Digest]) throws -> Result? {
        guard configuration.strategy != .perturb else { return nil }
        let key = key(prompts, content)
        let isFirst = communicator.rank == 0
        var stored = Data()
        if isFirst, let found = try? Data(contentsOf: record),
            (try? JSONDecoder().decode(Record.self, from: found))?.key == key,
            (try? SparseAutoencoder(contentsOf: weights)) != nil
        {
            stored = found
        }
        stored = try communicator.broadcast(stored, from: 0)
        if stored.isEmpty {
            let summary = try train(embeddings, prompts)
            try communicator.agree {
                guard isFirst else { return }
                let record = try JSONEncoder().encode(Record(key: key, summary: summary))
                try FileOutput.write(String(decoding: record, as: UTF8.self) + "\n", to: self.record)
            }
            return Result(
                weights: try communicator.agree { try SparseAutoencoder(contentsOf: weights) }, summary: summary)
        }
        if isFirst { Console.say("the autoencoder is that of an earlier run, \(weights.relativePath)") }
        return Result(
            weights: try communicator.agree { try SparseAutoencoder(contentsOf: weights) },
            summary: try JSONDecoder().decode(Record.self, from: stored).summary)
    }

    private func train(_ embeddings: MiningRun.Embeddings, _ prompts: [MiningPrompt]) throws -> AutoencoderSummary {
        // What stands there is of another input, and from here on of none.
        try communicator.agree { if communicator.rank == 0 { try? FileManager.default.removeItem(at: record) } }
        let settings = configuration.autoencoder
        let training = try AutoencoderTraining(
            settings, images: embeddings.images, texts: embeddings.texts, prompts: prompts,
            duplicateLimit: Float(configuration.duplicateCosine), communicator: communicator)
        var progress = PhaseProgress("autoencoder, step", of: settings.steps, isTold: communicator.rank == 0)
        let summary = try training.run { step in
            progress.update(step.step, note: String(format: "loss %.4f", step.loss))
            try communicator.agree { try MiningRun.endIfAsked(configuration.store) }
        }
        try training.write(to: weights)
        return summary
    }

    /// Everything that the weights depend on.
    private func key(_ prompts: [MiningPrompt], _ content: [Digest]) -> String {
        var hash = SHA256()
        hash.add("misp autoencoder 2")
        hash.add("\(configuration.json["autoencoder"] ?? .null) \(configuration.seed) \(configuration.duplicateCosine)")
        if configuration.isCentered { hash.add("centered") }
        for digest in content { hash.add(digest) }
        for prompt in prompts { hash.add("\(prompt.positive) \(prompt.text) \(prompt.id)") }
        hash.add("\(prompts.first?.excluded.sorted() ?? [])")
        return hash.finish().description
    }
}
