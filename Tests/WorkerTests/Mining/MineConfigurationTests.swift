import Core
import Foundation
import TestSupport
import Testing
import Worker

@Suite struct MineConfigurationTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func read(_ text: String, _ overrides: String...) throws -> MineConfiguration {
        try Data(text.utf8).write(to: folder["mine.yaml"])
        return try MineConfiguration(contentsOf: folder["mine.yaml"], overrides: overrides)
    }

    private let least = "{model: {path: clip}, data: {prompts: groups.jsonl}}"

    @Test func defaults() throws {
        let configuration = try read(least)
        #expect(
            configuration.embedder == .clip && configuration.strategy == .misp && configuration.longPrompts == .error)
        #expect(configuration.pool == 16 && configuration.diversity == 1 && configuration.maxUnreadable == 0.01)
        #expect(configuration.autoencoder == AutoencoderSettings() && configuration.precision == .float32)
        #expect(configuration.pictures == PictureSettings())
        #expect(configuration.data.gallery == nil && configuration.data.exclude == nil)
        let paths = [configuration.output, configuration.store, configuration.data.images, configuration.model]
        let root = folder.url.standardizedFileURL.path
        #expect(paths.map(\.path) == ["\(root)/runs/mine", "\(root)/runs/embeddings", root, "\(root)/clip"])
    }

    @Test func everyKeyIsReadAndWrittenBack() throws {
        let configuration = try read(
            """
            seed: 7
            output: results
            store: /tmp/rows
            embedder: vision
            model: {path: llava, min_pixels: 3136, max_pixels: 200704, image_splitting: false}
            data: {prompts: p.jsonl, gallery: g, images: root, exclude: x.txt}
            pool: 4
            strategy: logdet
            diversity: 0.5
            duplicate_cosine: 0.9
            long_prompts: truncate
            max_unreadable: 0.5
            page_groups: 0
            autoencoder:
              {latents: 9, sparsity: 2, target: 0.1, learning_rate: 1e-4, weight_decay: 0.1, steps: 5,
               prompts_per_step: 6, candidates_per_prompt: 7}
            compute: {precision: bfloat16, threads: 2}
            """)
        #expect(configuration.pictures == PictureSettings(least: 3136, most: 200_704, splits: false))
        #expect(configuration.autoencoder.seed == 7 && configuration.autoencoder.sparsityWeight == 2)
        #expect(configuration.autoencoder.sparsity == 0.1 && configuration.threads == 2)
        #expect(configuration.precision == .bfloat16)
        #expect(configuration.data.gallery?.lastPathComponent == "g" && configuration.store.path == "/tmp/rows")
        let environment = RunConfiguration.Environment(version: "1", processor: "x", cores: 2, blas: "y", ranks: 3)
        #expect(try read(configuration.yaml(environment: environment)) == configuration)
        let other = try read(least)
        #expect(try read(other.yaml(environment: environment)) == other)
    }

    @Test func overridesAreReadLast() throws {
        #expect(try read(least, "pool=5", "autoencoder.steps=2", "data.gallery=pictures").pool == 5)
    }
}
