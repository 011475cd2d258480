import Core
import Foundation

/// A server that is asked for verdicts, by one rank.
struct Judge {
    let settings: JudgeConfiguration
    private let key: String?

    /// - Throws: `MISPError` where the environment lacks the key
    init(_ settings: JudgeConfiguration) throws(MISPError) {
        self.settings = settings
        key = try settings.key()
        if key != nil, settings.isOpenToOthers {
            Console.say("the key for \(settings.url) is sent unencrypted, as its address begins with http")
        }
    }

    /// Who judges, and with which prompt: what a score depends on. The members of `identity` tell judges apart.
    func record(_ prompt: JudgePrompt) -> JSON {
        [
            "model": .string(settings.model), "url": .string(settings.url),
            "temperature": settings.temperature.map { .number($0) } ?? .null, "prompt": .string(prompt.name),
            "prompt_sha256": .string(prompt.digest.description),
        ]
    }

    /// Not the address: the same model may be served elsewhere tomorrow. Nor the prompt's name: its words count.
    static let identity = ["model", "temperature", "prompt_sha256"]

    /// Asks for what the file does not hold yet.
    ///
    /// - Parameter file: takes every reply as it comes
    /// - Returns: the judgement of each item
    /// - Throws: `MISPError` that names the item where a reply gives no verdict or none comes; of the kind
    ///   `.interrupted` after a signal
    func ask(_ items: [JudgeItem], as name: String, keeping file: JudgementFile) throws -> [Judgement] {
        let asked = try items.map { (item) throws(MISPError) in try item.digest() }
        let open = try items.indices.filter { index throws(MISPError) in
            try file.judgement(of: items[index], asked: asked[index]) == nil
        }
        if open.count < items.count { Console.say("\(name): \(items.count - open.count) verdicts are there already") }
        if !open.isEmpty {
            let round = try JudgeRound(
                settings, key, name: name, open.map { (items[$0], asked[$0]) }, of: items.count, file)
            try round.run()
        }
        return try items.indices.map { index in
            guard let judgement = try file.judgement(of: items[index], asked: asked[index]) else {
                throw MISPError("was not judged", at: items[index].id, kind: .defect)
            }
            return judgement
        }
    }
}
