import Core
import Foundation
import TestSupport
import Testing

/// The built-in templates of families beside LLaVA 1.5: what their published chat templates make of a picture and a
/// text, of a system message, of several texts, and of a text alone.
@Suite struct FamilyTemplateTests {
    private static let helpful = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"

    @Test(
        arguments: [
            (
                "qwen2.5-vl", nil,
                "\(helpful)<|im_start|>user\n<|vision_start|><image><|vision_end|>What?<|im_end|>\n"
                    + "<|im_start|>assistant\n"
            ),
            // A system message stands in place of the usual one.
            (
                "qwen2.5-vl", "Be brief.",
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|vision_start|><image><|vision_end|>What?"
                    + "<|im_end|>\n<|im_start|>assistant\n"
            ),
            ("smolvlm", nil, "<|im_start|>User:<image>What?<end_of_utterance>\nAssistant:"),
            // One mark begins the whole conversation, whoever speaks first.
            (
                "smolvlm", "Be brief.",
                "<|im_start|>System: Be brief.<end_of_utterance>\nUser:<image>What?<end_of_utterance>\nAssistant:"
            ),
            ("chatml", nil, "<|im_start|>user\n<image>\nWhat?<|im_end|>\n<|im_start|>assistant\n"),
            (
                "chatml", "Be brief.",
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<image>\nWhat?<|im_end|>\n"
                    + "<|im_start|>assistant\n"
            ),
        ] as [(String, String?, String)])
    func aPictureAndAText(name: String, system: String?, expected: String) throws {
        let (before, after) = try PromptTemplate(name).render("What?", system: system)
        #expect("\(before)<image>\(after)" == expected)
    }

    /// Where there is no picture its marks go with it; in SmolVLM a blank stands before a text that comes first.
    @Test(arguments: [
        ("qwen2.5-vl", "\(helpful)<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n"),
        ("smolvlm", "<|im_start|>User: What?<end_of_utterance>\nAssistant:"),
        ("chatml", "<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n"),
        ("llava-1.5", "USER: What? ASSISTANT:"), ("plain", "What?\n"), ("Q: {prompt} <image> A:", "Q: What?  A:"),
    ])
    func aTextAlone(name: String, expected: String) throws {
        #expect(try PromptTemplate(name).renderWithoutImage("What?") == expected)
    }

    @Test func severalTextsFollowEachOtherDirectly() throws {
        for name in ["qwen2.5-vl", "smolvlm"] { #expect(try PromptTemplate(name).joined(["a", "b", "c"]) == "abc") }
    }

    /// Written out word by word, a built-in template is the built-in one.
    @Test func aLiteralTemplateThatIsABuiltInOneIsKnown() throws {
        for name in ["qwen2.5-vl", "smolvlm"] {
            let named = try PromptTemplate(name)
            let (before, after) = try named.render("{prompt}")
            let literal = try PromptTemplate("\(before)<image>\(after)")
            #expect(try literal.renderWithoutImage("What?") == named.renderWithoutImage("What?"))
            let (one, two) = (try literal.render("What?", system: "x"), try named.render("What?", system: "x"))
            #expect(one.before == two.before && one.after == two.after)
        }
    }

    /// A brace in a system message, or the default one's own words, are text like any other.
    @Test func systemMessagesAreNotTemplates() throws {
        let system = "{prompt} You are a helpful assistant."
        let (before, _) = try PromptTemplate("qwen2.5-vl").render("What?", system: system)
        #expect(before.hasPrefix("<|im_start|>system\n\(system)<|im_end|>\n<|im_start|>user\n"))
        #expect(throws: MISPError.self) { try PromptTemplate("smolvlm").render("What?", system: "a <image>") }
    }

    /// SmolVLM writes "Assistant: text": the blank is the response's first character, and is scored.
    @Test(arguments: [("smolvlm-tiles", " "), ("idefics3-whole", " "), ("qwen2-vl", ""), ("llava-interleave", "")])
    func whatAResponseBeginsWith(name: String, opening: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let encoder = try GroupEncoder(
            checkpoint.folder, template: PromptTemplate(checkpoint.json["template_name"].string()))
        let folder = checkpoint.folder
        func ids(_ text: String) -> [Int32] {
            folder.tokenizer.encode(text, addSpecialTokens: false) + [folder.endOfSequence]
        }
        let own = try encoder.encode(response: "A red apple.", at: "rows")
        #expect(own == ids("\(opening)A red apple."))
        #expect((own == ids("A red apple.")) == opening.isEmpty)
    }

    /// The template's `<image>` is the model's own image token, whatever that is called.
    @Test(arguments: CheckpointGolden.families) func aPromptIsCutAtItsPicture(name: String) throws {
        let checkpoint = try CheckpointGolden(family: name)
        let template = try PromptTemplate(checkpoint.json["template_name"].string())
        let encoder = try GroupEncoder(checkpoint.folder, template: template)
        let tokenizer = checkpoint.folder.tokenizer
        let prompt = try encoder.encode(prompt: "What is it?", at: "rows")
        let (before, after) = try template.render("What is it?")
        #expect(prompt.before == tokenizer.encode(before, addSpecialTokens: true))
        #expect(prompt.after == tokenizer.encode(after, addSpecialTokens: false))
        let text = try encoder.encode(promptWithoutImage: "What is it?", at: "rows")
        #expect(text.tokens == tokenizer.encode(try template.renderWithoutImage("What is it?"), addSpecialTokens: true))
        #expect(text.imageRows.isEmpty && text.positions == text.tokens.indices.map { RotaryPosition($0) })
        #expect(text.end == text.tokens.count)
    }
}
