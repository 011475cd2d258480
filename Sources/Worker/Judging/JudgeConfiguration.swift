import Core
import Foundation

/// The section `judge` of eval.yaml: which server rates answers, and how it is asked.
package struct JudgeConfiguration: Equatable {
    /// The server's address up to and without `/chat/completions`.
    var url: String
    var model: String
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

    private static let keys = [
        "url", "model", "key_env", "parallel", "temperature", "timeout", "retries", "prompt",
    ]

    var endpoint: String { url + "/chat/completions" }

    /// - Parameter kinds: of benchmarks, as `prompt` may name them
    /// - Throws: `MISPError` that names file, line and key, and never shows what may be a key
    init(_ section: ConfigurationField, kinds: [String]) throws(MISPError) {
        for name in ["key", "api_key", "token"] where section[name].isPresent {
            throw section[name].failure(
                "a key does not belong into a file",
                remedy: "put it into a variable of the environment, and set "
                    + "\(section.path).key_env to the variable's name")
        }
        try section.checkKeys(Self.keys)
        url = try Self.address(section["url"])
        guard let model = try section["model"].string(), !model.isEmpty else {
            throw section["model"].failure("is missing", remedy: "give the name by which the server knows the judge")
        }
        self.model = model
        keyVariable = try section["key_env"].string()
        if let name = keyVariable, name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) == nil {
            throw section["key_env"].failure(
                "is not the name of a variable", remedy: "give the name alone, such as OPENAI_API_KEY, and not the key")
        }
        parallel = try section["parallel"].int(default: parallel, from: 1, to: 256)
        timeout = try section["timeout"].number(default: timeout, "from 0.1 to 86400 (seconds)") { 0.1...86400 ~= $0 }
        retries = try section["retries"].int(default: retries, from: 0, to: 100)
        let temperature = section["temperature"]
        if (try? temperature.string()) == "none" {
            self.temperature = nil
        } else {
            self.temperature = try temperature.number(default: 0, "from 0 to 2, or none") { 0...2 ~= $0 }
        }
        guard section["prompt"].isPresent else { return }
        if (try? section["prompt"].string()) != nil {
            throw section["prompt"].failure(
                "is one file",
                remedy: "give one for each kind of benchmark: {\(kinds.map { "\($0): FILE" }.joined(separator: ", "))}")
        }
        try section["prompt"].checkKeys(kinds)
        for kind in kinds { prompts[kind] = try section["prompt"][kind].fileURL() }
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
