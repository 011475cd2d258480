import Core
import Foundation

/// The section `judge` of eval.yaml: which server rates answers, and how it is asked.
package struct JudgeConfiguration: Equatable {
    /// The server's address up to and without `/chat/completions`; required.
    var url = ""
    /// Required.
    var model = ""
    /// The environment variable that holds the key; nil for a server that wants none. The key itself is in no file.
    var keyVariable: String?
    /// Requests at once.
    var parallel = 4
    /// nil leaves it out, for models that refuse it.
    var temperature: Double? = 0
    /// Seconds for one request.
    var timeout = 120.0
    /// Further attempts at an item after the first.
    var retries = 5
    /// Templates in place of misp's own, by kind of benchmark.
    var prompts: [String: URL] = [:]

    var endpoint: String { url + "/chat/completions" }

    /// Refuses a key where nothing but its variable's name belongs, without showing it.
    static func refuseSecrets(_ section: ConfigurationField) throws(MISPError) {
        for name in ["key", "api_key", "token"] where section[name].isPresent {
            throw section[name].failure(
                "a key does not belong into a file",
                remedy: "put it into a variable of the environment, and set "
                    + "\(section.path).key_env to the variable's name")
        }
    }

    /// Every key of the section.
    ///
    /// - Parameter kinds: of benchmarks, as `prompt` may name them
    static func keys(kinds: [String]) -> [ConfigurationKey<Self>] {
        [
            ConfigurationKey(
                "url", "an address", "the server's; `/chat/completions` is added to it", standard: "required",
                read: { section, root throws(MISPError) in root.url = try address(section["url"]) },
                write: { .string($0.url) }),
            ConfigurationKey(
                "model", "text", "the judge, as the server names it", standard: "required",
                read: { section, root throws(MISPError) in
                    guard let model = try section["model"].string(), !model.isEmpty else {
                        throw section["model"].failure(
                            "is missing", remedy: "give the name by which the server knows the judge")
                    }
                    root.model = model
                },
                write: { .string($0.model) }),
            ConfigurationKey(
                "key_env", "a variable's name", "the environment variable that holds the key",
                standard: "no key is sent",
                read: { section, root throws(MISPError) in
                    root.keyVariable = try section["key_env"].string()
                    guard let name = root.keyVariable, name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) == nil else {
                        return
                    }
                    throw section["key_env"].failure(
                        "is not the name of a variable",
                        remedy: "give the name alone, such as OPENAI_API_KEY, and not the key")
                },
                write: { root in root.keyVariable.map(JSON.string) ?? .null }),
            .int("parallel", \.parallel, from: 1, to: 256, "requests at the same time"),
            ConfigurationKey(
                "temperature", "from 0 to 2, or none",
                "of the judge's replies; `none` sends none, as some models refuse it",
                read: { section, root throws(MISPError) in
                    let field = section["temperature"]
                    root.temperature =
                        (try? field.string()) == "none"
                        ? nil : try field.number(default: 0, "from 0 to 2, or none") { 0...2 ~= $0 }
                },
                write: { root in root.temperature.map(JSON.number) ?? .string("none") }),
            .number("timeout", \.timeout, "from 0.1 to 86400 (seconds)", "seconds for one request") {
                0.1...86400 ~= $0
            },
            .int("retries", \.retries, from: 0, to: 100, "further attempts at a question after the first"),
            prompt(kinds),
        ]
    }

    private static func prompt(_ kinds: [String]) -> ConfigurationKey<Self> {
        let form = "{\(kinds.map { "\($0): FILE" }.joined(separator: ", "))}"
        return ConfigurationKey(
            "prompt", "`\(form)`", "templates in place of misp's own", standard: "misp's own",
            read: { section, root throws(MISPError) in
                let field = section["prompt"]
                guard field.isPresent else { return }
                if (try? field.string()) != nil {
                    throw field.failure("is one file", remedy: "give one for each kind of benchmark: \(form)")
                }
                try field.checkKeys(kinds)
                for kind in kinds { root.prompts[kind] = try field[kind].fileURL() }
            },
            write: { root in
                .object(JSON.Object(kinds.map { kind in (kind, root.prompts[kind].map { .string($0.path) } ?? .null) }))
            })
    }

    /// What is in an address is said in messages, and kept with the results; so nothing secret may be in it.
    private static func address(_ field: ConfigurationField) throws(MISPError) -> String {
        guard var text = try field.string() else {
            throw field.failure("is missing", remedy: "give the server's address, such as http://localhost:8000/v1")
        }
        guard text.wholeMatch(of: /https?:\/\/[^\/\s?#@]+(\/[^\s?#@]*)?/) != nil else {
            throw field.failure(
                "is no address of the form http://HOST:PORT/PATH",
                remedy: "give neither name, password nor parameters in it; the key comes from key_env")
        }
        while text.hasSuffix("/") { text.removeLast() }
        if text.hasSuffix("/chat/completions") {
            throw field.failure("ends in /chat/completions", remedy: "leave that out; it is added")
        }
        return text
    }

    /// Whether what is sent can be read on its way by others.
    var isOpenToOthers: Bool {
        guard url.hasPrefix("http://") else { return false }
        let host = url.dropFirst("http://".count).prefix { $0 != "/" }
        let isHere = ["localhost", "127.0.0.1", "[::1]"].contains { host == $0 || host.hasPrefix("\($0):") }
        return !isHere
    }

    /// The key from the environment, nil where none is wanted.
    ///
    /// - Throws: `MISPError` that names the variable, and never shows its value
    func key(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws(MISPError) -> String? {
        guard let name = keyVariable else { return nil }
        let key = (environment[name] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
        guard !key.isEmpty else {
            throw MISPError(
                "the environment has no \(name), which judge.key_env names", at: "judge",
                remedy: "export \(name) before the start; without key_env no key is sent")
        }
        guard key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw MISPError("the key in \(name) has characters that no key has", at: "judge", remedy: "set it anew")
        }
        return key
    }
}
