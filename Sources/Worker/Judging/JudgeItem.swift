import Core
import Foundation

/// One thing that a judge is asked, and which verdicts it may give.
struct JudgeItem {
    /// Among all that is asked of one benchmark.
    let id: String
    let system: String?
    let text: String
    /// The path of a picture that is sent along.
    var picture: String?
    let scale: JudgeScale

    /// Tells apart what is asked: which item, its texts, and the picture's bytes.
    func digest() throws(MISPError) -> String {
        var hash = SHA256()
        hash.add(id)
        hash.add(system ?? "")
        hash.add(text)
        if let picture { hash.add(try Self.bytes(of: picture)) }
        return hash.finish().description
    }

    /// The request's body, as OpenAI's chat completions define it.
    func body(_ settings: JudgeConfiguration) throws(MISPError) -> [UInt8] {
        var messages: [JSON] = []
        if let system { messages.append(["role": "system", "content": .string(system)]) }
        var content = JSON.string(text)
        if let picture {
            let address = try Self.address(of: picture)
            content = [
                ["type": "text", "text": .string(text)],
                ["type": "image_url", "image_url": ["url": .string(address)]],
            ]
        }
        messages.append(["role": "user", "content": content])
        var body = JSON.Object([("model", .string(settings.model)), ("messages", .array(messages))])
        body["temperature"] = settings.temperature.map { .number($0) }
        var bytes: [UInt8] = []
        JSON.object(body).write(into: &bytes)
        return bytes
    }

    private static func bytes(of picture: String) throws(MISPError) -> Data {
        do {
            return try Data(contentsOf: URL(filePath: picture))
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: picture)
        }
    }

    /// The file itself as a data URL.
    private static func address(of picture: String) throws(MISPError) -> String {
        let bytes = try bytes(of: picture)
        let kinds = [
            ("image/jpeg", [0xFF, 0xD8, 0xFF]), ("image/png", [0x89, 0x50, 0x4E, 0x47]),
            ("image/webp", [0x52, 0x49, 0x46, 0x46]), ("image/gif", [0x47, 0x49, 0x46, 0x38]),
        ]
        guard let kind = kinds.first(where: { bytes.starts(with: $0.1.map(UInt8.init)) }) else {
            throw MISPError("is no picture that a judge reads", at: picture, remedy: "convert it to PNG or JPEG")
        }
        return "data:\(kind.0);base64,\(bytes.base64EncodedString())"
    }
}

/// The verdicts of a kind of judgement, and how a reply says one.
struct JudgeScale: Sendable {
    let verdicts: [String]
    /// What the reply is to hold, in words.
    let form: String
    /// The different verdicts that a reply gives, whether they are on the scale or not.
    let read: @Sendable (String) -> Set<String>

    /// The verdict of a reply; nil, and why, where it does not give exactly one.
    func verdict(of reply: String) -> (verdict: String?, problem: String) {
        let found = read(reply)
        if found.count == 1, let verdict = found.first, verdicts.contains(verdict) { return (verdict, "") }
        return (nil, found.isEmpty ? "gives no verdict" : "gives \(found.sorted().joined(separator: " and "))")
    }
}

/// What a judge said of an item.
struct Judgement: Equatable {
    let verdict: String
    let reply: String
}
