import Core
import Foundation
import TestSupport
import Testing

/// Losses and coefficients against autograd in float64 (Tests/Goldens/objectives.py).
@Suite struct ObjectiveGoldenTests {
    private func cases(_ key: String) throws -> [JSONField] {
        try JSONField(contentsOf: golden("objectives.json"))[key].array()
    }

    private func close(_ a: Double?, _ b: Double?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return abs(a - b) <= 2e-11 * max(1, abs(b))
    }

    /// The numbers of `chosen`, `rejected` and the listed negatives; absent ones are `missing`.
    private func values(_ field: JSONField, negatives: [Int], missing: Double? = nil) throws -> GroupValues {
        func number(_ key: String) throws -> Double? {
            field[key].isPresent ? try field[key].double() : missing
        }
        return GroupValues(
            chosen: try #require(try number("chosen")), rejected: try number("rejected"),
            negatives: try negatives.map { try #require(try number("negative\($0)")) })
    }

    private func poolSize(_ one: JSONField) throws -> Int {
        try one["policy"].object().keys.count { $0.hasPrefix("negative") }
    }

    private func check(_ one: JSONField, _ objective: any Objective, _ draw: NegativeDraw) throws {
        let policy = try values(one["policy"], negatives: draw.indices)
        let tokens = try one["tokens"].int(default: 1)
        let divergence =
            one["kl"].isPresent
            ? ResponseDivergence(chosen: try one["kl"]["chosen"].double(), rejected: try one["kl"]["rejected"].double())
            : nil
        let result = objective(
            ScoredGroup(
                policy: policy, reference: try values(one["reference"], negatives: draw.indices), draw: draw,
                chosenTokens: tokens, divergence: divergence))
        if divergence != nil {
            #expect(close(result.rejectedDivergence, try one["kl_coefficients"]["rejected"].double()), "\(one.path)")
        }
        let label: Comment = "\(one.path)"
        #expect(close(result.loss, try one["loss"].double()), label)
        #expect(close(result.image, one["loss/image"].value?.double), label)
        let text = one["loss/text"].isPresent ? one["loss/text"] : one["loss/sft"]
        #expect(close(result.text, text.value?.double), label)
        let expected = try values(one["coefficients"], negatives: draw.indices, missing: 0)
        #expect(close(result.coefficients.chosen, expected.chosen), label)
        #expect(close(result.coefficients.rejected ?? 0, expected.rejected), label)
        #expect((result.coefficients.rejected == nil) == (policy.rejected == nil), label)
        for (a, b) in zip(result.coefficients.negatives, expected.negatives) { #expect(close(a, b), label) }
        #expect(result.coefficients.negatives.count == expected.negatives.count, label)
    }

    @Test(arguments: ObjectiveKind.allCases) func everyKind(kind: ObjectiveKind) throws {
        let all = try cases(kind.rawValue)
        #expect(all.count >= 9)
        for one in all {
            var settings = kind.defaults
            settings.beta = try one["beta"].double()
            settings.textWeight = try one["text_weight"].double(default: settings.textWeight)
            settings.anchorWeight = try one["anchor_weight"].double(default: settings.anchorWeight)
            settings.divergenceWeight = try one["kl_weight"].double(default: settings.divergenceWeight)
            let objective = kind.objective(settings)
            let pool = try poolSize(one)
            try check(
                one, objective,
                NegativeDraw(indices: Array(0..<pool), logWeights: [Double](repeating: 0, count: pool)))
        }
    }

    /// The same draw, given the randomness that the golden records, has the golden's weights, loss and coefficients.
    @Test(arguments: NegativeSampler.Mode.allCases) func everyDraw(mode: NegativeSampler.Mode) throws {
        let all = try cases("draws").filter { try $0["draw"]["mode"].string() == mode.rawValue }
        #expect(all.count >= 6)
        for one in all {
            let golden = one["draw"]
            let (n, count) = (try poolSize(one), try golden["count"].int())
            func numbers(_ key: String) throws -> [Double] { try golden[key].array().map { try $0.double() } }
            let indices = try golden["indices"].array().map { try $0.int() }
            let draw: NegativeDraw
            switch mode {
            case .subset:
                draw = NegativeSampler(.subset, count: count).draw(
                    [Double?](repeating: nil, count: n), seed: 0, epoch: 0, group: "g")
            case .uniform:
                let own = NegativeSampler(.uniform, count: count).draw(
                    [Double?](repeating: nil, count: n), seed: 0, epoch: 0, group: "g")
                draw = NegativeDraw(indices: indices, logWeights: own.logWeights)
            case .importance:
                let logQ = try numbers("q").map { log($0) }
                draw = NegativeSampler.topK(zip(logQ, try numbers("gumbel")).map(+), count, logProposal: logQ)
            case .replacement:
                draw = NegativeSampler.merged(indices, try numbers("q"))
            case .published:
                draw = NegativeSampler.published(indices, try numbers("q"))
            case .twoPass:
                let q = try numbers("q")
                draw = NegativeDraw(
                    indices: Array(0..<n), logWeights: [Double](repeating: 0, count: n),
                    estimator: .twoPass(uniforms: indices.map { middle(of: $0, in: q) }, proposal: q))
            }
            #expect(Set(draw.indices) == (mode == .twoPass ? Set(0..<n) : Set(indices)), "\(one.path)")
            // An item drawn m times stands once, with log m added.
            let logWeights = golden["log_weights"].isPresent ? try numbers("log_weights") : []
            for (item, logWeight) in zip(indices, logWeights) {
                let own = try #require(draw.indices.firstIndex(of: item))
                let times = log(Double(indices.count { $0 == item }))
                #expect(close(draw.logWeights[own], logWeight + times), "\(one.path)")
            }
            let beta = try one["beta"].double()
            try check(one, MISP(beta: beta, textWeight: 0), draw)
            guard one["ess"].isPresent, mode != .twoPass, mode != .published else { continue }
            let h =
                try values(one["policy"], negatives: draw.indices)
                - values(one["reference"], negatives: draw.indices)
            let diagnostics = draw.diagnostics(advantages: h.negatives.map { beta * ($0 - h.chosen) })
            #expect(close(diagnostics.effectiveSamples, try one["ess"].double()), "\(one.path)")
            #expect(diagnostics.largestShare * Double(count) >= 1 - 1e-12, "\(one.path)")
        }
    }

    @Test func imageTermOfAdvantages() throws {
        for one in try cases("advantages") {
            let (loss, weights) = PlackettLuce.loss(try one["advantages"].array().map { try $0.double() })
            #expect(close(loss, try one["loss"].double()), "\(one.path)")
            let expected = try one["weights"].array().map { try $0.double() }
            #expect(weights.count == expected.count)
            for (a, b) in zip(weights, expected) { #expect(close(a, b), "\(one.path)") }
        }
    }

    @Test func proposals() throws {
        for one in try cases("proposals") {
            let sampler = NegativeSampler(
                .importance, count: 1, temperature: try one["temperature"].double(),
                uniformMix: try one["uniform_mix"].double())
            let q = sampler.proposal(try one["scores"].array().map { try $0.double() })
            for (a, b) in zip(q, try one["q"].array().map { try $0.double() }) { #expect(close(a, b), "\(one.path)") }
            #expect(abs(q.reduce(0, +) - 1) < 1e-14)
        }
    }
}
