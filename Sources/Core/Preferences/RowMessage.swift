/// A message of a row: `{"role", "content"}`, or ShareGPT's `{"from", "value"}`.
///
/// A content is a string, or parts of type text and image. Each part of type image, and each `<image>` of a string,
/// stands for a picture.
struct RowMessage {
    let field: JSONField
    /// In OpenAI's words: system, user, assistant.
    let role: String
    /// Its texts, each in its place.
    private(set) var texts: [JSONField] = []
    private(set) var pictures = 0
    /// Before the last one of type image.
    private(set) var textsBeforePicture = 0
    /// Where the content stands, and the role.
    let contentKey, roleKey: String

    private static let roles = ["human": "user", "gpt": "assistant"]

    static func list(_ field: JSONField) throws(MISPError) -> [RowMessage] {
        var messages: [RowMessage] = []
        for message in try field.array() { messages.append(try RowMessage(message)) }
        return messages
    }

    init(_ field: JSONField) throws(MISPError) {
        self.field = field
        let isShared = field.value?["from"] != nil
        (roleKey, contentKey) = isShared ? ("from", "value") : ("role", "content")
        let name = try field[roleKey].string()
        role = isShared ? Self.roles[name] ?? name : name
        // The default of ms-swift's `loss` is what is done here: an answer counts.
        try KeyTable(read: [roleKey, contentKey], fixed: role == "assistant" ? ["loss": [true]] : [:]).check(
            field, remedy: "a message has \(roleKey) and \(contentKey)")
        let content = field[contentKey]
        guard content.value?.array != nil else {
            _ = try content.string()
            texts = [content]
            return
        }
        for part in try content.array() { try append(part) }
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
            textsBeforePicture = texts.count
        default: throw part["type"].failure("is '\(kind)'; known: text, image")
        }
    }

    func check(role expected: String) throws(MISPError) {
        guard role != expected else { return }
        throw field[roleKey].failure("is '\(role)', expected '\(expected)'")
    }

    /// The only text of a message that shows no picture.
    func text(as what: String) throws(MISPError) -> JSONField {
        guard texts.count == 1, pictures == 0 else {
            throw field[contentKey].failure(
                "holds \(texts.count) texts and \(pictures) images", remedy: "\(what) is one text")
        }
        return texts[0]
    }
}
