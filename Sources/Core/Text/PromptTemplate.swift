/// How a prompt and the place of its image are put into words for a model.
///
/// A template is text that holds `<image>` and `{prompt}` once each, such as `USER: <image>\n{prompt} ASSISTANT:`.
public struct PromptTemplate: Sendable, Equatable {
    /// Stands for the image in templates; texts must not hold it.
    public static let imageMark = "<image>"
    /// Stands for the prompt in templates. In a prompt it is text like any other.
    public static let promptMark = "{prompt}"

    /// A template that has a name, with what the model's processor makes of whole conversations.
    struct BuiltIn: Sendable {
        let name: String
        let text: String
        /// Between the text parts of a message; nil: not known.
        var joint: String?
        /// Whether a message's picture stays where it is among the texts; else it comes before them all.
        var keepsOrder = false
        /// What stands around a system message, which is first.
        var system: (before: String, after: String) = ("", "")
        /// What of the template gives way to a system message.
        var givesWay = ""
        /// What stands around the picture's mark and goes with it where there is no picture; and what stands there
        /// then.
        var picture: (before: String, after: String) = ("", "\n")
        var withoutPicture = ""
        /// What a response begins with.
        var responseOpening = ""
    }

    /// LLaVA 1.5 as Hugging Face renders it, ChatML (LLaVA-OneVision and LLaVA-Interleave on Qwen2) without a system
    /// message, Qwen2-VL and Qwen2.5-VL, SmolVLM and Idefics3, and none at all.
    static let builtIn: [BuiltIn] = [
        BuiltIn(name: "llava-1.5", text: "USER: <image>\n{prompt} ASSISTANT:", joint: " ", system: ("", " ")),
        BuiltIn(
            name: "chatml", text: "<|im_start|>user\n<image>\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
            joint: "\n", system: ("<|im_start|>system\n", "<|im_end|>\n")),
        qwen("qwen2.5-vl"), qwen("qwen2-vl"),
        BuiltIn(
            name: "smolvlm", text: "<|im_start|>User:<image>{prompt}<end_of_utterance>\nAssistant:",
            joint: "", keepsOrder: true, system: ("<|im_start|>System: ", "<end_of_utterance>\n"),
            givesWay: "<|im_start|>", picture: ("", ""),
            withoutPicture: " ", responseOpening: " "),
        BuiltIn(name: "plain", text: "<image>\n{prompt}\n"),
    ]

    private static func qwen(_ name: String) -> BuiltIn {
        let system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        return BuiltIn(
            name: name,
            text: system + "<|im_start|>user\n<|vision_start|><image><|vision_end|>{prompt}<|im_end|>\n"
                + "<|im_start|>assistant\n",
            joint: "", keepsOrder: true, system: ("<|im_start|>system\n", "<|im_end|>\n"), givesWay: system,
            picture: ("<|vision_start|>", "<|vision_end|>"))
    }

    /// The names of those.
    public static let names = builtIn.map(\.name)

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
                remedy: "\(NearestName.remedy(source, among: Self.names)) "
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
        var (opening, start) = ("", before)
        if let system {
            try Self.checkText(system)
            guard let known, known.joint != nil else {
                throw MISPError(
                    "there is a system message, for which the prompt template has no place",
                    remedy:
                        "write its text into model.prompt and leave the message out, or use the model's built-in one"
                )
            }
            opening = known.system.before + system + known.system.after
            if start.hasPrefix(known.givesWay) { start.removeFirst(known.givesWay.count) }
        }
        return (opening + Self.fill(start, prompt), Self.fill(after, prompt))
    }

    /// The text parts of one message as one text.
    ///
    /// Throws for several parts where it is not known how the model's chat template joins them, and for a picture
    /// behind a part where the chat template would leave it there.
    ///
    /// - Parameter picture: parts before the picture
    public func joined(_ parts: [String], picture: Int = 0) throws(MISPError) -> String {
        if picture > 0, known?.keepsOrder == true {
            throw MISPError(
                "has text before the picture, which \(known?.name ?? "") would leave in its place",
                remedy: "put the picture first, if the question means the same then")
        }
        guard parts.count != 1 else { return parts[0] }
        guard let joint = known?.joint else {
            throw MISPError(
                "the message has \(parts.count) text parts, and how the prompt template joins them is not known",
                remedy: "write them as one text, or use the built-in template of the model")
        }
        return parts.joined(separator: joint)
    }

    /// A literal template that is a built-in one word by word is that; nil: one of which nothing else is known.
    private var known: BuiltIn? { Self.builtIn.first { $0.name == source || $0.text == source } }

    /// What the model's processor puts before a response.
    var responseOpening: String { known?.responseOpening ?? "" }

    /// The text of a prompt about no picture: the image's mark is left out, with what goes with it.
    public func renderWithoutImage(_ prompt: String) throws(MISPError) -> String {
        try Self.checkText(prompt)
        let picture: (before: String, after: String) = known?.picture ?? ("", "\n")
        var (start, rest) = (before, after)
        if start.hasSuffix(picture.before) { start.removeLast(picture.before.count) }
        if rest.hasPrefix(picture.after) { rest.removeFirst(picture.after.count) }
        return Self.fill(start, prompt) + (known?.withoutPicture ?? "") + Self.fill(rest, prompt)
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

extension String {
    /// Whether the bytes of `mark` occur in this text, whatever character a combining one makes of them.
    func utf8Contains(_ mark: String) -> Bool {
        let (bytes, mark) = (Array(utf8), Array(mark.utf8))
        guard let first = mark.first, bytes.count >= mark.count else { return false }
        return (0...bytes.count - mark.count).contains { place in
            bytes[place] == first && bytes[place..<place + mark.count].elementsEqual(mark)
        }
    }
}
