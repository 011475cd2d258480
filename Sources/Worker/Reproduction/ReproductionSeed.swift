import Coordinator
import Core
import Foundation

/// All of the comparison for one seed: data, CLIP, minings, trainings, evaluations. What is there is not made again.
struct ReproductionSeed {
    let seed: UInt64
    let folder: URL
    let size: DemoSize
    let benchmarks: ReproductionBenchmarks
    let communicator: any Communicator
    /// Called on every rank after each part.
    let passed: (_ part: String) throws -> Void

    private var runs: DemoRuns { DemoRuns(folder: folder, seed: seed, size: size) }
    private func file(_ name: String) -> URL { folder.appending(path: name) }

    /// Parts of a seed, for who tells how far it is.
    static var parts: Int { 2 + 1 + minings.count + ReproductionArm.all.count }

    /// Strategy and pool of each mining.
    private static let minings = [
        ("misp", ReproductionArm.pool), ("random", ReproductionArm.pool), ("nearest", 3), ("logdet", 3), ("perturb", 6),
    ]

    /// Collective.
    func execute() throws {
        let data = DemoData(seed: seed, size: size)
        try part("warm-up", leaving: "warmup/model/model.safetensors") {
            try makeFiles(data)
            try replace("warmup")
            try train("warmup")
        }
        try part("preference groups", leaving: "groups.jsonl") { try makeGroups(data) }
        try part("CLIP", leaving: "clip/done.json") {
            var clock = Stopwatch()
            try DemoClip.train(
                file("clip"), on: data.captioned(in: folder), seed: seed, epochs: size.epochs.clip,
                communicator: communicator)
            try onFirstRank {
                try FileOutput.write("{\"seconds\": \(clock.lap())}\n", to: file("clip/done.json"))
            }
        }
        for (strategy, pool) in Self.minings {
            try part("mining: \(strategy)", leaving: "mining-\(strategy)/done.json") { try mine(strategy, pool: pool) }
        }
        try onFirstRank { try writeGroups(data) }
        try evaluate("warmup", adapter: nil)
        for arm in ReproductionArm.all {
            try part(arm.name, leaving: "\(arm.key)/adapter/adapter_model.safetensors") {
                try replace(arm.key)
                try onFirstRank {
                    try FileOutput.write(
                        arm.yaml(seed: seed, epochs: size.epochs.preference), to: file("\(arm.key).yaml"))
                }
                try train(arm.key)
            }
            try evaluate(arm.key, adapter: "\(arm.key)/adapter")
        }
    }

    private func part(_ name: String, leaving result: String, _ work: () throws -> Void) throws {
        if try !isThere(result) { try work() }
        try passed(name)
    }

    /// Collective: as rank 0 sees it.
    private func isThere(_ result: String) throws -> Bool {
        let exists = communicator.rank == 0 && FileManager.default.fileExists(atPath: file(result).path)
        return try communicator.max([exists ? 1 : 0])[0] > 0
    }

    /// What an interrupted run left there goes.
    private func replace(_ name: String) throws {
        try onFirstRank { try? FileManager.default.removeItem(at: file(name)) }
    }

    private func makeFiles(_ data: DemoData) throws {
        try onFirstRank {
            for part in ["warmup", "gallery", "groups", "eval"] { try OutputFolder.make(file("pictures/\(part)")) }
        }
        try data.writePictures(to: folder, communicator)
        try onFirstRank {
            try data.writeLabels(to: file("warmup.jsonl"))
            try data.writeCaptions(to: file("captions.jsonl"))
            try DemoModel.write(to: file("initial"), seed: seed)
            try DemoClip.write(to: file("clip"))
            try FileOutput.write(runs.warmup, to: file("warmup.yaml"))
        }
    }

    private func makeGroups(_ data: DemoData) throws {
        let answerer = try communicator.agree { try DemoAnswerer(model: file("warmup/model"), adapter: nil) }
        let rejected = try answerer.answers(data.groups, from: 1, communicator: communicator) {
            file(DemoData.groupPicture($0))
        }
        try onFirstRank {
            let rows = data.rows(rejecting: rejected)
            try DemoData.write(data.prompts(rows), to: file("prompts.jsonl"))
            try DemoData.write(rows, to: file("groups.jsonl"))
        }
    }

    private func train(_ name: String) throws {
        let configuration = try communicator.agree { try RunConfiguration(contentsOf: file("\(name).yaml")) }
        try configuration.train(communicator: communicator)
    }

    /// One autoencoder serves all minings: it depends on nothing in which they differ.
    private func mine(_ strategy: String, pool: Int) throws {
        let output = "mining-\(strategy)"
        var clock = Stopwatch()
        try onFirstRank {
            try FileOutput.write(
                runs.mining(strategy, output: output, pool: pool), to: file("mine-\(strategy).yaml"))
            try DemoRuns.shareAutoencoder(from: file("mining-misp"), with: file(output))
        }
        let configuration = try communicator.agree {
            try MineConfiguration(contentsOf: file("mine-\(strategy).yaml"))
        }
        try MiningRun(configuration: configuration, communicator: communicator, overwrites: true).execute()
        try onFirstRank {
            try FileOutput.write("{\"seconds\": \(clock.lap())}\n", to: file("\(output)/done.json"))
        }
    }

    /// The groups with the negatives of each source.
    private func writeGroups(_ data: DemoData) throws {
        let rows = try DemoData.read(file("groups.jsonl"))
        func mined(_ strategy: String) throws -> [JSON] {
            try data.rows(rows, with: file("mining-\(strategy)/groups.jsonl"))
        }
        func negatives(_ row: JSON) -> [JSON] { row["negatives"]?.array ?? [] }
        func with(_ row: JSON, _ negatives: [JSON]) -> JSON {
            guard !negatives.isEmpty, var object = row.object else { return row }
            object["negatives"] = .array(negatives)
            return .object(object)
        }
        let (misp, perturbed) = (try mined("misp"), try mined("perturb"))
        // By turns a crop and a noised picture.
        func every(_ row: JSON, _ remainder: Int) -> [JSON] {
            negatives(row).enumerated().filter { $0.offset % 2 == remainder }.map { image in
                ["image": image.element["image"] ?? .null]
            }
        }
        for source in ReproductionArm.Negatives.allCases where source != .none {
            let made: [JSON] =
                switch source {
                case .none: rows
                case .misp: misp
                case .random, .nearest, .logdet: try mined(source.rawValue)
                case .crop: perturbed.map { with($0, every($0, 0)) }
                case .noise: perturbed.map { with($0, every($0, 1)) }
                case .mixture:
                    zip(misp, perturbed).map { own, other in
                        with(
                            own,
                            negatives(own).prefix(2).map { ["image": $0["image"] ?? .null] } + every(other, 1).prefix(1)
                        )
                    }
                }
            try DemoData.write(made, to: file(source.file))
        }
    }

    private func evaluate(_ key: String, adapter: String?) throws {
        let result = "\(key)/evaluation/results.json"
        if try isThere(result) { return }
        try onFirstRank {
            try FileOutput.write(
                benchmarks.yaml(adapter: adapter, output: "\(key)/evaluation"), to: file("\(key)-eval.yaml"))
        }
        let configuration = try communicator.agree {
            try EvaluationConfiguration(contentsOf: file("\(key)-eval.yaml"))
        }
        _ = try Evaluation(configuration: configuration, communicator: communicator).run()
    }

    /// Collective. Files appear once, and every rank knows that they are there.
    private func onFirstRank(_ work: () throws -> Void) throws {
        try communicator.agree { if communicator.rank == 0 { try work() } }
    }
}
