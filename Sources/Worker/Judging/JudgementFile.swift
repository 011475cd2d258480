import Core
import Foundation

/// The judge's replies as they came: JSON lines, of which the first says who the judge is.
///
/// Each line is on the disk before the next request's reply is looked at, so whatever ends the program loses no reply
/// that arrived. A verdict is taken for what was asked in the same words only.
final class JudgementFile {
    static let name = "judgements.jsonl"

    private let output: FileOutput
    let path: String
    private var kept: [String: Judgement] = [:]

    /// Opens or begins the file. A last line that is not whole is dropped.
    ///
    /// - Parameters:
    ///   - judge: who is asked, and how
    ///   - identity: members of it that must be those of the earlier replies
    /// - Throws: `MISPError` where the replies are another judge's, or a line is malformed
    init(_ url: URL, judge: JSON, identity: [String]) throws {
        path = url.relativePath
        let old = try Self.bytes(url)
        let whole = old.prefix(upTo: old.lastIndex(of: 10).map { $0 + 1 } ?? old.startIndex)
        var lines = whole.split(separator: 10)[...]
        if let first = lines.popFirst() {
            let before = JSONField(try JSON(parsing: first, at: "\(path):1"), file: "\(path):1")["judge"]
            _ = try before.object()
            let changed = identity.filter { (before[$0].value ?? .null) != (judge[$0] ?? .null) }
            guard changed.isEmpty else {
                throw MISPError(
                    "holds the replies of another judge (\(changed.joined(separator: ", ")) changed)", at: path,
                    remedy: "remove it, or choose another output")
            }
        }
        for (index, line) in lines.enumerated() {
            let place = "\(path):\(index + 2)"
            try Self.read(JSONField(try JSON(parsing: line, at: place), file: place), into: &kept)
        }
        var text = whole
        if text.isEmpty { text = Data("\(JSON.object(.init([("judge", judge)])).description)\n".utf8) }
        let draft = url.appendingPathExtension("new")
        try FileOutput.create(draft) { output in try text.withUnsafeBytes { try output.write($0) } }
        try FileOutput.move(draft, to: url)
        output = try FileOutput(url, appending: true)
    }

    /// None where there is no file yet; one that cannot be read must not be taken for none.
    private static func bytes(_ url: URL) throws(MISPError) -> Data {
        guard FileManager.default.fileExists(atPath: url.path) else { return Data() }
        do {
            return try Data(contentsOf: url)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: url.relativePath)
        }
    }

    /// A verdict of null waits for a better reply, or for a person to put one in its place.
    private static func read(_ line: JSONField, into kept: inout [String: Judgement]) throws(MISPError) {
        let asked = try line["asked"].string()
        let reply = try line["reply"].string()
        guard line["verdict"].isPresent else { return }
        // A person may write a rating as a number.
        let number = line["verdict"].value?.int
        let verdict = if let number { "\(number)" } else { try line["verdict"].string() }
        kept[asked] = Judgement(verdict: verdict, reply: reply)
    }

    /// The judgement of what was asked, if there is one.
    ///
    /// - Parameter asked: the item's digest
    func judgement(of item: JudgeItem, asked: String) throws(MISPError) -> Judgement? {
        guard let judgement = kept[asked] else { return nil }
        guard item.scale.verdicts.contains(judgement.verdict) else {
            throw MISPError(
                "the verdict of \(item.id) is \(judgement.verdict)", at: path,
                remedy: "it must be one of \(item.scale.verdicts.joined(separator: ", "))")
        }
        return judgement
    }

    /// Adds a reply, and returns when it is on the disk.
    func append(_ item: JudgeItem, asked: String, verdict: String?, reply: String) throws {
        let line: JSON = [
            "id": .string(item.id), "verdict": verdict.map { .string($0) } ?? .null, "reply": .string(reply),
            "asked": .string(asked),
        ]
        let bytes = Array("\(line.description)\n".utf8)
        try bytes.withUnsafeBytes { try output.write($0) }
        try output.synchronize()
        if let verdict { kept[asked] = Judgement(verdict: verdict, reply: reply) }
    }
}
