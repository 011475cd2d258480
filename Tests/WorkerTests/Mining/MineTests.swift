import Core
import Foundation
import TestSupport
import Testing
import Worker

/// `mine` from a gallery to groups with negatives.
@Suite(.serialized) struct MineTests {
    private func expectDone(_ run: RankRun) throws {
        try #require(run.status == 0, "\(run.output)\(run.errors)")
    }

    @Test func anyNumberOfRanksWritesTheSameBytes() throws {
        let fixture = try MiningFixture("long_prompts: truncate\nmax_unreadable: 0.2")
        try fixture.write("no picture", to: "images/damaged.png")
        try expectDone(try fixture.mine(output: "alone/mine", store: "store-1"))
        for ranks in [1, 2, 4, 8] {
            let run = try fixture.mine(ranks: ranks, output: "on-\(ranks)/mine", store: "store-\(ranks)-ranks")
            try expectDone(run)
            for name in MiningFixture.results {
                #expect(
                    try fixture.bytes("on-\(ranks)/mine/\(name)") == fixture.bytes("alone/mine/\(name)"),
                    "\(name) on \(ranks) ranks")
            }
        }
    }

    /// The groups of the input in their order, each with a pool of scored pictures that are not its own.
    @Test func groupsHavePools() throws {
        let fixture = try MiningFixture()
        let run = try fixture.mine()
        try expectDone(run)
        let input = try PreferenceGroup.read(contentsOf: fixture.folder["groups.jsonl"], images: fixture.folder.url)
        let groups = try fixture.groups()
        #expect(groups.map(\.id) == input.map(\.id))
        for (group, source) in zip(groups, input) {
            #expect(group.prompt == source.prompt && group.chosen == source.chosen && group.image == source.image)
            #expect(group.rejected == source.rejected)
            let images = group.negatives.map(\.image)
            #expect(images.count == 3 && Set(images).count == 3 && !images.contains(group.image), "\(group.id)")
            #expect(group.negatives.allSatisfy { ($0.score ?? -1) > 0 && ($0.score ?? 3) <= 2 }, "\(group.id)")
        }
        for line in try JSON.lines(contentsOf: fixture.folder["out/groups.jsonl"]) {
            let negatives = try JSONField(line.value, file: "groups.jsonl")["negatives"].array()
            let q = NegativeSampler(.importance, count: 3).proposal(try negatives.map { try $0["score"].double() })
            #expect(try negatives.map { try $0["probability"].double() } == q)
        }
        let statistics = try fixture.statistics()
        #expect(try statistics["pictures"]["different"].int() == 10)
        #expect(try statistics["prompts"]["cut"].array().map { try $0.string() } == ["unicode", "long"])
        #expect(try statistics["autoencoder"]["steps"].array().count == 6)
        #expect(try statistics["negatives"]["candidates"].double() == 9)
        let different = Set(groups.flatMap { $0.negatives.map(\.image) }).count
        #expect(try statistics["negatives"]["different"].int() == different)
        for part in ["groups        8 of 8", "10 files", "cut: unicode, long", "misp", "random", "mutual distance"] {
            #expect(run.output.contains(part), "\(part): \(run.output)")
        }
        let resolved = try MineConfiguration(contentsOf: fixture.folder["out/config.yaml"])
        #expect(resolved.pool == 3 && resolved.autoencoder.latents == 8 && resolved.longPrompts == .truncate)
        #expect(try fixture.files("out").contains("gallery.html"))
        // Every negative is decided by one latent, and so is every random draw.
        let latents = try statistics["latents"].array()
        #expect(try latents.reduce(0) { try $0 + $1["decided"].int() } == 24)
        #expect(Set(try latents.map { try $0["latent"].int() }).isSubset(of: 0..<8))
        #expect(try latents.allSatisfy { try $0["greatest"].double() > 0 && $0["greatest"].double() < 1 })
    }

    /// What was a system message, and parts around the picture, is that again in what is mined.
    @Test func promptsOfMessagesAreKept() throws {
        let fixture = try MiningFixture()
        let parts = #"[{"type": "text", "text": "Is"}, {"type": "image"}, {"type": "text", "text": "it?"}]"#
        let prompt = #"[{"role": "system", "content": "Be brief."}, {"role": "user", "content": \#(parts)}]"#
        try fixture.write(
            #"{"id": "g", "prompt": \#(prompt), "chosen": "A.", "image": "images/rgb.png"}"# + "\n", to: "groups.jsonl")
        try expectDone(fixture.mine())
        let source = try PreferenceGroup.read(contentsOf: fixture.folder["groups.jsonl"], images: fixture.folder.url)
        let mined = try fixture.groups()
        #expect(mined[0].message?.system == "Be brief." && mined[0].message?.picture == 1)
        #expect(mined[0].message?.parts == source[0].message?.parts && mined[0].prompt == source[0].prompt)
        #expect(mined[0].negatives.count == 3)
    }

    /// A picture whose own group has the same prompt and response is no wrong one.
    @Test func samePromptAndResponse() throws {
        let fixture = try MiningFixture()
        let pictures = ["rgb.png", "tall.jpg", "grey.jpg"]
        let lines = pictures.enumerated().map { place, picture in
            #"""
            {"id": "\#(place)", "prompt": "What is it?", "chosen": "\#(place < 2 ? "A cat." : "A dog.")", \#
            "image": "images/\#(picture)"}
            """#
        }
        try fixture.write(lines.joined(separator: "\n"), to: "groups.jsonl")
        // Every candidate is taken: who is missing was left out.
        try expectDone(try fixture.mine("pool=8", "duplicate_cosine=1"))
        let groups = try fixture.groups()
        for (group, other) in [(0, "tall.jpg"), (1, "rgb.png")] {
            let names = groups[group].negatives.map { URL(filePath: $0.image).lastPathComponent }
            #expect(names.count == 8 && !names.contains(other), "\(names)")
            #expect(names.contains("grey.jpg"))
        }
        #expect(try fixture.statistics()["negatives"]["same_answer"].int() == 2)
        let refused = try fixture.mine(output: "nine", "pool=9", "duplicate_cosine=1")
        #expect(
            refused.status == 2 && refused.errors.contains("1 are pictures of groups with its prompt"),
            "\(refused.errors)")
    }

    /// Captions of the gallery's list are words of its pictures, and change no group.
    @Test func captionsOfTheGallery() throws {
        let fixture = try MiningFixture()
        let names = try fixture.files("images")
        for (file, caption) in [("plain.jsonl", ""), ("captions.jsonl", #", "caption": "Zebras graze.""#)] {
            try fixture.write(
                names.map { #"{"image": "images/\#($0)"\#(caption)}"# }.joined(separator: "\n"), to: file)
            try expectDone(try fixture.mine(output: "from-\(file)", "data.gallery=\(file)"))
        }
        #expect(try fixture.bytes("from-plain.jsonl/groups.jsonl") == fixture.bytes("from-captions.jsonl/groups.jsonl"))
        func page(_ output: String) throws -> String {
            String(decoding: try fixture.bytes("from-\(output)/latents.html"), as: UTF8.self)
        }
        #expect(try page("captions.jsonl") != page("plain.jsonl"))
        try fixture.write(#"{"image": "images/rgb.png", "caption": 3}"#, to: "bad.jsonl")
        let refused = try fixture.mine(output: "bad", "data.gallery=bad.jsonl")
        #expect(refused.status == 2 && refused.errors.contains("bad.jsonl:1: caption"), "\(refused.errors)")
    }

    /// What the worker mines the worker trains on.
    @Test func minedGroupsTrain() throws {
        let fixture = try MiningFixture()
        try expectDone(try fixture.mine(ranks: 2))
        let training = try TrainingFixture("llama-clip-spm", settings: "optimizer: {steps: 2, groups_per_step: 4}")
        let run = try training.train([
            "data.train=\(fixture.folder["out/groups.jsonl"].path)", "data.images=\(fixture.folder.url.path)",
        ])
        try expectDone(run)
        #expect(try training.metrics().count == 2)
        #expect(try training.metrics().allSatisfy { try $0["is/ess"].double() > 0 })
    }

    @Test func laterRunsComputeNothingTwice() throws {
        let fixture = try MiningFixture()
        let first = try fixture.mine(ranks: 2)
        try expectDone(first)
        // Ten pictures and seven different prompts: two groups share theirs.
        let prompts = try fixture.statistics()["prompts"]["different"].int()
        #expect(first.errors.contains("embeddings: \(10 + prompts) computed"), "\(first.errors)")
        let again = try fixture.mine()
        try expectDone(again)
        #expect(again.errors.contains("embeddings: 0 computed") && again.errors.contains("that of an earlier run"))
        let groups = try fixture.bytes("out/groups.jsonl")
        // A run of its own finds the embeddings, not the autoencoder.
        let other = try fixture.mine(output: "other")
        #expect(other.errors.contains("embeddings: 0 computed") && !other.errors.contains("earlier run"))
        #expect(try fixture.bytes("other/groups.jsonl") == groups)
        // Other input, another autoencoder; only what is new is computed, under whatever name.
        try FileManager.default.copyItem(
            at: golden("images/rgb8.png"), to: fixture.folder["images/new.png"])
        try FileManager.default.copyItem(at: fixture.folder["images/rgb.png"], to: fixture.folder["images/copy.png"])
        let weights = try fixture.bytes("out/sae.safetensors")
        let refused = try fixture.mine()
        #expect(refused.status == 2 && refused.errors.contains("embeddings: 1 computed"), "\(refused.errors)")
        #expect(try fixture.bytes("out/sae.safetensors") == weights)
        #expect(refused.errors.contains("out/groups.jsonl: was mined from other pictures or groups, and would be"))
        #expect(try fixture.bytes("out/groups.jsonl") == groups)
        let otherwise = try fixture.mine("strategy=random")
        #expect(otherwise.status == 2 && otherwise.errors.contains("was mined with another strategy"))
        let third = try fixture.mine(arguments: ["--overwrite"])
        try expectDone(third)
        #expect(third.errors.contains("embeddings: 0 computed") && !third.errors.contains("earlier run"))
        #expect(try fixture.statistics()["pictures"]["same_content"].int() == 1)
        // Another embedder shares nothing.
        let newer = try fixture.mine(output: "newer", "model.path=\(golden("clip/newer").path)")
        #expect(newer.errors.contains("embeddings: \(11 + prompts) computed"), "\(newer.errors)")
    }

    /// Status 3, and the next run goes on from what is there.
    @Test(arguments: [nil, 2]) func aSignalEndsItInGoodOrder(ranks: Int?) throws {
        let fixture = try MiningFixture()
        let embedded = fixture.folder["out/embeddings.safetensors"].path
        let run = try fixture.mine(ranks: ranks, "autoencoder.steps=1000000") { process in
            for _ in 0..<600 where !FileManager.default.fileExists(atPath: embedded) { usleep(50_000) }
            kill(process, SIGUSR1)
        }
        #expect(run.status == 3, "\(run.status) \(run.errors)")
        #expect(run.errors.contains("stopped; the embeddings computed so far are kept; resume with the same command"))
        #expect(run.errors.components(separatedBy: "misp: ").count == 2, "\(run.errors)")
        let next = try fixture.mine()
        try expectDone(next)
        #expect(next.errors.contains("embeddings: 0 computed") && !next.errors.contains("earlier run"))
    }

    /// What an abrupt end leaves in the store is passed over and computed again.
    @Test func damagedStoresAreMended() throws {
        let fixture = try MiningFixture()
        // Without a page there are no phrases, which the line on embeddings does not count.
        try expectDone(try fixture.mine("page_groups=0"))
        let groups = try fixture.bytes("out/groups.jsonl")
        let name = try #require(try fixture.files("store").first)
        try fixture.bytes("store/\(name)").prefix(100).write(to: fixture.folder["store/\(name)"])
        try FileManager.default.removeItem(at: fixture.folder["out/sae.safetensors"])
        let run = try fixture.mine(ranks: 2, "page_groups=0")
        try expectDone(run)
        #expect(run.errors.contains("passing over a damaged file of \(name)"), "\(run.errors)")
        #expect(!run.errors.contains("embeddings: 0 computed"))
        #expect(try fixture.bytes("out/groups.jsonl") == groups)
    }

    @Test func everyStrategy() throws {
        let fixture = try MiningFixture()
        var pools: [String: [[String]]] = [:]
        for strategy in ["misp", "random", "nearest", "logdet", "perturb"] {
            let run = try fixture.mine(output: strategy, "strategy=\(strategy)")
            try expectDone(run)
            let groups = try fixture.groups(strategy)
            #expect(groups.count == 8 && groups.allSatisfy { $0.negatives.count == 3 }, "\(strategy)")
            pools[strategy] = groups.map { $0.negatives.map(\.image) }
            guard strategy == "perturb" else { continue }
            // Pictures of their own, without scores.
            for negative in groups.flatMap(\.negatives) {
                #expect(negative.score == nil)
                #expect(try RGBImage(contentsOf: URL(filePath: negative.image)).width > 0)
            }
            #expect(try !fixture.files(strategy).contains { ["sae.safetensors", "latents.html"].contains($0) })
        }
        #expect(Set(pools.values.map { "\($0)" }).count == 5)
    }

    /// By content, under any name, and what is nearly such a picture.
    @Test func excludedPicturesAreNeverTaken() throws {
        let fixture = try MiningFixture()
        try expectDone(try fixture.mine(output: "before", "pool=7"))
        let taken = try fixture.groups("before").flatMap { $0.negatives.map(\.image) }
        let excluded = ["wide.jpg", "tall.jpg"]
        for name in excluded { #expect(taken.contains { $0.hasSuffix("/images/\(name)") }) }
        try FileManager.default.createDirectory(at: fixture.folder["benchmark"], withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: fixture.folder["images/wide.jpg"], to: fixture.folder["benchmark/1.jpg"])
        // The other one's pixels in another format: another content, nearly the same embedding.
        try RGBImage(contentsOf: fixture.folder["images/tall.jpg"]).pngData().write(
            to: fixture.folder["benchmark/2.png"])
        try fixture.write("benchmark/1.jpg\n\n{\"image\": \"benchmark/2.png\"}\n", to: "exclude.txt")
        for ranks in [1, 3] {
            let run = try fixture.mine(ranks: ranks, output: "after", "pool=7", "data.exclude=exclude.txt")
            try expectDone(run)
            let left = try fixture.groups("after").flatMap { $0.negatives.map(\.image) }
            for name in excluded { #expect(!left.contains { $0.hasSuffix("/images/\(name)") }, "\(name)") }
            #expect(try fixture.statistics("after")["pictures"]["excluded"].int() == 2)
        }
    }

    /// Positives need not be in the gallery, and are then nobody's negatives; the gallery may be a list.
    @Test func positivesOutsideTheGallery() throws {
        let fixture = try MiningFixture()
        let names = ["grey.png", "grey.jpg", "lossy.webp", "lossless.webp", "palette.png"]
        let lines = names.enumerated().map { $0 % 2 == 0 ? "images/\($1)" : "\"images/\($1)\"" }
        try fixture.write(lines.joined(separator: "\n"), to: "gallery.jsonl")
        let run = try fixture.mine("data.gallery=gallery.jsonl")
        try expectDone(run)
        let taken = Set(try fixture.groups().flatMap { $0.negatives.map { URL(filePath: $0.image).lastPathComponent } })
        #expect(taken.isSubset(of: names) && taken.count > 2)
        // Without a gallery the groups' own pictures are it.
        try fixture.write(
            try String(contentsOf: fixture.folder["mine.yaml"], encoding: .utf8)
                .replacing(", gallery: images", with: ""), to: "mine.yaml")
        try expectDone(try fixture.mine(output: "own"))
        let own = Set(
            try fixture.groups("own").flatMap { $0.negatives.map { URL(filePath: $0.image).lastPathComponent } })
        #expect(
            own.isSubset(of: [
                "rgb.png", "wide.jpg", "tall.jpg", "lossy.webp", "rgba.png", "palette.png", "grey.jpg",
                "grey-alpha.png",
            ]))
    }

    /// A LLaVA checkpoint's tower, whose pictures and prompts have vectors of different lengths.
    @Test func theModelsOwnTower() throws {
        let fixture = try MiningFixture("embedder: vision")
        let model = golden("checkpoints/llama-clip-spm")
        for ranks in [1, 2] {
            let run = try fixture.mine(
                ranks: ranks, output: "on-\(ranks)", store: "store-\(ranks)", "model.path=\(model.path)",
                "duplicate_cosine=1")
            try expectDone(run)
        }
        #expect(try fixture.bytes("on-1/groups.jsonl") == fixture.bytes("on-2/groups.jsonl"))
        let tensors = try SafetensorsFile(contentsOf: fixture.folder["on-1/embeddings.safetensors"]).tensors
        #expect(tensors["images"]?.shape == [10, 24] && tensors["texts"]?.shape[1] == 32)
        // Its pictures are centred unless the configuration says otherwise.
        #expect(tensors["centre"]?.shape == [1, 24])
    }

    /// Pictures of another size have other embeddings, and one store keeps both apart; those of prompts are the same.
    @Test(arguments: [("qwen2.5-vl-flat", "model.min_pixels=9408"), ("smolvlm-tiles", "model.image_splitting=false")])
    func settingsOfPictures(family: String, setting: String) throws {
        let fixture = try MiningFixture("embedder: vision\nduplicate_cosine: 1")
        let model = "model.path=\(golden("families/\(family)").path)"
        let first = try fixture.mine(output: "first", model)
        try expectDone(first)
        let prompts = try fixture.statistics("first")["prompts"]["different"].int()
        #expect(first.errors.contains("embeddings: \(10 + prompts) computed"), "\(first.errors)")
        for (output, ranks, computed) in [("second", nil, 10), ("third", 2, 0)] {
            let run = try fixture.mine(ranks: ranks, output: output, model, setting)
            try expectDone(run)
            #expect(run.errors.contains("embeddings: \(computed) computed"), "\(run.errors)")
        }
        #expect(try fixture.bytes("second/groups.jsonl") == fixture.bytes("third/groups.jsonl"))
        func images(_ output: String) throws -> [Float] {
            let file = try SafetensorsFile(contentsOf: fixture.folder["\(output)/embeddings.safetensors"])
            let tensor = try #require(file.tensors["images"])
            return tensor.widened(Float.self, rows: 1, columns: tensor.count).elements
        }
        #expect(try images("first") != images("second"))
        let refused = try fixture.mine(output: "first", model, setting)
        let key = try #require(setting.split(separator: "=").first)
        #expect(refused.status == 2 && refused.errors.contains("was mined with another \(key)"), "\(refused.errors)")
    }

    /// The rows of the file have no mean left, and a mining without centring picks from other rows.
    @Test func centeredEmbeddings() throws {
        let fixture = try MiningFixture()
        try expectDone(try fixture.mine(output: "plain"))
        try expectDone(try fixture.mine(output: "centered", "centered=true"))
        try expectDone(try fixture.mine(ranks: 3, output: "three", "centered=true"))
        func images(_ output: String) throws -> Matrix<Float> {
            let file = try SafetensorsFile(contentsOf: fixture.folder["\(output)/embeddings.safetensors"])
            let tensor = try #require(file.tensors["images"])
            return Weight<Float>(stored: tensor, rows: 10, columns: tensor.shape[1]).matrix
        }
        func commonLength(_ rows: Matrix<Float>) -> Float {
            (0..<rows.columns).reduce(0) { sum, c in
                let mean = (0..<10).reduce(0) { $0 + rows[$1, c] } / 10
                return sum + mean * mean
            }
        }
        #expect(commonLength(try images("centered")) < 0.05 * commonLength(try images("plain")))
        #expect(try fixture.statistics("centered")["negatives"]["centered"].bool())
        #expect(try fixture.bytes("three/groups.jsonl") == fixture.bytes("centered/groups.jsonl"))
        #expect(try fixture.bytes("plain/groups.jsonl") != fixture.bytes("centered/groups.jsonl"))
        let found = try fixture.mine(output: "centered")
        #expect(!found.errors.contains("that of an earlier run"), "the autoencoder is of other differences")
    }

    @Test func hubsAreCounted() {
        let spread = Hubs(Array(0..<100) + Array(0..<100))
        #expect(spread == Hubs((0..<200).map { $0 % 100 }) && spread.different == 100)
        #expect(abs(spread.share - 0.1) < 1e-12)
        let few = Hubs((0..<100).map { $0 % 7 } + Array(100..<150))
        #expect(few.different == 57 && abs(few.share - 103.0 / 150) < 1e-12)
        #expect(few.serveAll(beside: spread) && !few.serveAll(beside: few) && !spread.serveAll(beside: spread))
        #expect(Hubs([]).share == 0 && !Hubs([]).serveAll(beside: Hubs([])))
    }
}
