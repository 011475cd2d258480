import Core
import Foundation
import TestSupport

/// A folder with a mine.yaml over small golden checkpoints, ten pictures and eight groups, and the worker run on it.
struct MiningFixture {
    static let results = [
        "groups.jsonl", "sae.safetensors", "statistics.json", "gallery.html", "latents.html", "embeddings.safetensors",
    ]

    let folder: TemporaryFolder

    /// - Parameter settings: what the configuration has besides; two of the prompts are longer than the model reads.
    init(_ settings: String = "long_prompts: truncate") throws {
        folder = try TemporaryFolder()
        let source = golden("checkpoints/llama-clip-spm")
        try FileManager.default.copyItem(at: source.appending(path: "groups.jsonl"), to: folder["groups.jsonl"])
        try FileManager.default.copyItem(at: source.appending(path: "images"), to: folder["images"])
        try write(
            """
            model: {path: '\(golden("clip/legacy").path)'}
            data: {prompts: groups.jsonl, gallery: images}
            pool: 3
            autoencoder: {latents: 8, steps: 6, prompts_per_step: 4, candidates_per_prompt: 4, learning_rate: 1e-3}
            \(settings)

            """, to: "mine.yaml")
    }

    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: folder[name]) }

    /// Runs `misp-worker mine` on so many ranks, or by itself, into the folder `output`.
    func mine(
        ranks: Int? = nil, output: String = "out", store: String = "store", _ overrides: String...,
        arguments: [String] = [], meanwhile: (Int32) -> Void = { _ in }
    ) throws -> RankRun {
        try runRanks(
            ranks, "misp-worker",
            ["mine", "--config", folder["mine.yaml"].path] + arguments + [
                "--set", "output=\(output)", "store=\(store)",
            ] + overrides,
            limit: 240, meanwhile: meanwhile)
    }

    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder[name]) }

    func groups(_ output: String = "out") throws -> [PreferenceGroup] {
        try PreferenceGroup.read(contentsOf: folder["\(output)/groups.jsonl"], images: folder.url)
    }

    func statistics(_ output: String = "out") throws -> JSONField {
        try JSONField(contentsOf: folder["\(output)/statistics.json"])
    }

    /// Names of files in a folder.
    func files(_ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder[name].path).sorted()
    }
}
