import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Export: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a run's result as one whole Hugging Face checkpoint.",
        discussion: """
            Merges the adapter of the run's output folder (or model.adapter, where the run has none yet) into the \
            model's weights and writes config.json, the weights, the tokenizer and the preprocessor. Weights of more than \
            --shard-size go into model-00001-of-0000N.safetensors and an index, as save_pretrained writes them.
            """)

    @OptionGroup package var options: RunOptions

    @Option(help: ArgumentHelp("The folder to write.", valueName: "DIR"))
    package var out: String

    @Option(help: ArgumentHelp("A file's size at the most: a number and KB, MB, GB or TB.", valueName: "size"))
    var shardSize = ByteSize(5_000_000_000)

    @Option(help: ArgumentHelp("Of the weights.", valueName: "type"))
    var dtype = WeightType.float32

    package init() {}

    package func run() throws {
        let configuration = try options.configuration()
        throw ExitCode(
            Communicators.run { communicator in
                try communicator.agree { if communicator.rank == 0 { try merge(configuration) } }
                return 0
            })
    }

    private func merge(_ configuration: RunConfiguration) throws {
        let folder = try ModelFolder(configuration.model.path)
        let own = configuration.output.appending(path: "adapter")
        let isTrained = FileManager.default.fileExists(atPath: own.appending(path: "adapter_config.json").path)
        guard let place = isTrained ? own : configuration.model.adapter else {
            throw MISPError(
                "there is no adapter to merge", at: own.relativePath,
                remedy:
                    "train first, or set model.adapter; a run that trains whole weights has them in its model folder")
        }
        let adapter = try LowRankAdapterFolder(place)
        let model = try folder.model(trainable: Trainable(lora: adapter.settings), seed: configuration.seed)
        try adapter.load(into: model.parameters)
        let target = URL(filePath: out)
        guard target.standardizedFileURL.path != folder.url.standardizedFileURL.path else {
            throw MISPError("is the folder of the model itself", at: "--out", remedy: "name another folder")
        }
        try model.write(
            to: target, besides: folder.url, ModelWriting(format: dtype.format, shardBytes: shardSize.bytes))
        RunOutput.say("merged \(place.relativePath) into \(folder.url.relativePath), written to \(out)")
    }
}
