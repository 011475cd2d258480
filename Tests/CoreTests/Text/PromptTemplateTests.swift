import Core
import Testing

@Suite struct PromptTemplateTests {
    @Test(arguments: [
        ("llava-1.5", "USER: ", "\nWhat? ASSISTANT:"),
        ("chatml", "<|im_start|>user\n", "\nWhat?<|im_end|>\n<|im_start|>assistant\n"),
        ("plain", "", "\nWhat?\n"),
        ("Q: {prompt} <image> A:", "Q: What? ", " A:"),
        ("{prompt}<image>", "What?", ""),
    ])
    func renders(template: String, before: String, after: String) throws {
        let rendered = try PromptTemplate(template).render("What?")
        #expect(rendered.before == before)
        #expect(rendered.after == after)
    }

    @Test func theDefaultIsTheBuiltIn() throws {
        #expect(try PromptTemplate("llava-1.5") == .llava)
    }

    @Test func aPromptIsNotExpandedAgain() throws {
        let rendered = try PromptTemplate("plain").render("{prompt} {prompt}")
        #expect(rendered.after == "\n{prompt} {prompt}\n")
    }

    @Test func combiningCharactersHideNothing() throws {
        let rendered = try PromptTemplate("<image>\u{301}{prompt}\u{301}").render("x")
        #expect(Array(rendered.after.utf8) == Array("\u{301}x\u{301}".utf8))
        #expect(throws: MISPError.self) { try PromptTemplate("plain").render("an <image>\u{301}") }
    }

    @Test(arguments: [
        ("llava-1.6", "did you mean llava-1.5?"), ("", "known: \(PromptTemplate.names.joined(separator: ", "))"),
        ("vicuna", "<image> and {prompt}"), ("<image>", "<image> 1 times and {prompt} 0 times"),
        ("{prompt}", "<image> 0 times"), ("<image>{prompt}{prompt}", "{prompt} 2 times"),
        ("<image><image>{prompt}", "<image> 2 times"),
    ])
    func refuses(template: String, message: String) {
        let error = #expect(throws: MISPError.self) { try PromptTemplate(template) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func refusesAnImageMarkInThePrompt() {
        let error = #expect(throws: MISPError.self) { try PromptTemplate("plain").render("<image>\nWhat?") }
        #expect(error?.remedy?.contains("remove it") == true)
    }
}

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("learning_rat", "learning_rate"), ("LEARNING_RATE", "learning_rate"), ("bteas", "betas"), ("beta", "betas"),
        ("zzz", nil), ("", nil), ("x", nil),
    ])
    func finds(name: String, nearest: String?) {
        #expect(NearestName.find(name, among: ["learning_rate", "betas", "weight_decay"]) == nearest)
    }

    @Test func listsAllWhenNoneIsNear() {
        #expect(NearestName.remedy("zzzzzz", among: ["a", "b"]) == "known: a, b")
        #expect(NearestName.remedy("mips", among: ["dpo", "misp"]) == "did you mean misp?")
    }
}
