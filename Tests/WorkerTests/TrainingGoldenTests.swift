import Core
import Foundation
import TestSupport
import Testing

/// The program, started as a user starts it, against PyTorch and PEFT (Tests/Goldens/checkpoints.py, training.json).
@Suite(.serialized) struct TrainingGoldenTests {
    /// Of a run as a golden's `settings` describe it.
    static func settings(_ golden: JSONField) throws -> String {
        func number(_ key: String) throws -> Double { try golden[key].double() }
        let betas = try golden["betas"].array().map { try $0.double() }
        let kind = try golden["kind"].string()
        return """
            objective: {kind: \(kind), beta: \(try number("beta")), text_weight: \(try number("text_weight"))}
            negatives: {count: \(try golden["negatives"].int()), sampling: subset}
            optimizer:
              learning_rate: \(try number("learning_rate"))
              betas: [\(betas[0]), \(betas[1])]
              eps: \(try number("eps"))
              weight_decay: \(try number("weight_decay"))
              max_grad_norm: \(try number("max_grad_norm"))
              schedule: \(try golden["schedule"].string())
              warmup_ratio: \(try number("warmup_ratio"))
              groups_per_step: \(try golden["groups_per_step"].int())
              steps: \(try golden["steps"].int())
            """
    }

    @Test(
        arguments: ["llama-clip-spm", "smol-dinov2-bytelevel", "qwen2-siglip"],
        ["misp", "dpo", "sft", "mdpo", "chip", "full"])
    func stepsAndResult(name: String, kind: String) throws {
        let json = try JSONField(contentsOf: golden("checkpoints/\(name)/training.json"))[kind]
        var settings = try Self.settings(json["settings"])
        if kind == "full" { settings += "\ntrainable: {language: full, projector: full, vision: full}" }
        let fixture = try TrainingFixture(name, settings: settings, adapter: kind != "full")
        let run = try fixture.train(["data.shuffle=false"])
        try #require(run.status == 0, "\(run.errors)")

        let steps = try json["steps"].array()
        let metrics = try fixture.metrics()
        #expect(metrics.count == steps.count)
        for (own, expected) in zip(metrics, steps) {
            #expect(try own["step"].int() == expected["step"].int())
            var names = ["loss", "grad_norm", "learning_rate", "logps/chosen"]
            if kind != "mdpo" && kind != "chip" { names += ["loss/image", "loss/text"] }
            // Without a reference there are no rewards.
            let hasReference = kind != "sft" && kind != "full"
            if hasReference { names.append("rewards/chosen") }
            #expect(own["rewards/chosen"].isPresent == hasReference)
            for name in names {
                let (a, b) = (try own[name].double(), try expected[name].double())
                #expect(abs(a - b) <= 1e-4 * max(abs(b), name == "rewards/chosen" ? 1 : 1e-3), "\(own.file) \(name)")
            }
        }
        if kind == "misp" {
            let expected = try TrainingFixture.tensors(
                fixture.checkpoint.appending(path: "adapter-final/adapter_model.safetensors"))
            #expect(try TrainingFixture.difference(fixture.adapter(), expected) < 1e-4)
        }
        if kind == "full" { try Self.checkModel(fixture, json["final"]) }
    }

    /// With the tower adapted. Nothing reaches the layer above the feature layer, so that AdamW passes its adapters by:
    /// with a weight decay of 0.5 they end as they began.
    @Test(arguments: ["joint", "streaming"]) func layersAboveTheFeatures(members: String) throws {
        let json = try JSONField(contentsOf: golden("checkpoints/llama-clip-spm/vision-lora.json"))["vision-lora"]
        let fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: Self.settings(json["settings"]) + "\ntrainable: {vision: lora}",
            adapter: "adapter-vision-init")
        let run = try fixture.train(["data.shuffle=false", "compute.members=\(members)"])
        try #require(run.status == 0, "\(run.errors)")
        for (own, expected) in zip(try fixture.metrics(), try json["steps"].array()) {
            for name in ["loss", "grad_norm", "logps/chosen"] {
                let (a, b) = (try own[name].double(), try expected[name].double())
                #expect(abs(a - b) <= 1e-4 * max(abs(b), 1), "\(own.file) \(name): \(a), not \(b)")
            }
        }
        func tensors(_ folder: String) throws -> [String: [Float]] {
            try TrainingFixture.tensors(fixture.checkpoint.appending(path: "\(folder)/adapter_model.safetensors"))
        }
        let (own, first) = (try fixture.adapter(), try tensors("adapter-vision-init"))
        #expect(TrainingFixture.difference(own, try tensors("adapter-vision-final")) < 1e-4)
        let above = first.filter { $0.key.hasPrefix("vision_tower.encoder.layers.2.") }
        #expect(above.count == 12)
        for (name, values) in above { #expect(own[name] == values, "\(name)") }
        for (name, values) in first where above[name] == nil { #expect(own[name] != values, "\(name)") }
    }

    /// The written model: the golden's tensors after the last step, by the names of the checkpoint that was read.
    static func checkModel(_ fixture: TrainingFixture, _ golden: JSONField) throws {
        let file = fixture.folder["out/model/model.safetensors"]
        let tensors = try SafetensorsFile(contentsOf: file).tensors
        for (name, _) in try golden.object().members {
            let (tensor, expected) = (try #require(tensors[name], "\(name)"), golden[name])
            #expect(tensor.shape == (try expected["shape"].array().map { try $0.int() }), "\(name)")
            let values = tensor.widened(Double.self, rows: 1, columns: tensor.count).elements
            let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(norm - (try expected["norm"].double())) < 1e-4, "\(name)")
            for sample in try expected["samples"].array() {
                #expect(abs(values[try sample[0].int()] - (try sample[1].double())) < 1e-4, "\(name)")
            }
        }
    }
}

/// One result on any number of ranks.
@Suite(.serialized) struct RankCountTests {
    static let settings = """
        seed: 3
        objective: {kind: misp}
        negatives: {count: 2, sampling: importance}
        optimizer: {learning_rate: 1e-2, groups_per_step: 6, steps: 3, warmup_ratio: 0}
        """

    @Test func oneTwoFourAndEightRanksGiveTheSameBits() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: Self.settings)
        #expect(try fixture.train(output: "1").status == 0)
        let metrics = try fixture.comparableMetrics("1")
        let adapter = try fixture.bytes("1/adapter/adapter_model.safetensors")
        #expect(metrics.count == 3)
        for ranks in [2, 4, 8] {
            let run = try fixture.train(ranks: ranks, output: "\(ranks)")
            try #require(run.status == 0, "\(run.errors)")
            #expect(run.errors.contains("\(ranks) ranks"))
            #expect(try fixture.comparableMetrics("\(ranks)") == metrics, "\(ranks) ranks")
            #expect(try fixture.bytes("\(ranks)/adapter/adapter_model.safetensors") == adapter, "\(ranks) ranks")
        }
        // Another number of ranks adds in another order: the same to rounding.
        let run = try fixture.train(ranks: 3, output: "3")
        try #require(run.status == 0, "\(run.errors)")
        #expect(try TrainingFixture.difference(fixture.adapter("3"), fixture.adapter("1")) < 1e-5)
        for (own, expected) in zip(try fixture.metrics("3"), try fixture.metrics("1")) {
            for name in ["loss", "grad_norm", "logps/chosen", "is/ess"] {
                let (a, b) = (try own[name].double(), try expected[name].double())
                #expect(abs(a - b) <= 1e-5 * abs(b), "\(name)")
            }
        }
    }

    /// Members one at a time: ranks share a group, so that more of them than groups have work.
    @Test(arguments: [
        "objective: {kind: misp}\nnegatives: {count: 2, sampling: importance}",
        "objective: {kind: misp}\nnegatives: {count: 3, sampling: two_pass}", "objective: {kind: chip}",
    ])
    func ranksShareAGroup(settings: String) throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: settings + """

                optimizer: {learning_rate: 1e-2, groups_per_step: 2, steps: 3, warmup_ratio: 0}
                compute: {members: streaming}
                """)
        #expect(try fixture.train(output: "1").status == 0)
        let metrics = try fixture.comparableMetrics("1")
        let adapter = try fixture.bytes("1/adapter/adapter_model.safetensors")
        for ranks in [2, 4, 8] {
            let run = try fixture.train(ranks: ranks, output: "\(ranks)")
            try #require(run.status == 0, "\(run.errors)")
            #expect(try fixture.comparableMetrics("\(ranks)") == metrics, "\(ranks) ranks")
            #expect(try fixture.bytes("\(ranks)/adapter/adapter_model.safetensors") == adapter, "\(ranks) ranks")
        }
        // Two groups of at least two members: four ranks have work, which one rank each would not give them.
        let balance = try fixture.metrics("4").map { try $0["balance/efficiency"].double() }
        #expect(balance.allSatisfy { $0 > 0.5 }, "\(balance)")
    }

    /// Layers that are run again on the way back: the same bits as with everything kept, on any number of ranks.
    @Test(arguments: ObjectiveKind.allCases.map(\.rawValue)) func recomputeEqualsJoint(kind: String) throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                seed: 3
                objective: {kind: \(kind)}
                negatives: {count: 2}
                optimizer: {learning_rate: 1e-2, groups_per_step: 4, steps: 3, warmup_ratio: 0}
                """)
        try expectRecomputeEqualsJoint(fixture)
    }

    /// The same where the vision tower is trained, in whole and by adapters.
    @Test(arguments: ["full", "lora"]) func recomputeEqualsJointInTheTower(vision: String) throws {
        let fixture = try TrainingFixture(
            "qwen2-siglip", settings: Self.settings + "\ntrainable: {projector: full, vision: \(vision)}",
            adapter: vision == "full")
        try expectRecomputeEqualsJoint(fixture)
    }

    /// Members one at a time, each of whose layers are run again: the same bits as with everything kept.
    @Test func recomputeWithinStreaming() throws {
        let fixture = try TrainingFixture(
            "llama-clip-spm",
            settings: """
                objective: {kind: misp}
                negatives: {count: 3, sampling: two_pass}
                optimizer: {learning_rate: 1e-2, groups_per_step: 2, steps: 3, warmup_ratio: 0}
                """)
        try expectRecomputeEqualsJoint(fixture, as: "streaming")
    }

    private func expectRecomputeEqualsJoint(_ fixture: TrainingFixture, as whole: String = "joint") throws {
        for (output, members, ranks) in [("joint", whole, nil), ("one", "recompute", nil), ("four", "recompute", 4)] {
            let run = try fixture.train(ranks: ranks, output: output, ["compute.members=\(members)"])
            try #require(run.status == 0, "\(run.errors)")
        }
        let metrics = try fixture.comparableMetrics("joint")
        let adapter = try fixture.bytes("joint/adapter/adapter_model.safetensors")
        for output in ["one", "four"] {
            #expect(try fixture.comparableMetrics(output) == metrics, "\(output)")
            #expect(try fixture.bytes("\(output)/adapter/adapter_model.safetensors") == adapter, "\(output)")
        }
    }

    /// Members one at a time instead of together: another layout of the same mathematics. AdamW makes more of the
    /// rounding where a gradient is almost zero.
    @Test func streamingEqualsJoint() throws {
        let fixture = try TrainingFixture("smol-dinov2-bytelevel", settings: Self.settings)
        for members in ["joint", "streaming"] {
            let run = try fixture.train(output: members, ["compute.members=\(members)"])
            try #require(run.status == 0, "\(run.errors)")
        }
        #expect(try TrainingFixture.difference(fixture.adapter("joint"), fixture.adapter("streaming")) < 1e-4)
    }
}
