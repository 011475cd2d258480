import Core
import Foundation
import TestSupport
import Testing

/// A training's results do not depend on the kernel of matrix products, nor on the threads of a product.
@Suite struct ProductKernelTests {
    private func adapter(_ settings: [String], environment: [String: String] = [:]) throws -> Data {
        let folder = try TemporaryFolder()
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let run = try runRanks(
            nil, "misp-worker",
            [
                "train", "--config", root.appending(path: "examples/first.yaml").path, "--set",
                "output=\(folder.url.path)",
            ]
                + settings, environment: environment)
        try #require(run.status == 0, "\(run.errors)")
        return try Data(contentsOf: folder["adapter/adapter_model.safetensors"])
    }

    @Test(.enabled(if: FloatProduct("AVX2") != nil, "needs AVX2")) func trainingsHaveTheSameBits() throws {
        let expected = try adapter([], environment: ["MISP_PRODUCT": "AVX2"])
        #expect(try adapter([]) == expected)
        #expect(try adapter(["compute.threads=3"]) == expected)
        // Not because nothing changes: OpenBLAS's order of adding is another.
        #expect(try adapter([], environment: ["MISP_PRODUCT": "OpenBLAS"]) != expected)
    }
}
