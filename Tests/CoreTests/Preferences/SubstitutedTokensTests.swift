import Core
import TestSupport
import Testing

/// What counts as substituted, against Python's difflib (Tests/Goldens/objectives.py).
@Suite struct SubstitutedTokensTests {
    @Test func matchDifflib() throws {
        let cases = try JSONField(contentsOf: golden("objectives.json"))["substitutions"].array()
        #expect(cases.count >= 100)
        for one in cases {
            func numbers(_ key: String) throws -> [Int] { try one[key].array().map { try $0.int() } }
            let own = SubstitutedTokens(
                try numbers("a").map(Int32.init), try numbers("b").map(Int32.init), shortest: try one["shortest"].int())
            #expect(own.a == (try numbers("marked_a")), "\(one.path)")
            #expect(own.b == (try numbers("marked_b")), "\(one.path)")
        }
    }

    /// What follows the prompt alike is part of the prompt's run, however short; the end of the response is compared
    /// too.
    @Test func responsesAreComparedWithTheirPrompt() {
        var group = EncodedGroup(
            id: "g", prompt: EncodedPrompt(before: [1], after: [4, 5]),
            chosen: WeightedTokens([20, 21, 22, 30, 31, 32, 2]),
            rejected: WeightedTokens([20, 25, 26, 27, 30, 31, 32, 2]),
            image: PlacedImage(
                ImageSource(path: "a.png"), PicturePlace(rows: 3, token: 9), shape: PictureShape(height: 6, width: 2)))
        group.weightSubstitutedTokens(by: 4)
        #expect(group.chosen.weights == [1, 4, 4, 1, 1, 1, 1])
        #expect(group.rejected?.weights == [1, 4, 4, 4, 1, 1, 1, 1])
        var alone = group
        alone.chosen = WeightedTokens([20])
        alone.rejected = nil
        alone.weightSubstitutedTokens(by: 4)
        #expect(alone.chosen.weights == [1])
    }
}
