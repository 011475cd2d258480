import Foundation
import TestSupport
import Testing

/// The autoencoder that several ranks train together is the one that a single rank trains, to the bit.
@Suite(.serialized) struct AutoencoderRankTests {
    private static func train(_ ranks: Int?, size: Int, into file: URL) throws -> (weights: Data, output: String) {
        let run = try runRanks(
            ranks, "misp-worker",
            [
                "bench", "mine", "--size", "\(size)", "--gallery", "300", "--steps", "4", "--repeats", "1", "--plain",
                "20", "--out", file.path,
            ])
        #expect(run.status == 0, "\(run.errors)")
        return (try Data(contentsOf: file), run.output)
    }

    /// 3 ranks as well: the sums' tree does not depend on who adds. With 8 columns there are 8 leaves for 9 ranks.
    @Test(arguments: [(40, [1, 2, 3, 4, 8]), (8, [9])]) func bitsDoNotDependOnTheRanks(
        size: Int, ranks: [Int]
    ) throws {
        let folder = try TemporaryFolder()
        let alone = try Self.train(nil, size: size, into: folder["sae.safetensors"])
        #expect(alone.output.contains("of 128 latents dead") && alone.output.contains("ratio"))
        for count in ranks {
            let together = try Self.train(count, size: size, into: folder["\(count).safetensors"])
            #expect(together.weights == alone.weights, "\(count) ranks")
        }
    }
}
