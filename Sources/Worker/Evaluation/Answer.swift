import Core
import Foundation

struct Answer {
    let text: String
    /// nil for an answer that was made elsewhere.
    var tokens: Int?

    /// Answers by the questions' ids. What other programs name differently is read too: POPE's, AMBER's and
    /// WildVision's own answer files.
    ///
    /// - Parameter others: to which other questions there may be answers; nil for any
    static func read(_ file: URL, for questions: [Question], others: Set<String>?) throws(MISPError) -> [Answer] {
        var answers: [String: Answer] = [:]
        let known = others.map { Set(questions.map(\.id)).union($0) }
        for row in try BenchmarkSource.rows(file) {
            func first(_ keys: [String]) throws(MISPError) -> JSONField {
                guard let key = keys.first(where: { row[$0].isPresent }) else {
                    throw row.failure("has none of \(keys.joined(separator: ", "))")
                }
                return row[key]
            }
            let id = try first(["id", "question_id", "image_id"]).name()
            let text = try first(["answer", "response", "output", "text", "caption"]).string()
            guard answers[id] == nil else { throw row.failure("question \(id) is answered twice") }
            guard known?.contains(id) ?? true else {
                throw row.failure(
                    "answers question \(id), which the benchmark does not have",
                    remedy: "give the file that answers these questions")
            }
            answers[id] = Answer(text: text, tokens: try row["tokens"].isPresent ? row["tokens"].int() : nil)
        }
        return try questions.map { (question) throws(MISPError) in
            guard let answer = answers[question.id] else {
                throw MISPError("has no answer to question \(question.id)", at: file.relativePath)
            }
            return answer
        }
    }
}
