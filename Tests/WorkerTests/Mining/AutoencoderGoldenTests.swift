import Coordinator
import Core
import Foundation
import TestSupport
import Testing
import Worker

/// A whole training against torch's, which writes every difference out.
struct AutoencoderGoldenTests {
    private static func matrix(_ field: JSONField) throws -> Matrix<Float> {
        let rows = try field.array().map { try $0.array().map { Float(try $0.double()) } }
        return Matrix(rows.count, rows[0].count, rows.flatMap { $0 })
    }

    @Test func trainingIsTorchs() throws {
        let file = try JSONField(contentsOf: golden("autoencoder.json"))
        let given = file["settings"]
        var settings = AutoencoderSettings()
        settings.latents = try given["latents"].int()
        settings.sparsity = try given["sparsity"].double()
        settings.sparsityWeight = try given["sparsity_weight"].double()
        settings.atomLength = try given["atom_length"].double()
        settings.learningRate = try given["learning_rate"].double()
        settings.weightDecay = try given["weight_decay"].double()
        settings.steps = try given["steps"].int()
        settings.promptsPerStep = try given["prompts_per_step"].int()
        settings.candidatesPerPrompt = try given["candidates_per_prompt"].int()
        settings.seed = UInt64(try given["seed"].int())
        let prompts = try file["prompts"].array().map { row in
            MiningPrompt(
                id: try row["id"].string(), positive: try row["positive"].int(), text: try row["text"].int(),
                excluded: Set(try row["excluded"].array().map { try $0.int() }))
        }
        let training = try AutoencoderTraining(
            settings, images: Self.matrix(file["images"]), texts: Self.matrix(file["texts"]), prompts: prompts,
            duplicateLimit: Float(try given["duplicate_limit"].double()), communicator: SoloCommunicator())
        let summary = try training.run()
        let expected = try file["steps"].array().map { try $0.array().map { try $0.double() } }
        #expect(summary.steps.count == expected.count)
        for (own, golden) in zip(summary.steps, expected) {
            let values = [own.loss, own.reconstruction, own.penalty, own.meanActivation]
            for (a, b) in zip(values, golden) { #expect(abs(a - b) < 2e-5 * max(b, 0.01), "step \(own.step)") }
        }

        let folder = try TemporaryFolder()
        try training.write(to: folder["sae.safetensors"])
        let written = try SafetensorsFile(contentsOf: folder["sae.safetensors"])
        for (name, rows) in try file["final"].object().members {
            let golden = try JSONField(rows, file: name).array().flatMap { try $0.array().map { try $0.double() } }
            let tensor = try #require(written.tensors[name])
            let own: Matrix<Float> = tensor.widened(rows: 1, columns: tensor.count)
            var (distance, size) = (0.0, 0.0)
            for (a, b) in zip(own.elements, golden) {
                distance += (Double(a) - b) * (Double(a) - b)
                size += b * b
            }
            #expect(tensor.count == golden.count && distance.squareRoot() < 1e-4 * size.squareRoot(), "\(name)")
        }
    }
}
