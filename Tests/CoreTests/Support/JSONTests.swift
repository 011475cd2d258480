import Core
import Foundation
import Testing

@Suite struct JSONTests {
    @Test func readsEveryKind() throws {
        let json = try JSON(parsing: #" {"a": [1, -2.5e3, true, false, null, "x"], "b": {"c": {}}, "d": []} "#)
        #expect(json["a"]?.array?.count == 6)
        #expect(json["a"]?[0]?.int == 1)
        #expect(json["a"]?[1]?.double == -2500)
        #expect(json["a"]?[1]?.int == -2500)
        #expect(json["a"]?[2]?.bool == true)
        #expect(json["a"]?[4]?.isNull == true)
        #expect(json["a"]?[6] == nil)
        #expect(json["b"]?["c"]?.object?.count == 0)
        #expect(json.object?.keys == ["a", "b", "d"])
        #expect(json["a"]?["a"] == nil)
    }

    @Test func keepsCanonicallyEquivalentKeysApart() throws {
        let composed = "\u{e9}"
        let decomposed = "e\u{301}"
        #expect(composed == decomposed)
        let json = try JSON(parsing: "{\"\(composed)\": 1, \"\(decomposed)\": 2}")
        #expect(json.object?.count == 2)
        #expect(json[composed]?.int == 1)
        #expect(json[decomposed]?.int == 2)
        #expect(JSON.string(composed) != JSON.string(decomposed))
        let many = JSON.object(.init((0..<100).map { ("\(decomposed)\($0)", .integer($0)) }))
        #expect(many["\(decomposed)57"]?.int == 57)
        #expect(many["\(composed)57"] == nil)
    }

    @Test func aRepeatedKeyKeepsItsLastValue() throws {
        #expect(try JSON(parsing: #"{"a": 1, "b": 2, "a": 3}"#) == ["a": 3, "b": 2])
    }

    @Test func readsEscapes() throws {
        let json = try JSON(parsing: #""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00\u0000""#)
        #expect(
            Array((json.string ?? "").unicodeScalars.map(\.value)) == [
                0x22, 0x5C, 0x2F, 8, 12, 10, 13, 9, 0x41, 0xE9, 0x1F600, 0,
            ])
    }

    @Test func readsNumbers() throws {
        let json = try JSON(
            parsing: "[0, -0, 9223372036854775807, 9223372036854775808, 0.1, 1E2, 1e-400, NaN, -Infinity]")
        #expect(json[2] == .integer(.max))
        #expect(json[3]?.int == nil)
        #expect(json[3]?.double == 9223372036854775808)
        #expect(json[4]?.double == 0.1)
        #expect(json[5]?.int == 100)
        #expect(json[6]?.double == 0)
        #expect(json[7]?.double?.isNaN == true)
        #expect(json[8]?.double == -.infinity)
    }

    @Test(arguments: [
        ("", "found the end"), ("{", "key in quotes"), ("[1,]", "expected a value, found ']'"),
        ("[1 2]", "expected ',' or ']', found '2'"), (#"{"a" 1}"#, "expected ':'"), (#"{"a":1,}"#, "key in quotes"),
        ("01", "end of the text, found '1'"), ("1.", "expected a digit"), ("-", "expected a digit"), ("1e", "digit"),
        ("nul", "expected a value"), ("\"a", "not closed"), ("\"a\u{1}\"", "control character"),
        (#""\x""#, "unknown escape"), (#""\u12G4""#, "hexadecimal"), (#""\ud800""#, "surrogate"),
        (#""\ud800\u0041""#, "surrogate"), (#""\udc00""#, "surrogate"), ("[] []", "end of the text"),
    ])
    func refusesMalformedText(text: String, message: String) throws {
        let error = try #require(throws: MISPError.self) { try JSON(parsing: text, at: "file.json") }
        #expect(error.description.contains(message), "\(error)")
        #expect(error.place?.hasPrefix("file.json: line 1, byte offset ") == true)
    }

    @Test func errorsNameLineAndOffset() throws {
        let error = try #require(throws: MISPError.self) { try JSON(parsing: "{\n\"a\": 1,\n\"b\" 2}", at: "f") }
        #expect(error.description == "f: line 3, byte offset 14: expected ':' after a key, found '2'")
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: MISPError.self) { try JSON(parsing: [0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: MISPError.self) { try JSON(parsing: [0x22, 0x5C, 0x6E, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func depthIsBounded() throws {
        let limit = JSON.maximumDepth
        _ = try JSON(parsing: String(repeating: "[", count: limit) + String(repeating: "]", count: limit))
        #expect(throws: MISPError.self) { try JSON(parsing: String(repeating: "[", count: 1_000_000)) }
        #expect(throws: MISPError.self) { try JSON(parsing: String(repeating: #"{"a":"#, count: 1_000_000)) }
    }

    @Test func writesWhatItReads() throws {
        let text = #"{"b":[1,-2.5,1e-07,true,null,"a\"\\\n\u0001é😀"],"a":{}}"#
        #expect(try JSON(parsing: text).description == text)
        #expect(JSON.number(.nan).description == "null")
        #expect(JSON.number(1).description == "1.0")
    }

    @Test func doublesRoundTrip() throws {
        var generator = SystemRandomNumberGenerator()
        let special: [Double] = [
            0.1, 1 / 3, Double.leastNonzeroMagnitude, 1.7976931348623157e308, -0.0, 123456789012345683968, 1e16,
        ]
        let random = (0..<1000).map { _ in Double(bitPattern: generator.next()) }.filter(\.isFinite)
        for value in special + random {
            let read = try JSON(parsing: JSON.number(value).description)
            #expect(read.double?.bitPattern == value.bitPattern)
        }
    }

    @Test func fieldsNameTheirPlace() throws {
        let config = JSONField(["text_config": ["size": 64, "act": nil, "layers": [["x": 1]]]], file: "config.json")
        #expect(try config["text_config"]["size"].int() == 64)
        #expect(try config["text_config"]["act"].string(default: "silu") == "silu")
        #expect(try config["text_config"]["layers"].array()[0]["x"].double() == 1)
        let missing = try #require(throws: MISPError.self) { try config["text_config"]["heads"].int() }
        #expect(missing.description == "config.json: text_config.heads: is missing; expected an integer")
        let wrong = try #require(throws: MISPError.self) { try config["text_config"]["layers"][0].string() }
        #expect(wrong.description == "config.json: text_config.layers[0]: is an object, not a string")
        #expect(throws: MISPError.self) { try config["text_config"]["size"].bool(default: true) }
    }

    @Test func readsJSONLines() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).jsonl")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data("{\"a\": 1}\r\n\n{\"a\": 2}\n".utf8).write(to: url)
        let lines = try JSON.lines(contentsOf: url)
        #expect(lines.map(\.line) == [1, 3])
        #expect(lines.map { $0.value["a"]?.int } == [1, 2])
        try Data("{}\n{\n".utf8).write(to: url)
        let error = try #require(throws: MISPError.self) { try JSON.lines(contentsOf: url) }
        #expect(error.place?.contains(".jsonl:2: ") == true)
    }
}
