import Core
import Foundation
import TestSupport
import Testing
import Worker

@Suite(.serialized) struct SelfTestTests {
    private static let draws = [
        NegativeDraw(indices: [], logWeights: []), NegativeDraw(indices: [0, 2], logWeights: [0.4, -1.2]),
    ]

    /// What each objective comes to where every h is 0, written out; nil for one without a reference.
    private static func closedForm(_ name: String, _ draw: NegativeDraw, hasRejected: Bool) -> Double? {
        let pair = log(2.0)
        let image = draw.logWeights.isEmpty ? 0 : log(1 + draw.logWeights.reduce(0) { $0 + exp($1) })
        let text = hasRejected ? pair : 0
        return switch name {
        case "dpo": text
        case "mdpo": text + image + pair
        case "chip": hasRejected || image > 0 ? pair : 0
        case "sdpo": image
        case "misp": image + 0.7 * text + 0.3 * pair
        // Of n + 1 equal scores: log (n + 1)!
        case "lpoi": (1...draw.indices.count + 1).reduce(0) { $0 + log(Double($1)) } + 0.7 * text + 0.3 * pair
        default: nil
        }
    }

    /// The loss at policy = reference is the closed form, and the tests notice another one.
    @Test(arguments: ObjectiveKind.allCases.map(\.rawValue), draws)
    func lossOfTheReference(kind: String, draw: NegativeDraw) throws {
        let kind = try #require(ObjectiveKind(rawValue: kind))
        var settings = kind.defaults
        (settings.textWeight, settings.anchorWeight) = (0.7, 0.3)
        let objective = kind.objective(settings)
        for rejected in [nil, -7.5] {
            let values = GroupValues(chosen: -12, rejected: rejected, negatives: draw.indices.map { -3 - Double($0) })
            let loss = objective(ScoredGroup(policy: values, reference: values, draw: draw, chosenTokens: 4)).loss
            guard let closed = Self.closedForm(kind.rawValue, draw, hasRejected: rejected != nil) else {
                #expect(!objective.needs.reference)
                continue
            }
            let expected = SelfTest.lossOfReference(objective, draw, hasRejected: rejected != nil, tokens: 4)
            #expect(abs(loss - closed) < 1e-12 && abs(expected - closed) < 1e-12)
            #expect(throws: Never.self) {
                try SelfTest.checkLoss(loss, expected: expected, tolerance: 1e-4, at: "g")
            }
        }
    }

    @Test func defectsAreNamed() {
        for (body, part) in [
            ({ try SelfTest.checkLoss(0.7, expected: 0.6931, tolerance: 1e-4, at: "g7") }, "0.7"),
            ({ try SelfTest.checkLoss(.nan, expected: 0.6931, tolerance: 1e-4, at: "g7") }, "nan"),
            ({ try SelfTest.checkFeatures(577, expected: 576, at: "g7") }, "577 features for 576"),
            ({ try SelfTest.checkScored(targets: 0, at: "g7") }, "no token"),
        ] as [(() throws -> Void, String)] {
            let error = #expect(throws: MISPError.self) { try body() }
            #expect(error?.kind == .defect && error?.place == "g7")
            #expect(error?.what.contains(part) == true, "\(String(describing: error))")
        }
    }

    /// On real models: joint and streaming, with and without a trained tower, with an adapter to continue from.
    @Test(arguments: ["llama-clip-spm", "smol-dinov2-bytelevel"], ObjectiveKind.allCases.map(\.rawValue))
    func soundModelsPass(name: String, kind: String) throws {
        for settings in ["trainable: {vision: full}", "compute: {members: streaming}"] {
            let fixture = try TrainingFixture(
                name,
                settings: """
                    objective: {kind: \(kind), beta: 0.5}
                    optimizer: {steps: 1, groups_per_step: 2}
                    \(settings)
                    """)
            let run = try fixture.train()
            #expect(run.status == 0, "\(settings): \(run.errors)")
        }
    }
}
