import Core
import Testing

@Suite struct KeyTableTests {
    private static let table = KeyTable(
        read: ["hidden_size"], harmless: ["use_cache"],
        fixed: ["attention_dropout": [0], "scale": [true], "pattern": [[1, 2]]])

    private static func refusal(_ text: String) throws -> String? {
        let field = JSONField(try JSON(parsing: text), file: "config.json")
        do {
            try table.check(field["text_config"])
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        #"{"hidden_size": 3, "use_cache": true}"#, #"{"attention_dropout": 0.0, "scale": true}"#,
        #"{"attention_dropout": null}"#, #"{"pattern": [1.0, 2]}"#,
        #"{"new": null, "newer": false, "a": "", "b": [], "c": {}}"#,
    ])
    func whatChangesNothingIsAccepted(_ section: String) throws {
        #expect(try Self.refusal(#"{"text_config": \#(section)}"#) == nil)
    }

    @Test(arguments: [
        (#"{"attention_dropout": 0.1}"#, "attention_dropout"), (#"{"scale": false}"#, "scale"),
        (#"{"pattern": [2, 1]}"#, "pattern"), (#"{"window": 4}"#, "window"), (#"{"window": 0}"#, "window"),
        (#"{"window": true}"#, "window"), (#"{"use_cache": 1, "x": [0]}"#, "x"),
    ])
    func anythingElseIsRefusedByName(_ section: String, _ key: String) throws {
        let message = try #require(try Self.refusal(#"{"text_config": \#(section)}"#))
        #expect(message.hasPrefix("config.json: text_config.\(key): is "))
    }

    @Test func aMisspeltKeyIsToldItsNeighbour() throws {
        #expect(
            try #require(try Self.refusal(#"{"text_config": {"hiden_size": 3}}"#)).contains("did you mean hidden_size?")
        )
    }

    @Test func anAbsentObjectHasNoKeys() throws { #expect(try Self.refusal("{}") == nil) }
}
