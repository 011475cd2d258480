import Core
import Foundation
import TestSupport
import Testing

/// Rows in the formats of other trainers, in the shapes that their documentation has.
@Suite struct RowFormatTests {
    private static func group(_ line: String) throws -> PreferenceGroup {
        try PreferenceGroup(JSON(parsing: line), file: "rows.jsonl", line: 3, images: "/data")
    }

    private static func refusal(_ line: String) throws -> MISPError {
        try #require(throws: MISPError.self, "\(line)") { try group(line) }
    }

    private static let (asked, chosen) = (
        #"{"role": "user", "content": "<image>Which?"}"#, #"{"role": "assistant", "content": "A."}"#
    )
    private static let rejected = #"{"role": "assistant", "content": "B."}"#
    private static let brief = #"{"role": "system", "content": "Be brief."}"#
    private static let swift =
        #"{"messages": [\#(asked), \#(chosen)], "rejected_response": "B.", "images": ["a.png"]}"#
    private static let factory = #"""
        {"conversations": [{"from": "human", "value": "<image>Which?"}], "chosen": {"from": "gpt", "value": "A."}, \#
        "rejected": {"from": "gpt", "value": "B."}, "images": ["a.png"]}
        """#

    /// All of them say what misp's own row says.
    @Test(arguments: [
        swift,
        swift.replacing(#""rejected_response": "B.""#, with: "\"rejected_messages\": [\(asked), \(rejected)]"),
        swift.replacing(#"["a.png"]"#, with: #"[{"bytes": null, "path": "a.png"}], "channel": "x", "videos": []"#),
        swift.replacing("<image>Which?", with: "<image>\\nWhich?"),
        swift.replacing("<image>Which?", with: "Which?"),
        swift.replacing(#""A."}"#, with: #""A.", "loss": true}"#),
        swift.replacing(#"["a.png"]"#, with: #""a.png""#),
        factory,
        #"{"messages": [\#(asked)], "chosen": \#(chosen), "rejected": \#(rejected), "images": ["a.png"]}"#,
        factory.replacing(#"{"from": "gpt", "value": "A."}"#, with: #""A.""#),
    ])
    func saysWhatMispsOwnRowSays(line: String) throws {
        let own = try Self.group(#"{"prompt": "Which?", "chosen": "A.", "rejected": "B.", "image": "a.png"}"#)
        #expect(try Self.group(line) == own)
        #expect(own.image == "/data/a.png")
    }

    /// A picture behind the question stays known as that, for templates that keep it there.
    @Test func thePicturesPlace() throws {
        let behind = try Self.group(Self.swift.replacing("<image>Which?", with: "Which?\\n<image>"))
        #expect(behind.prompt == "Which?" && behind.message?.parts == ["Which?"] && behind.message?.picture == 1)
        #expect(try PromptTemplate("llava-1.5").joined(["Which?"], picture: 1) == "Which?")
        #expect(throws: MISPError.self) { try PromptTemplate("qwen2.5-vl").joined(["Which?"], picture: 1) }
    }

    /// Each rejected picture is a negative; without a rejected answer there is no text term.
    @Test func rejectedPictures() throws {
        let line = Self.swift.replacing(
            #""rejected_response": "B.""#, with: #""rejected_images": ["b.png", {"path": "c.png"}]"#)
        let group = try Self.group(line)
        #expect(group.rejected == nil)
        #expect(group.negatives == [.init(image: "/data/b.png"), .init(image: "/data/c.png")])
        let one = try Self.group(Self.swift.replacing("\"images\"", with: "\"rejected_images\": \"b.png\", \"images\""))
        #expect(one.rejected == "B." && one.negatives == [.init(image: "/data/b.png")])
    }

    /// Of a rejected conversation about another picture the picture is what is wrong; the row's own is no negative.
    @Test func rejectedConversationsWithTheirPictures() throws {
        let same = "\"rejected_messages\": [\(Self.asked), \(Self.chosen)], \"rejected_images\": [\"b.png\"]"
        let other = try Self.group(Self.swift.replacing(#""rejected_response": "B.""#, with: same))
        #expect(other.rejected == nil && other.negatives == [.init(image: "/data/b.png")])
        let worse = "\"rejected_messages\": [\(Self.asked), \(Self.rejected)], \"rejected_images\": [\"a.png\"]"
        let own = try Self.group(Self.swift.replacing(#""rejected_response": "B.""#, with: worse))
        #expect(own.rejected == "B." && own.negatives.isEmpty)
        let listed = try Self.group(Self.swift.replacing(#""B.""#, with: "[\(Self.rejected)]"))
        #expect(listed.rejected == "B.")
    }

    /// A system message stands where its format has it, and is kept.
    @Test(arguments: [
        swift.replacing("[{\"role\": \"user\"", with: "[\(brief), {\"role\": \"user\""),
        factory.replacing("[{\"from\"", with: #"[{"from": "system", "value": "Be brief."}, {"from""#),
        factory.replacing("\"images\"", with: #""system": "Be brief.", "images""#),
        swift.replacing("\"images\"", with: #""system": "Be brief.", "images""#),
    ])
    func systemMessages(line: String) throws {
        let group = try Self.group(line)
        #expect(group.message?.system == "Be brief." && group.message?.parts == ["Which?"])
        #expect([group.chosen, group.rejected] == ["A.", "B."])
    }

    @Test(arguments: [
        (swift.replacing("<image>Which?", with: "Is <image> red?"), "messages[0].content: has <image> amid its text"),
        (swift.replacing("<image>", with: "<image><image>"), "messages[0].content: holds 2 images"),
        (
            swift.replacing("[{\"role\": \"user\"", with: "[\(asked), \(chosen), {\"role\": \"user\""),
            "asks in 3 messages"
        ),
        (swift.replacing(#""A."}"#, with: #""A.", "loss": false}"#), "messages[1].loss: is false"),
        (swift.replacing("\"images\"", with: "\"tools\": [1], \"images\""), "tools: is"),
        (swift.replacing("\"images\"", with: "\"videos\": [\"v.mp4\"], \"images\""), "videos: is"),
        (swift.replacing("\"images\"", with: "\"label\": false, \"images\""), "label: is false"),
        (
            swift.replacing("\"images\"", with: "\"rejected_messages\": [\(asked), \(chosen)], \"images\""),
            "beside rejected_response"
        ),
        (
            swift.replacing("\"images\"", with: "\"rejected_images\": [], \"negatives\": [], \"images\""),
            "rejected_images: stands beside"
        ),
        (swift.replacing(#"["a.png"]"#, with: #"[{"bytes": "iVBO", "path": "a.png"}]"#), "images[0]: is an object"),
        (swift.replacing(#"["a.png"]"#, with: #"["a.png", "b.png"]"#), "images: holds 2 images"),
        (
            #"{"messages": [\#(chosen)], "rejected_response": "B.", "images": ["a.png"]}"#,
            "messages: holds an answer alone"
        ),
        (
            #"{"messages": [\#(asked)], "rejected_response": "B.", "images": ["a.png"]}"#,
            "role: is 'user', expected 'assistant'"
        ),
        (
            swift.replacing(
                #""rejected_response": "B.""#,
                with: #""rejected_messages": [{"role": "user", "content": "Who?"}, \#(chosen)]"#),
            "rejected_messages: answers another prompt"
        ),
        (
            factory.replacing("\"human\"", with: "\"observation\""),
            "conversations[0].from: is 'observation', expected 'user'"
        ),
        (
            factory.replacing("[{\"from\"", with: #"[{"from": "system", "value": "Be brief."}, {"from""#)
                .replacing("\"images\"", with: #""system": "Be long.", "images""#), "system: stands beside"
        ),
        (#"{"chat": [], "picture": "a.png"}"#, "known rows: misp's and TRL's"),
    ])
    func refusals(line: String, part: String) throws {
        let error = try Self.refusal(line)
        #expect(error.description.hasPrefix("rows.jsonl:3: ") && error.description.contains(part), "\(error)")
    }

    /// docs/data.md lists them.
    @Test(arguments: [
        "videos", "audios", "tools", "objects", "label", "kto_tag", "chat_template_kwargs", "rejected_videos",
        "rejected_audios", "rejected_tools",
    ])
    func contentThatNoGroupHolds(key: String) throws {
        let error = #expect(throws: MISPError.self) {
            try Self.group(Self.swift.replacing("\"images\"", with: "\"\(key)\": true, \"images\""))
        }
        #expect(error?.description.contains("\(key): is true") == true, "\(String(describing: error))")
    }

    /// Keys that nothing reads are named by the format's own keys.
    @Test func unreadKeys() throws {
        let folder = try TemporaryFolder()
        let file = folder["rows.jsonl"]
        try Data((Self.swift.replacing("rejected_response", with: "rejected_respons") + "\n").utf8).write(to: file)
        var content = try PreferenceFile(contentsOf: file, images: folder.url)
        #expect(content.unread.map(\.words) == ["'rejected_respons' (did you mean rejected_response?)"])
        let empty = Self.swift.replacing("\"images\"", with: #""videos": [], "tools": "", "label": null, "images""#)
        try Data((empty + "\n").utf8).write(to: file)
        content = try PreferenceFile(contentsOf: file, images: folder.url)
        #expect(content.unread.isEmpty && content.malformed.isEmpty)
    }

    /// Whatever stands in a key's place, the reader answers with a group or with an error.
    @Test func anyValueAnyKey() throws {
        let values = [
            "null", "0", "-1.5", "true", "\"\"", "\"x\"", "[]", "[null]", "[[]]", "{}", #"{"from": 1}"#,
            #"[{"role": "user"}]"#,
        ]
        var refused = 0
        for line in [Self.swift, Self.factory] {
            let keys =
                try #require(try JSON(parsing: line).object?.keys) + [
                    "system", "rejected_images", "rejected_messages", "tools", "id",
                ]
            for key in keys {
                for value in values {
                    var row = try #require(try JSON(parsing: line).object)
                    row[key] = try JSON(parsing: value)
                    if (try? Self.group(JSON.object(row).description)) == nil { refused += 1 }
                }
            }
        }
        #expect(refused > 100)
    }
}
