import Core
import Foundation

/// The files of the demonstration's folder, and the configurations of its runs.
struct DemoRuns {
    static let template = "<image> {prompt}"

    let folder: URL
    let seed: UInt64
    let size: DemoSize

    /// What stands in the folder; a new demonstration removes these and nothing else.
    private static let entries =
        [
            "pictures", "initial", "warmup", "clip", "mining", "mining-random", "embeddings", "warmup.jsonl",
            "captions.jsonl", "prompts.jsonl", "groups.jsonl", "groups-random.jsonl", "groups-mined.jsonl",
            "eval.jsonl", "warmup.yaml", "mine.yaml", "mine-random.yaml", "results.json", "index.html",
        ] + DemoArm.all.flatMap { [$0.key, "\($0.key).yaml"] }
    private static let marker = "demo.json"

    func file(_ name: String) -> URL { folder.appending(path: name) }

    /// Makes the folder, without what an earlier demonstration left in it. Pictures that would come out the same stay:
    /// some file systems take half a minute to remove them.
    ///
    /// - Throws: when the folder holds anything, but not the mark of a demonstration.
    func prepareFolder() throws {
        let mark: JSON = [
            "made_by": "misp-worker demo", "version": .string(Release.version), "seed": .integer(Int(seed)),
            "labels": .integer(size.labels), "gallery": .integer(size.gallery), "groups": .integer(size.groups),
            "questions": .integer(size.questions),
        ]
        let files = FileManager.default
        do {
            let content = ((try? files.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0 != OutputLock.name }
            guard content.isEmpty || content.contains(Self.marker) else {
                throw MISPError(
                    "holds files that are not the demonstration's", at: folder.relativePath,
                    remedy: "name another folder with --output")
            }
            if !content.isEmpty { Console.say("replacing the demonstration in \(folder.relativePath)") }
            let isRepeated = (try? JSON(contentsOf: file(Self.marker))) == mark
            for entry in Self.entries where content.contains(entry) && !(isRepeated && entry == "pictures") {
                try files.removeItem(at: file(entry))
            }
            for part in ["warmup", "gallery", "groups", "eval"] {
                try files.createDirectory(at: file("pictures/\(part)"), withIntermediateDirectories: true)
            }
        } catch let error as MISPError {
            throw error
        } catch {
            throw MISPError(
                "cannot be made (\(SystemReason.text(error)))", at: folder.relativePath,
                remedy: "name another folder with --output")
        }
        try FileOutput.write("\(mark)\n", to: file(Self.marker))
    }

    func writeConfigurations() throws {
        try FileOutput.write(warmup, to: file("warmup.yaml"))
        try FileOutput.write(mining("misp", output: "mining"), to: file("mine.yaml"))
        try FileOutput.write(mining("random", output: "mining-random"), to: file("mine-random.yaml"))
        for arm in DemoArm.all { try FileOutput.write(preference(arm), to: file("\(arm.key).yaml")) }
    }

    var warmup: String {
        """
        # The demonstration's warm-up: supervised training of the whole model on carelessly labelled pictures.
        seed: \(seed)
        output: warmup
        model: {path: initial, prompt: "\(Self.template)"}
        data: {train: warmup.jsonl}
        objective: {kind: sft}
        trainable: {language: full, projector: full, vision: full}
        optimizer:
          learning_rate: 3.0e-3
          betas: [0.9, 0.98]
          warmup_ratio: 0.05
          groups_per_step: 32
          epochs: \(size.epochs.warmup)
        checkpoint: {every: 1000000}  # so short a run needs none

        """
    }

    /// The two minings differ in nothing but their strategy.
    func mining(_ strategy: String, output: String, pool: Int = DemoArm.pool) -> String {
        """
        # The demonstration's mining: pictures of the gallery for which a group's answer is wrong.
        seed: \(seed)
        output: \(output)
        store: embeddings
        embedder: clip
        model: {path: clip}
        data: {prompts: prompts.jsonl, gallery: \(DemoData.galleryFolder)}
        pool: \(pool)
        strategy: \(strategy)
        autoencoder: {steps: \(size.steps)}
        page_groups: 24

        """
    }

    /// Lets a mining have the autoencoder of another that differs from it in strategy alone; `mine` trains its own
    /// where the two do not fit.
    static func shareAutoencoder(from first: URL, with output: URL) throws {
        try OutputFolder.make(output)
        for name in ["sae.safetensors", "sae.json"] {
            let (source, target) = (first.appending(path: name), output.appending(path: name))
            let files = FileManager.default
            guard first != output, files.fileExists(atPath: source.path), !files.fileExists(atPath: target.path) else {
                continue
            }
            try files.copyItem(at: source, to: target)
        }
    }

    /// The runs differ in nothing but their objective, their negatives and how these are drawn.
    private func preference(_ arm: DemoArm) -> String {
        """
        # The demonstration's preference training of the warmed-up model: \(arm.adds).
        seed: \(seed)
        output: \(arm.key)
        model: {path: warmup/model, prompt: "\(Self.template)"}
        data: {train: \(arm.data)}
        objective: {kind: \(arm.objective), beta: 0.5}
        negatives: {count: \(DemoArm.drawn), sampling: \(arm.sampling)}
        trainable: {language: lora}
        lora: {r: 8, alpha: 16}
        optimizer:
          learning_rate: 2.0e-3
          groups_per_step: 8
          epochs: \(size.epochs.preference)
        checkpoint: {every: 1000000}  # so short a run needs none

        """
    }
}
