import Core
import Foundation

/// What became of one request to the judge.
enum JudgeReply {
    /// What the judge says, in its own words.
    case text(String)
    /// A reply that is none: it may be asked for again at once.
    case malformed(String)
    /// Nothing for now; after so many seconds, if the server says.
    case later(String, wait: Double?)
    /// It would be the same again: what is wrong, and what to do.
    case refused(String, remedy: String)

    /// - Parameters:
    ///   - hasReplied: whether the server was heard of before: a host whose name was known is known again
    ///   - key: is shown in no message
    init(_ outcome: HTTPClient.Outcome, _ settings: JudgeConfiguration, hasReplied: Bool, key: String?) {
        switch outcome {
        case .reply(200, let body, _): self = Self.content(body, key)
        case .reply(let status, let body, let wait):
            let what = "status \(status)\(Self.said(body, key).map { " (\($0))" } ?? "")"
            if [408, 425, 429].contains(status) || 500...599 ~= status {
                self = .later(what, wait: wait)
            } else {
                self = .refused("refuses with \(what)", remedy: Self.remedy(status, settings))
            }
        case .failure(let reason, .tooLong): self = .malformed(reason)
        case .failure(let reason, .cut): self = .later(reason, wait: nil)
        case .failure(let reason, .unknownHost) where hasReplied: self = .later(reason, wait: nil)
        case .failure(let reason, _):
            self = .refused(
                "cannot be asked: \(reason)", remedy: "see to it that judge.url is right, and reachable from here")
        }
    }

    private static func content(_ body: Data, _ key: String?) -> JudgeReply {
        guard let reply = try? JSON(parsing: body) else {
            return .malformed("it is no JSON: \(shown(String(decoding: body, as: UTF8.self), key).shortened(to: 300))")
        }
        let choice = reply["choices"]?[0]
        guard let text = choice?["message"]?["content"]?.string, !text.isEmpty else {
            let reason = choice?["finish_reason"]?.string.map { " (finish_reason: \($0))" } ?? ""
            return .malformed("it has no text in choices[0].message.content\(shown(reason, key))")
        }
        return .text(shown(text, key))
    }

    /// What a server gives as the reason, by OpenAI's or FastAPI's names, else the body's beginning.
    private static func said(_ body: Data, _ key: String?) -> String? {
        let reply = try? JSON(parsing: body)
        let reason = reply?["error"]?["message"] ?? reply?["error"] ?? reply?["message"] ?? reply?["detail"]
        let text = shown(reason?.string ?? String(decoding: body, as: UTF8.self), key).shortened(to: 300)
        let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.isEmpty ? nil : line
    }

    /// Servers are known to repeat the key that they refuse. A word such as EMPTY, in place of a key, is no secret.
    private static func shown(_ text: String, _ key: String?) -> String {
        guard let key, key.count >= 8 else { return text }
        return text.replacing(key, with: "…")
    }

    private static func remedy(_ status: Int, _ settings: JudgeConfiguration) -> String {
        switch status {
        case 300..<400: "set judge.url to the address that it points to"
        case 401, 403:
            settings.keyVariable.map { "see to it that \($0) holds a key that may use \(settings.model)" }
                ?? "set judge.key_env to the environment variable that holds the key"
        case 404:
            "see to it that judge.url ends before /chat/completions, and that \(settings.model) is served there"
        case 413: "the pictures are too large for this server"
        default:
            "see to it that \(settings.model) takes such requests, pictures too; for one that refuses a temperature "
                + "set judge.temperature: none"
        }
    }
}
