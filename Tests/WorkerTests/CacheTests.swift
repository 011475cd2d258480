import Core
import Foundation
import TestSupport
import Testing

/// What a run keeps for later ones changes nothing but the time: cached equals uncached, to the bit.
@Suite(.serialized) struct CacheTests {
    private static let settings = """
        seed: 3
        objective: {kind: misp, anchor_weight: 0.5}
        negatives: {count: 2, sampling: importance}
        optimizer: {learning_rate: 1e-2, groups_per_step: 4, steps: 4, warmup_ratio: 0}
        """

    private func files(_ fixture: TrainingFixture, _ folder: String) throws -> [String] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: fixture.folder[folder].path)
        return names.filter { $0.hasSuffix(".rows") }.sorted()
    }

    private func expectSame(_ fixture: TrainingFixture, _ a: String, _ b: String, _ comment: Comment) throws {
        #expect(try fixture.comparableMetrics(a) == fixture.comparableMetrics(b), comment)
        let adapter = "adapter/adapter_model.safetensors"
        #expect(try fixture.bytes("\(a)/\(adapter)") == fixture.bytes("\(b)/\(adapter)"), comment)
    }

    @Test(arguments: ["frozen", "full"]) func cachedEqualsUncached(projector: String) throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm", settings: Self.settings + "\ntrainable: {projector: \(projector)}", adapter: false)
        func train(_ name: String, ranks: Int? = nil, _ overrides: String...) throws {
            let run = try fixture.train(ranks: ranks, output: name, overrides)
            try #require(run.status == 0, "\(run.errors)")
        }
        try train("without", "cache.enabled=false")
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["cache"].path))
        try train("first", ranks: 2)
        let kept = try files(fixture, "cache")
        #expect(kept.contains { $0.hasPrefix("features/") } && kept.contains { $0.hasPrefix("references/") })
        for ranks in [1, 2, 3] {
            try train("later\(ranks)", ranks: ranks)
            #expect(try files(fixture, "cache") == kept, "nothing is computed again")
            // Three ranks add gradients in another order.
            if ranks < 3 { try expectSame(fixture, "later\(ranks)", "without", "\(ranks) ranks") }
        }
        try expectSame(fixture, "first", "without", "the run that fills the cache")
        try train("small", "cache.features_gib=1e-9", "cache.folder=other")
        #expect(try files(fixture, "other").allSatisfy { $0.hasPrefix("references/") })
        try expectSame(fixture, "small", "without", "features that take too much")
    }

    /// Of eight groups a run of one step, or the rest of one, takes few: the others cost nothing.
    @Test func onlyWhatTheStepsTakeIsComputed() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        let few = ["optimizer.groups_per_step=2", "checkpoint.every=3"]
        let whole = try fixture.train(ranks: 2, output: "whole", few + ["cache.enabled=false"])
        #expect(whole.errors.contains("reference log-probabilities of 2 groups"), "\(whole.errors)")
        for steps in [1, 2] {
            let length = ["optimizer.steps=\(steps)", "cache.folder=short"]
            let run = try fixture.train(output: "short\(steps)", few + length)
            try #require(run.status == 0, "\(run.errors)")
            let rows = try RowStore(fixture.folder["short/references"]).count
            // Two groups a step, each with its own picture and two drawn ones; one of the second step's is known.
            #expect(rows == [6, 11][steps - 1])
        }
        let first = try fixture.train(output: "first", few + ["cache.enabled=false"])
        try #require(first.status == 0, "\(first.errors)")
        try FileManager.default.removeItem(at: fixture.folder["first/checkpoints/step-000004"])
        let rest = try fixture.train(output: "first", few + ["cache.enabled=false"], resuming: true)
        #expect(rest.errors.contains("reference log-probabilities of 2 groups"), "\(rest.errors)")
        try expectSame(fixture, "first", "whole", "gone on with")
    }

    /// What the cache holds is what a run takes, so other weights, pictures or prompts must not find it.
    @Test func whatChangedIsNotFound() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        let model = fixture.folder["model"]
        try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: fixture.checkpoint.path) {
            try FileManager.default.copyItem(
                at: fixture.checkpoint.appending(path: name), to: model.appending(path: name))
        }
        let own = ["model.path=\(model.path)", "data.images=\(model.path)", "data.train=\(model.path)/groups.jsonl"]
        func train(_ name: String, _ overrides: [String] = []) throws {
            let run = try fixture.train(output: name, own + overrides)
            try #require(run.status == 0, "\(run.errors)")
        }
        try train("before")
        let weights = model.appending(path: "model.safetensors")
        var bytes = try Data(contentsOf: weights)
        // The exponent of one of the last tensor's numbers.
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: weights)
        let image = model.appending(path: "images/rgb.png")
        try FileManager.default.removeItem(at: image)
        try FileManager.default.copyItem(at: model.appending(path: "images/palette.png"), to: image)
        try train("after")
        try train("afresh", ["cache.enabled=false"])
        try expectSame(fixture, "after", "afresh", "after weights and a picture changed")
        #expect(try fixture.comparableMetrics("after") != fixture.comparableMetrics("before"))
    }

    /// Rows that are not what was written, and files of an earlier version, change no bit and are computed again.
    @Test(arguments: ["features", "references"]) func damagedRowsAreComputedAgain(folder: String) throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        #expect(try fixture.train(ranks: 2, output: "whole").status == 0)
        let names = try files(fixture, "cache/\(folder)")
        for (damage, ranks) in [("row", nil), ("rows", 2), ("format", 2)] as [(String, Int?)] {
            for name in names {
                let file = "cache/\(folder)/\(name)"
                var bytes = try fixture.bytes(file)
                // A header of 64 bytes with width and number of rows, keys of 32 bytes, rows, checksums of 8 bytes.
                let (width, count) = (Int(bytes[16]) + Int(bytes[17]) << 8, Int(bytes[24]))
                let rows = (0..<count).map { 64 + 32 * count + 4 * width * $0 }
                switch damage {
                case "row": if name == names[0] { bytes[rows[0]] ^= 1 }
                case "rows": for row in rows { bytes[row] ^= 4 }
                default: bytes[8] = 1
                }
                try bytes.write(to: fixture.folder[file])
            }
            let run = try fixture.train(ranks: ranks, output: damage)
            #expect(run.status == 0, "\(run.errors)")
            #expect(
                run.errors.contains("passing over ") && run.errors.contains("it is computed again"),
                "\(damage): \(run.errors)")
            try expectSame(fixture, damage, "whole", "\(damage)")
            let next = try fixture.train(output: "after \(damage)")
            #expect(next.status == 0)
            try expectSame(fixture, "after \(damage)", "whole", "\(damage)")
        }
    }

    /// 16-bit weights count as their widened values: a run on them is a run on the float32 copy.
    @Test func sixteenBitWeights() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings, adapter: false)
        let source = try SafetensorsFile(contentsOf: fixture.checkpoint.appending(path: "model.safetensors"))
        for (folder, format) in [("narrow", true), ("wide", false)] {
            let place = fixture.folder[folder]
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: fixture.checkpoint.path)
            where name.hasSuffix(".json") && !name.contains("safetensors") {
                try FileManager.default.copyItem(
                    at: fixture.checkpoint.appending(path: name), to: place.appending(path: name))
            }
            try Self.write(source, to: place.appending(path: "model.safetensors"), asBfloat16: format)
        }
        for folder in ["narrow", "wide"] {
            let run = try fixture.train(
                output: "of \(folder)", ["model.path=\(fixture.folder[folder].path)", "cache.folder=cache \(folder)"])
            try #require(run.status == 0, "\(run.errors)")
        }
        try expectSame(fixture, "of narrow", "of wide", "bfloat16 and its values as float32")
    }

    /// All tensors rounded to bfloat16, stored as such or widened again.
    private static func write(_ source: SafetensorsFile, to file: URL, asBfloat16: Bool) throws {
        var header: [(String, JSON)] = []
        var data = Data()
        for tensor in source.tensors.values.sorted(by: { $0.name < $1.name }) {
            let start = data.count
            for value in tensor.widened(Float.self, rows: 1, columns: tensor.count).elements {
                let bits = value.bitPattern & 0xFFFF_0000
                if asBfloat16 {
                    withUnsafeBytes(of: UInt16(bits >> 16).littleEndian) { data += $0 }
                } else {
                    withUnsafeBytes(of: bits.littleEndian) { data += $0 }
                }
            }
            header.append(
                (
                    tensor.name,
                    [
                        "dtype": asBfloat16 ? "BF16" : "F32", "shape": .array(tensor.shape.map { .integer($0) }),
                        "data_offsets": [.integer(start), .integer(data.count)],
                    ]
                ))
        }
        var text = JSON.object(JSON.Object(header)).description
        while text.utf8.count % 8 != 0 { text += " " }
        var whole = Data()
        withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { whole += $0 }
        whole += Data(text.utf8)
        try (whole + data).write(to: file)
    }
}
