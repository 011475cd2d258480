import Foundation
import TestSupport
import Testing

/// What a group's gradient takes in matrices at once, as the program counts its own: no other's, and no clock.
@Suite(.serialized) struct RecomputationMemoryTests {
    /// MiB of matrices, and the log-probabilities, of 4 pictures' sequences of 96 tokens.
    private func bench(_ members: String) throws -> (memory: Double, values: String) {
        let run = try runRanks(
            nil, "misp-worker",
            [
                "bench", "step", "--members", members, "--repeats", "1", "--values", "--negatives", "3", "--tokens",
                "64", "16", "16",
            ], limit: 300)
        try #require(run.status == 0, "\(run.errors)")
        let words = try #require(run.lines.first { $0.contains("of them matrices") }).split(separator: " ")
        let place = try #require(words.lastIndex(of: "of"))
        return (try #require(Double(words[place - 1])), try #require(run.lines.first { $0.hasPrefix("log-pro") }))
    }

    /// Of 395 rows in 30 layers all is kept, or each layer's input of 576 numbers and one layer; or 110 rows at a
    /// time. The model's parameters and gradients are the same in each.
    @Test func layersRunAgainTakeLess() throws {
        let joint = try bench("joint")
        let recompute = try bench("recompute")
        let streaming = try bench("streaming")
        let layers = 4 * 395 * 30 / Double(0x1p20)
        // The least that a row of a layer keeps: 4·576 + 3·1536 + 24·64 numbers.
        let (all, inputs) = (layers * 8448, layers * 576)
        #expect(joint.memory - recompute.memory > 0.8 * (all - inputs), "\(joint.memory) \(recompute.memory)")
        #expect(recompute.memory < streaming.memory + inputs, "\(recompute.memory) \(streaming.memory)")
        #expect(recompute.values == joint.values)
    }
}
