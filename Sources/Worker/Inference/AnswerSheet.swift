import Coordinator
import Core
import Foundation

/// Answers to many questions, shared by the ranks and written in the questions' order.
///
/// What a question is answered depends on nothing but the question, so neither batches nor ranks change a line.
struct AnswerSheet {
    /// Questions that a rank answers together: each pass over the weights serves them all.
    private static let batch = 8

    /// A line of JSON for each question.
    private let answers: ([Question]) throws -> [String]

    /// - Parameter writesTokenIds: beside each answer's text
    init(_ model: TrainedModel<some VectorArithmetic>, _ sampling: Sampling, writesTokenIds: Bool = false) {
        answers = { try Self.answers($0, model, sampling, writesTokenIds: writesTokenIds) }
    }

    /// Collective. Appends to `out`, whose first answers, from a run that was stopped, are kept.
    func fill(_ questions: [Question], communicator: any Communicator, out: URL) throws {
        let sheet = try communicator.agree { communicator.rank == 0 ? try AnswerFile(out, questions) : nil }
        let done = Int(try communicator.mergeDisjoint([Double(sheet?.count ?? 0)])[0])
        if done > 0, communicator.rank == 0 { Console.say("resuming after \(done) answers") }
        var progress = PhaseProgress("answers", of: questions.count, isTold: communicator.rank == 0)
        // A round is what all ranks answer before the lines are written.
        let round = Self.batch * communicator.size
        for start in stride(from: done, to: questions.count, by: round) {
            let part = start..<min(start + round, questions.count)
            let mine = part.filter { ($0 - start) % communicator.size == communicator.rank }
            let lines = try Interruption.keeping(kept(start, out)) {
                try communicator.agree { try answers(mine.map { questions[$0] }) }
            }
            let all = try communicator.allGather(Data(lines.joined(separator: "\n").utf8)).map {
                $0.split(separator: 10)
            }
            try communicator.agree {
                guard let sheet else { return }
                for index in part {
                    let (rank, place) = ((index - start) % communicator.size, (index - start) / communicator.size)
                    try sheet.append(all[rank][place])
                }
                progress.update(part.upperBound)
            }
        }
    }

    /// What a signal leaves behind.
    private func kept(_ answers: Int, _ out: URL) -> MISPError? {
        guard answers > 0 else { return nil }
        return MISPError(
            "stopped; the \(answers) answers so far are kept", at: out.relativePath,
            remedy: "resume with the same command", kind: .interrupted)
    }

    private static func answers(
        _ questions: [Question], _ model: TrainedModel<some VectorArithmetic>, _ sampling: Sampling,
        writesTokenIds: Bool
    ) throws -> [String] {
        let requests = try questions.map { question in
            try model.request(
                question.prompt, image: question.image, key: question.id, sampling, at: question.place)
        }
        let answers = try model.answers(sampling.generator(model), requests) { _, _ in
            Pulse.note()
            try Interruption.check("while questions were answered")
        }
        return zip(questions, answers).map { question, tokens in
            let text = model.folder.tokenizer.decode(tokens, skipSpecialTokens: true)
            var line = JSON.Object([
                ("id", .string(question.id)), ("answer", .string(text)), ("tokens", .integer(tokens.count)),
            ])
            if writesTokenIds { line["token_ids"] = .array(tokens.map { .integer(Int($0)) }) }
            return JSON.object(line).description
        }
    }
}

/// The lines of answers in a file, of which a stopped run may have left the first.
private final class AnswerFile {
    private(set) var count = 0
    private let file: FileHandle
    private let path: String

    /// Keeps the whole lines that answer the first questions.
    init(_ url: URL, _ questions: [Question]) throws {
        path = url.relativePath
        var kept = Data()
        if let old = try? Data(contentsOf: url) {
            let whole = old.prefix(upTo: old.lastIndex(of: 10).map { $0 + 1 } ?? 0)
            for line in whole.split(separator: 10) {
                guard count < questions.count, try JSON(parsing: line)["id"]?.string == questions[count].id else {
                    throw MISPError(
                        "has answers to other questions", at: path, remedy: "remove it, or name another --out")
                }
                kept += line + [10]
                count += 1
            }
        }
        let draft = url.appendingPathExtension("new")
        try FileOutput.create(draft) { output in try kept.withUnsafeBytes { try output.write($0) } }
        try FileOutput.move(draft, to: url)
        do {
            file = try FileHandle(forWritingTo: url)
            try file.seekToEnd()
        } catch {
            throw MISPError("cannot be written (\(SystemReason.text(error)))", at: path)
        }
    }

    func append(_ line: Data) throws {
        do {
            try file.write(contentsOf: line + [10])
        } catch {
            throw MISPError("cannot be written (\(SystemReason.text(error)))", at: path)
        }
        count += 1
    }
}
