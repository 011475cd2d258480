/// How a prompt and the place of its image are put into words for a model.
///
/// A template is text that holds `<image>` and `{prompt}` once each, such as `USER: <image>\n{prompt} ASSISTANT:`.
public struct PromptTemplate: Sendable, Equatable {
    /// Stands for the image in templates; texts must not hold it.
    public static let imageMark = "<image>"
    /// Stands for the prompt in templates. In a prompt it is text like any other.
    public static let promptMark = "{prompt}"

    /// Templates that have a name: LLaVA 1.5 as Hugging Face renders it, ChatML (LLaVA-OneVision on Qwen2, SmolVLM
    /// and others) without a system message, and none at all.
    public static let builtIn: [(name: String, text: String)] = [
        ("llava-1.5", "USER: <image>\n{prompt} ASSISTANT:"),
        ("chatml", "<|im_start|>user\n<image>\n{prompt}<|im_end|>\n<|im_start|>assistant\n"),
        ("plain", "<image>\n{prompt}\n"),
    ]

    /// What the template was made from: a built-in name or a literal template.
    public let source: String
    /// Before the image and after it; `{prompt}` stands in one of them.
    private let before: String
    private let after: String

    /// The built-in `llava-1.5`.
    public static let llava = PromptTemplate(
        source: "llava-1.5", before: "USER: ", after: "\n{prompt} ASSISTANT:")

    private init(source: String, before: String, after: String) {
        self.source = source
        self.before = before
        self.after = after
    }

    /// - Parameter source: a built-in name, or a literal template.
    public init(_ source: String) throws(MISPError) {
        let text = Self.builtIn.first { $0.name == source }?.text ?? source
        let around = Self.split(text, at: Self.imageMark)
        let prompts = Self.split(text, at: Self.promptMark).count - 1
        if around.count == 1 && prompts == 0 {
            throw MISPError(
                "no prompt template is named '\(source)'",
                remedy: "\(NearestName.remedy(source, among: Self.builtIn.map(\.name))) "
                    + "A template of your own holds <image> and {prompt}")
        }
        guard around.count == 2, prompts == 1 else {
            throw MISPError(
                "the prompt template holds <image> \(around.count - 1) times and {prompt} \(prompts) times",
                remedy: "it must hold each exactly once")
        }
        self.init(source: source, before: around[0], after: around[1])
    }

    /// The text before the image and the text after it.
    ///
    /// Throws if `prompt` itself holds `<image>`, since it is the template that places the image, and for a system
    /// message where the template has no place for one.
    public func render(
        _ prompt: String, system: String? = nil
    ) throws(MISPError) -> (before: String, after: String) {
        try Self.checkText(prompt)
        var opening = ""
        if let system {
            try Self.checkText(system)
            guard let conversation else {
                throw MISPError(
                    "there is a system message, for which the prompt template has no place",
                    remedy: "write its text into model.prompt and leave the message out, or use llava-1.5 or chatml")
            }
            opening = conversation.system.before + system + conversation.system.after
        }
        return (opening + Self.fill(before, prompt), Self.fill(after, prompt))
    }

    /// The text parts of one message as one text.
    ///
    /// Throws for several parts where it is not known how the model's chat template joins them.
    public func joined(_ parts: [String]) throws(MISPError) -> String {
        guard parts.count != 1 else { return parts[0] }
        guard let conversation else {
            throw MISPError(
                "the message has \(parts.count) text parts, and how the prompt template joins them is not known",
                remedy: "write them as one text, or use llava-1.5 or chatml")
        }
        return parts.joined(separator: conversation.joint)
    }

    /// What the chat template of a model's processor does with a conversation.
    private struct Conversation {
        /// Between the text parts of a message.
        let joint: String
        /// What stands around a system message, which is first.
        let system: (before: String, after: String)
    }

    /// Of llava-hf's LLaVA 1.5 and LLaVA-OneVision; nil for templates of which it is not known. A literal template that
    /// is a built-in one word by word is that.
    private var conversation: Conversation? {
        switch Self.builtIn.first(where: { $0.name == source || $0.text == source })?.name {
        case "llava-1.5": Conversation(joint: " ", system: ("", " "))
        case "chatml": Conversation(joint: "\n", system: ("<|im_start|>system\n", "<|im_end|>\n"))
        default: nil
        }
    }

    /// The text of a prompt about no picture: the image's mark is left out, with the line break behind it.
    public func renderWithoutImage(_ prompt: String) throws(MISPError) -> String {
        try Self.checkText(prompt)
        let after = after.hasPrefix("\n") ? String(after.dropFirst()) : after
        return Self.fill(before, prompt) + Self.fill(after, prompt)
    }

    /// Refuses `<image>` in the texts of a data set.
    static func checkText(_ text: String) throws(MISPError) {
        if split(text, at: imageMark).count > 1 {
            throw MISPError("holds <image>", remedy: "remove it: the prompt template places the image")
        }
    }

    private static func fill(_ part: String, _ prompt: String) -> String {
        split(part, at: promptMark).joined(separator: prompt)
    }

    /// The pieces between occurrences of `mark`, which is ASCII: compared byte by byte, so that a combining character
    /// after the mark hides nothing.
    private static func split(_ text: String, at mark: String) -> [String] {
        let (bytes, mark) = (Array(text.utf8), Array(mark.utf8))
        var pieces: [String] = []
        var (start, position) = (0, 0)
        while position + mark.count <= bytes.count {
            if bytes[position] == mark[0] && bytes[position..<position + mark.count].elementsEqual(mark) {
                pieces.append(String(decoding: bytes[start..<position], as: UTF8.self))
                position += mark.count
                start = position
            } else {
                position += 1
            }
        }
        return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
    }
}
