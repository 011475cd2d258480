import Core
import Foundation

/// The files of the demonstration's folder, and the configurations of its three runs.
struct DemoRuns {
    static let template = "<image> {prompt}"

    let folder: URL
    let seed: UInt64
    let size: DemoSize

    /// What stands in the folder; a new demonstration removes these and nothing else.
    private static let entries = [
        "pictures", "initial", "warmup", "dpo", "misp", "warmup.jsonl", "groups.jsonl", "eval.jsonl", "warmup.yaml",
        "dpo.yaml", "misp.yaml", "results.json",
    ]
    private static let marker = "demo.json"

    func file(_ name: String) -> URL { folder.appending(path: name) }

    /// Makes the folder, without what an earlier demonstration left in it. Pictures that would come out the same stay:
    /// some file systems take half a minute to remove them.
    ///
    /// - Throws: when the folder holds anything, but not the mark of a demonstration.
    func prepareFolder() throws {
        let mark: JSON = [
            "made_by": "misp-worker demo", "version": .string(Program.version), "seed": .integer(Int(seed)),
            "labels": .integer(size.labels), "groups": .integer(size.groups), "questions": .integer(size.questions),
        ]
        let files = FileManager.default
        do {
            let content = ((try? files.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0 != OutputLock.name }
            guard content.isEmpty || content.contains(Self.marker) else {
                throw MISPError(
                    "holds files that are not the demonstration's", at: folder.relativePath,
                    remedy: "name another folder with --output")
            }
            if !content.isEmpty { RunOutput.say("replacing the demonstration in \(folder.relativePath)") }
            let isRepeated = (try? JSON(contentsOf: file(Self.marker))) == mark
            for entry in Self.entries where content.contains(entry) && !(isRepeated && entry == "pictures") {
                try files.removeItem(at: file(entry))
            }
            for part in ["warmup", "groups", "eval"] {
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
        try FileOutput.write(preference("dpo"), to: file("dpo.yaml"))
        try FileOutput.write(preference("misp"), to: file("misp.yaml"))
    }

    private var warmup: String {
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
          epochs: \(size.epochs.0)
        checkpoint: {every: 1000000}  # so short a run needs none

        """
    }

    /// The two runs differ in nothing but their objective.
    private func preference(_ kind: String) -> String {
        """
        # The demonstration's preference training of the warmed-up model.
        seed: \(seed)
        output: \(kind)
        model: {path: warmup/model, prompt: "\(Self.template)"}
        data: {train: groups.jsonl}
        objective: {kind: \(kind), beta: 0.5}
        negatives: {count: 3, sampling: subset}
        trainable: {language: lora}
        lora: {r: 8, alpha: 16}
        optimizer:
          learning_rate: 2.0e-3
          groups_per_step: 8
          epochs: \(size.epochs.1)
        checkpoint: {every: 1000000}  # so short a run needs none

        """
    }
}
