import Core
import Foundation
import TestSupport
import Testing
import Worker

/// Whatever is wrong with a mining's input: one line that says what, where and what to do, and exit status 2.
@Suite(.serialized) struct MineRefusalTests {
    private let fixture: MiningFixture

    init() throws { fixture = try MiningFixture() }

    /// The run fails with status 2, says each of `expected` in one line of its own, and writes no groups.
    private func expectRefusal(_ expected: String..., set: [String] = [], ranks: Int? = nil) throws {
        let run = try runRanks(
            ranks, "misp-worker",
            ["mine", "--config", fixture.folder["mine.yaml"].path, "--set", "output=out", "store=store"] + set)
        #expect(run.status == 2, "\(run.errors)")
        let lines = run.errors.split(separator: "\n")
            .filter { $0.hasPrefix("misp: ") || $0.hasPrefix("misp-worker: ") }
        #expect(lines.count == 1, "\(run.errors)")
        for part in expected { #expect(lines.first?.contains(part) == true, "\(part): \(run.errors)") }
        #expect(!run.errors.contains("Fatal error") && run.output.isEmpty, "\(run.errors)\(run.output)")
        #expect(!FileManager.default.fileExists(atPath: fixture.folder["out/groups.jsonl"].path))
    }

    private func rewriteGroups(_ lines: String...) throws {
        try fixture.write(lines.map { "\($0)\n" }.joined(), to: "groups.jsonl")
    }

    private func group(_ id: String, prompt: String = "What?", image: String = "images/rgb.png") -> String {
        #"{"id": "\#(id)", "prompt": "\#(prompt)", "chosen": "A cat.", "image": "\#(image)"}"#
    }

    @Test func configuration() throws {
        try expectRefusal("strateg", "did you mean strategy?", set: ["strateg=misp"])
        try expectRefusal("autoencoder.latent", "did you mean latents?", set: ["autoencoder.latent=4"])
        try expectRefusal("data.prompt", "did you mean prompts?", set: ["data.prompt=groups.jsonl"])
        try expectRefusal("strategy", "did you mean nearest?", set: ["strategy=nearst"])
        try expectRefusal("pool", "must be 1 or more", set: ["pool=0"])
        try expectRefusal("duplicate_cosine", "between 0 and 1", set: ["duplicate_cosine=1.5"])
        try expectRefusal("model.path: is missing", set: ["model.path=null"])
        try expectRefusal("data.prompts: is missing", set: ["data.prompts=null"])
    }

    /// Before a picture is looked at.
    @Test func settingsOfPictures() throws {
        try expectRefusal("model.max_pixels: is set, but models of the CLIP family", set: ["model.max_pixels=784"])
        try expectRefusal("model.min_pixels", set: ["model.min_pixels=0"])
        try expectRefusal("model.max_pixel", "did you mean max_pixels?", set: ["model.max_pixel=784"])
        let vision = { ["embedder=vision", "model.path=\(golden($0).path)", $1] }
        try expectRefusal(
            "model.image_splitting: is set, but models of the Qwen2-VL family",
            set: vision("families/qwen2-vl", "model.image_splitting=false"), ranks: 2)
        try expectRefusal(
            "model.max_pixels: is set, but models of the SmolVLM family",
            set: vision("families/smolvlm-tiles", "model.max_pixels=784"))
        try expectRefusal(
            "model.min_pixels: is set, but models of the LLaVA family",
            set: vision("checkpoints/llama-clip-spm", "model.min_pixels=784"))
    }

    @Test func prompts() throws {
        try expectRefusal("absent.jsonl", set: ["data.prompts=absent.jsonl"])
        try rewriteGroups(group("a"), #"{"id": "b", "prompt": "What?"}"#)
        try expectRefusal("groups.jsonl:2: chosen: is missing")
        try rewriteGroups(group("a"), group("a"))
        try expectRefusal("groups.jsonl:2: id", "'a' is the id of line 1 too", ranks: 2)
        try rewriteGroups()
        try expectRefusal("groups.jsonl: holds no preference groups")
    }

    /// Said by the group's id; cutting has to be asked for.
    @Test func promptsThatAreTooLong() throws {
        try expectRefusal(
            "groups.jsonl: unicode: the prompt has 25 tokens, but the embedder reads at most 24", "in all: 2 of 8",
            "long_prompts: truncate", set: ["long_prompts=error"])
        try expectRefusal("groups.jsonl: unicode", set: ["long_prompts=error"], ranks: 2)
    }

    @Test func galleries() throws {
        try expectRefusal("nowhere: does not exist", "give a folder of pictures", set: ["data.gallery=nowhere"])
        try FileManager.default.createDirectory(at: fixture.folder["empty"], withIntermediateDirectories: true)
        try fixture.write("not a picture", to: "empty/notes.txt")
        try expectRefusal("empty: holds no pictures", "pictures end in .png", set: ["data.gallery=empty"], ranks: 2)
        try fixture.write("\n \n", to: "empty.txt")
        try expectRefusal("empty.txt: lists no pictures", set: ["data.gallery=empty.txt"])
        try fixture.write("images/rgb.png\n{\"picture\": 1}\n", to: "list.jsonl")
        try expectRefusal("list.jsonl:2: image: is missing", set: ["data.gallery=list.jsonl"])
    }

    @Test func tooFewCandidates() throws {
        try expectRefusal(
            "the gallery has 10 different pictures to choose from, fewer than the pool of 16", "lower pool",
            set: ["pool=16"])
        // Enough in all, but the group's own picture is one of them.
        try expectRefusal(
            "groups.jsonl: three: has 9 candidates in the gallery, fewer than the pool of 10", set: ["pool=10"],
            ranks: 2)
    }

    @Test func checkpoints() throws {
        try expectRefusal("config.json: cannot be read", set: ["model.path=nowhere"])
        let llava = golden("checkpoints/llama-clip-spm").path
        try expectRefusal("model_type: is llava, not clip", "embedder: vision", set: ["model.path=\(llava)"])
        try expectRefusal("model_type: is clip", set: ["embedder=vision"])
        try FileManager.default.copyItem(at: golden("clip/legacy"), to: fixture.folder["clip"])
        try FileManager.default.removeItem(at: fixture.folder["clip/tokenizer.json"])
        try expectRefusal(
            "clip/tokenizer.json: does not exist; prompts need CLIP's tokenizer", set: ["model.path=clip"], ranks: 2)
    }

    @Test func exclusionsMustBeReadable() throws {
        try fixture.write("images/rgb.png\nimages/absent.png\n", to: "exclude.txt")
        try expectRefusal(
            "exclude.txt: ", "absent.png: cannot be read", "in all: 1 of 2", set: ["data.exclude=exclude.txt"], ranks: 2
        )
    }

    /// Unreadable pictures are left out, counted and listed, up to the allowed share.
    @Test func unreadablePictures() throws {
        for name in ["cut.png", "empty.png", "text.jpg"] {
            let whole = try fixture.bytes("images/rgb.png")
            try whole.prefix(name == "cut.png" ? whole.count / 2 : 0).write(to: fixture.folder["images/\(name)"])
        }
        try fixture.write("no picture", to: "images/text.jpg")
        try expectRefusal(
            "images: 3 of 13 pictures are unreadable, more than max_unreadable 0.01 allows", "cut.png", "empty.png",
            "text.jpg", "fix or remove them")
        try expectRefusal("3 of 13 pictures are unreadable", set: ["max_unreadable=0.2"], ranks: 2)
        for ranks in [nil, 3] {
            let run = try fixture.mine(ranks: ranks, "max_unreadable=0.25")
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.output.contains("3 unreadable"), "\(run.output)")
            let listed = try fixture.statistics()["pictures"]["unreadable"].array()
            #expect(
                try listed.map { URL(filePath: try $0["image"].string()).lastPathComponent }
                    == ["cut.png", "empty.png", "text.jpg"])
            #expect(try listed[0]["reason"].string().contains("truncated PNG"))
            #expect(try fixture.groups().flatMap(\.negatives).allSatisfy { !$0.image.hasSuffix("cut.png") })
            try FileManager.default.removeItem(at: fixture.folder["out"])
        }
    }

    /// A group whose own picture cannot be read has no negatives either: it is left out, and said so.
    @Test func aGroupWithoutItsPicture() throws {
        try rewriteGroups(group("a"), group("b", image: "images/absent.png"), group("c", image: "images/wide.jpg"))
        try expectRefusal("1 of 11 pictures are unreadable", "absent.png")
        let run = try fixture.mine(ranks: 2, "max_unreadable=0.1")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("2 of 3, without a readable picture: b"), "\(run.output)")
        #expect(try fixture.groups().map(\.id) == ["a", "c"])
        #expect(try fixture.statistics()["groups"]["without_picture"].array().map { try $0.string() } == ["b"])
        try FileManager.default.removeItem(at: fixture.folder["out"])
        try rewriteGroups(group("b", image: "images/absent.png"))
        try expectRefusal("no group has a readable picture", set: ["max_unreadable=1"])
    }

    @Test func anOutputThatCannotBeMade() throws {
        try fixture.write("in the way", to: "out")
        try expectRefusal("out: cannot be made", "choose another output", ranks: 2)
    }
}
