/// The texts of a row of preference data: strings, or lists of messages `[{"role", "content"}]` as TRL has them.
///
/// A content is a string or parts of type text and image; an image stands for the row's picture, which the prompt
/// template places. The prompt may begin with a system message. Without a prompt, `chosen` and `rejected` hold it
/// before their answer. There is one question and one answer.
struct RowTexts {
    let prompt: String
    /// nil where the prompt is one text.
    let message: PreferenceGroup.Message?
    let chosen: String
    let rejected: String?

    init(_ row: JSONField) throws(MISPError) {
        try Self.checkFormat(row)
        let (before, chosen) = try Self.answer(row["chosen"], hasPrompt: row["prompt"].isPresent)
        self.chosen = chosen
        let question: Question
        if let before, !row["prompt"].isPresent {
            question = try Question(before, at: row["chosen"])
        } else {
            question = try Question(row["prompt"])
        }
        if row["rejected"].isPresent {
            let (other, rejected) = try Self.answer(row["rejected"], hasPrompt: before == nil)
            self.rejected = rejected
            if let other, try Question(other, at: row["rejected"]) != question {
                throw row["rejected"].failure(
                    "answers another prompt than chosen", remedy: "a group's two answers are to one question")
            }
        } else {
            rejected = nil
        }
        prompt = question.parts.joined(separator: " ")
        let isOneText = question.parts.count == 1 && question.system == nil
        let place = row[row["prompt"].isPresent ? "prompt" : "chosen"].place
        message = isOneText ? nil : .init(system: question.system, parts: question.parts, place: place)
    }

    /// Names the formats of others by their keys.
    private static func checkFormat(_ row: JSONField) throws(MISPError) {
        let formats = [
            ("rejected_response", "ms-swift"), ("rejected_messages", "ms-swift"), ("rejected_images", "ms-swift"),
            ("conversations", "LLaMA-Factory, ShareGPT or LLaVA"), ("messages", "ms-swift or of chats"),
            ("instruction", "Alpaca"), ("question", "RLAIF-V"),
        ]
        if row["chosen"].value?["from"] != nil {
            throw row["chosen"].failure("is an answer in the format of LLaMA-Factory", remedy: Self.formatRemedy)
        }
        guard !row["prompt"].isPresent else { return }
        for (key, name) in formats where row[key].isPresent {
            throw row[key].failure("is a key of the format of \(name), which is not read", remedy: Self.formatRemedy)
        }
    }

    private static let formatRemedy = "write prompt, chosen, rejected and image (docs/data.md)"

    /// An answer, and the messages before it where there are some and the row has no prompt of its own.
    private static func answer(
        _ field: JSONField, hasPrompt: Bool
    ) throws(MISPError) -> (before: ArraySlice<RowMessage>?, text: String) {
        guard field.value?.array != nil else { return (nil, try text(field)) }
        let messages = try RowMessage.list(field)
        guard messages.count == 1 || !hasPrompt && messages.count > 1, let last = messages.last else {
            throw field.failure(
                "holds \(messages.count) messages",
                remedy: hasPrompt ? "beside a prompt it holds the answer alone" : "it ends in the answer")
        }
        try last.check(role: "assistant")
        guard last.texts.count == 1, last.pictures == 0 else {
            throw last.field["content"].failure(
                "holds \(last.texts.count) texts and \(last.pictures) images", remedy: "an answer is one text")
        }
        return (messages.count == 1 ? nil : messages.dropLast(), try text(last.texts[0]))
    }

    /// What is asked.
    private struct Question: Equatable {
        var system: String?
        var parts: [String]

        init(_ field: JSONField) throws(MISPError) {
            if field.value?.array == nil {
                self.init(parts: [try RowTexts.text(field)])
            } else {
                try self.init(RowMessage.list(field)[...], at: field)
            }
        }

        private init(parts: [String]) { self.parts = parts }

        init(_ messages: ArraySlice<RowMessage>, at field: JSONField) throws(MISPError) {
            var messages = messages
            if let first = messages.first, first.role == "system" {
                guard first.texts.count == 1, first.pictures == 0 else {
                    throw first.field["content"].failure("is not one text", remedy: "a system message is one text")
                }
                system = try RowTexts.text(first.texts[0])
                messages.removeFirst()
            }
            guard messages.count == 1, let question = messages.first else {
                throw field.failure(
                    "asks in \(messages.count) messages, and conversations of several turns are not read",
                    remedy: "a prompt is one message by the user, with a system message before it at the most")
            }
            try question.check(role: "user")
            guard question.pictures <= 1 else {
                throw question.field["content"].failure(
                    "holds \(question.pictures) images; a group has exactly one")
            }
            parts = []
            for text in question.texts { parts.append(try RowTexts.checked(text)) }
            guard parts.contains(where: { !$0.isBlank }) else { throw field.failure("is empty") }
        }
    }

    /// A text that is to be read as it stands.
    private static func text(_ field: JSONField) throws(MISPError) -> String {
        let text = try checked(field)
        if text.isBlank { throw field.failure("is empty") }
        return text
    }

    private static func checked(_ field: JSONField) throws(MISPError) -> String {
        let text = try field.string()
        do {
            try PromptTemplate.checkText(text)
        } catch {
            throw field.failure(error.what, remedy: error.remedy)
        }
        return text
    }
}

/// A message of a row.
private struct RowMessage {
    let field: JSONField
    let role: String
    /// Its texts, each in its place.
    private(set) var texts: [JSONField] = []
    private(set) var pictures = 0

    static func list(_ field: JSONField) throws(MISPError) -> [RowMessage] {
        var messages: [RowMessage] = []
        for message in try field.array() { messages.append(try RowMessage(message)) }
        return messages
    }

    private init(_ field: JSONField) throws(MISPError) {
        self.field = field
        role = try field["role"].string()
        try KeyTable(read: ["role", "content"]).check(field, remedy: "a message has role and content")
        guard field["content"].value?.array != nil else {
            _ = try field["content"].string()
            texts = [field["content"]]
            return
        }
        for part in try field["content"].array() { try append(part) }
    }

    private mutating func append(_ part: JSONField) throws(MISPError) {
        let kind = try part["type"].string()
        switch kind {
        case "text":
            try KeyTable(read: ["type", "text"], harmless: ["index"]).check(part)
            _ = try part["text"].string()
            texts.append(part["text"])
        case "image":
            for key in ["image", "url", "path", "image_url"] where part[key].isPresent {
                throw part[key].failure(
                    "names a picture inside a message",
                    remedy: "name it in the row's images; the part is {\"type\": \"image\"}")
            }
            try KeyTable(read: ["type", "text"], harmless: ["index"]).check(part)
            pictures += 1
        default: throw part["type"].failure("is '\(kind)'; known: text, image")
        }
    }

    func check(role expected: String) throws(MISPError) {
        guard role != expected else { return }
        throw field["role"].failure("is '\(role)', expected '\(expected)'")
    }
}

extension String {
    fileprivate var isBlank: Bool { unicodeScalars.allSatisfy(\.properties.isWhitespace) }
}
