import Core
import Foundation
import TestSupport
import Testing

/// Rows whose texts are messages.
@Suite struct RowTextsTests {
    private func group(_ line: String) throws -> PreferenceGroup {
        try PreferenceGroup(JSON(parsing: line), file: "rows.jsonl", line: 3, images: "/")
    }

    private func refusal(_ line: String) throws -> String {
        try #require(throws: MISPError.self) { try group(line) }.description
    }

    private static func row(_ prompt: String) -> String {
        #"{"prompt": \#(prompt), "chosen": "A.", "rejected": "B.", "images": ["a.png"]}"#
    }

    private static let user = #"{"role": "user", "content": "Which?"}"#

    /// What stands in the prompt's place and what a template makes of it: LLaVA 1.5, ChatML, any other.
    @Test(arguments: [
        (
            #"[{"role": "system", "content": "Be brief."}, \#(user)]"#,
            "Be brief. USER: <image>\nWhich? ASSISTANT:",
            """
            <|im_start|>system\nBe brief.<|im_end|>\n\
            <|im_start|>user\n<image>\nWhich?<|im_end|>\n<|im_start|>assistant\n
            """,
            "system message"
        ),
        (
            #"""
            [{"role": "user", "content": [{"type": "text", "text": "Which"}, {"type": "image", "text": null}, \#
            {"type": "text", "text": "one?"}]}]
            """#,
            "USER: <image>\nWhich one? ASSISTANT:",
            "<|im_start|>user\n<image>\nWhich\none?<|im_end|>\n<|im_start|>assistant\n", "2 text parts"
        ),
        (
            #"""
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "A"}, \#
            {"type": "text", "text": "B"}, {"type": "text", "text": "C"}]}]
            """#,
            "USER: <image>\nA B C ASSISTANT:",
            "<|im_start|>user\n<image>\nA\nB\nC<|im_end|>\n<|im_start|>assistant\n", "3 text parts"
        ),
    ])
    func messagesAreRenderedAsTheTemplateDoes(prompt: String, llava: String, chatml: String, part: String) throws {
        let group = try group(Self.row(prompt))
        let message = try #require(group.message)
        #expect(message.place == "rows.jsonl:3: prompt")
        for (name, expected) in [
            ("llava-1.5", llava), ("chatml", chatml), ("USER: <image>\n{prompt} ASSISTANT:", llava),
        ] {
            let template = try PromptTemplate(name)
            let (before, after) = try template.render(template.joined(message.parts), system: message.system)
            #expect("\(before)<image>\(after)" == expected)
        }
        // Qwen's and SmolVLM's would leave a picture behind a text there.
        for name in ["qwen2-vl", "qwen2.5-vl", "smolvlm"] where message.picture > 0 {
            let error = try #require(throws: MISPError.self) {
                try PromptTemplate(name).joined(message.parts, picture: message.picture)
            }
            #expect(error.description.contains("has text before the picture"), "\(error)")
        }
        for name in ["plain", "Q: <image> {prompt} A:"] {
            let error = try #require(throws: MISPError.self) {
                let template = try PromptTemplate(name)
                _ = try template.render(template.joined(message.parts), system: message.system)
            }
            #expect(error.description.contains(part) && error.remedy != nil, "\(error)")
        }
    }

    @Test(arguments: [
        #"""
        {"prompt": [{"role": "user", "content": "Which?"}], "chosen": [{"role": "assistant", "content": "A."}], \#
        "rejected": "B.", "images": ["a.png"]}
        """#,
        #"""
        {"chosen": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "A."}], \#
        "rejected": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "B."}], \#
        "images": ["a.png"]}
        """#,
        #"""
        {"chosen": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}]}, \#
        {"role": "assistant", "content": "A."}], "rejected": "B.", "image": "a.png"}
        """#,
    ])
    func formsOfTRL(line: String) throws {
        let group = try group(line)
        #expect([group.prompt, group.chosen, group.rejected] == ["Which?", "A.", "B."])
        #expect(group.message == nil)
    }

    @Test(arguments: [
        (row(#"[\#(user), {"role": "assistant", "content": "This."}, \#(user)]"#), "prompt: asks in 3 messages"),
        (row(#"[{"role": "system", "content": "Be brief."}]"#), "prompt: asks in 0 messages"),
        (
            row(
                #"[{"role": "user", "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "?"}]}]"#
            ), "2 images"
        ),
        (
            row(
                #"[{"role": "user", "content": [{"type": "image", "image": "b.png"}, {"type": "text", "text": "?"}]}]"#
            ),
            "content[0].image: names a picture inside a message"
        ),
        (row(#"[{"role": "user", "content": "Which?", "tool_calls": [1]}]"#), "prompt[0].tool_calls"),
        (
            row(
                #"""
                [{"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, \#
                \#(user)]
                """#), "one text"
        ),
        (
            row(
                #"""
                [{"role": "user", "content": \#
                [{"type": "text", "text": "<image> a"}, {"type": "text", "text": "b"}]}]
                """#), "holds <image>"
        ),
        (
            #"{"prompt": "?", "chosen": [\#(user), {"role": "assistant", "content": "A."}], "image": "a.png"}"#,
            "chosen: holds 2 messages"
        ),
        (
            #"""
            {"prompt": "?", "chosen": [{"role": "assistant", "content": \#
            [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}], "image": "a.png"}
            """#,
            "chosen[0].content: holds 2 texts"
        ),
        (
            #"""
            {"chosen": [\#(user), {"role": "assistant", "content": "A."}], \#
            "rejected": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "B."}], \#
            "image": "a.png"}
            """#,
            "rejected: answers another prompt"
        ),
        (#"{"question": "?", "chosen": "A.", "rejected": "B.", "image": "a.png"}"#, "RLAIF-V"),
        (#"{"instruction": "?", "output": "A.", "image": "a.png"}"#, "Alpaca"),
        (row("\"?\"").replacing("\"a.png\"", with: "\"a.png\", \"b.png\""), "images: holds 2 images"),
    ])
    func whatIsNotOneQuestionAndOneAnswerIsRefusedByName(line: String, part: String) throws {
        let message = try refusal(line)
        #expect(message.hasPrefix("rows.jsonl:3: ") && message.contains(part), "\(message)")
    }

    /// A response that ends in the end-of-sequence token has one, and the picture's token is in none.
    @Test(arguments: [("llama-clip-spm", "</s>"), ("qwen2-siglip", "<|im_end|>")])
    func oneEndOfSequence(name: String, end: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let encoder = try GroupEncoder(
            checkpoint.folder, template: PromptTemplate(checkpoint.json["template_name"].string()))
        let plain = try encoder.encode(response: "A red apple.", at: "rows")
        #expect(plain.last == checkpoint.folder.endOfSequence)
        #expect(try encoder.encode(response: "A red apple.\(end)", at: "rows") == plain)
        #expect(try encoder.encode(response: "A red apple.\(end)\(end)", at: "rows") == plain + plain.suffix(1))
        let inside = try encoder.encode(response: "A\(end) b", at: "rows")
        #expect(inside.count { $0 == checkpoint.folder.endOfSequence } == 2)
        #expect(throws: MISPError.self) { try encoder.encode(response: "A <image>", at: "rows") }
    }
}
