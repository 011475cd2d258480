import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Export: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a run's result as one whole Hugging Face checkpoint.",
        discussion: """
            Merges the adapter of the run's output folder (or model.adapter, where the run has none yet; or what \
            --checkpoint holds) into the model's weights and writes config.json, the weights, the tokenizer and the \
            preprocessor. Weights of more than \
            --shard-size go into model-00001-of-0000N.safetensors and an index, as save_pretrained writes them.
            """)

    @OptionGroup package var options: RunOptions

    @Option(help: ArgumentHelp("The folder to write.", valueName: "DIR"))
    package var out: String

    @Flag(help: "Replaces the model that the folder holds.")
    var overwrite = false

    @Option(
        help: ArgumentHelp(
            "A checkpoint of the run, in place of its result: best, step-000100, a folder.", valueName: "checkpoint"))
    var checkpoint: String?

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
        // Nothing is rounded but by --dtype, whatever the run was computed in.
        let loaded = try LoadedWeights<Vector>(
            configuration, checkpoint.map { .checkpoint(URL(filePath: $0)) } ?? .newest)
        let target = URL(filePath: out)
        if let place = loaded.places.first(where: { $0.standardizedFileURL.path == target.standardizedFileURL.path }) {
            throw MISPError("is what is exported: \(place.relativePath)", at: "--out", remedy: "name another folder")
        }
        if let name = try Self.model(in: target), !overwrite {
            throw MISPError(
                "holds a model (\(name)), which the export would replace", at: out,
                remedy: "name another folder, or let it be replaced by --overwrite")
        }
        try loaded.model.write(
            to: target, besides: loaded.folder.url,
            ModelWriting(format: dtype.format, shardBytes: shardSize.bytes))
        Console.say("exported \(loaded.origin) to \(out)")
    }

    /// A file by which a folder is a model's or an adapter's.
    private static func model(in folder: URL) throws -> String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().first { name in
            ["config.json", "adapter_config.json", "tokenizer.json"].contains(name)
                || [".safetensors", ".bin"].contains { name.hasSuffix($0) }
        }
    }
}
