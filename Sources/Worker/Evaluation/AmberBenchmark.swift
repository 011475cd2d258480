import Core
import Foundation

/// AMBER's discriminative part (Wang et al., 2023): existence, attributes and relations, by yes and no.
///
/// Queries `[{id, image, query}]`, annotations `[{id, type, truth}]`. "No" is the positive, as in the official scorer,
/// which wants the bare words Yes and No; here an answer that begins with one of them counts too.
struct AmberBenchmark: Benchmark {
    private static let generative = "generative"
    /// The parts that count a question of a type.
    private static let types = [
        "discriminative-hallucination": ["existence"], "discriminative-attribute-state": ["attribute", "state"],
        "discriminative-attribute-number": ["attribute", "number"],
        "discriminative-attribute-action": ["attribute", "action"], "discriminative-relation": ["relation"],
        "relation": ["relation"],
    ]
    private static let parts = ["existence", "attribute", "state", "number", "action", "relation"]

    let questions: [Question]
    let unasked: Set<String>
    private let rows: [(image: String, parts: [String], truth: Bool)]

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        var truths: [Int: (type: String, truth: Bool)] = [:]
        // Queries for descriptions, which the file of all queries holds too.
        var others: Set<Int> = []
        for field in try JSONField(contentsOf: try source.annotation()).array() {
            let type = try field["type"].label([Self.generative] + Self.types.keys.sorted())
            let id = try field["id"].int()
            guard truths[id] == nil, !others.contains(id) else {
                throw field["id"].failure("is \(id), which is annotated twice")
            }
            if type == Self.generative {
                others.insert(id)
            } else {
                truths[id] = (type, try field["truth"].label(["yes", "no"]) == "yes")
            }
        }
        var questions: [Question] = []
        var rows: [(image: String, parts: [String], truth: Bool)] = []
        for field in try source.limited(try BenchmarkSource.rows(file), at: file) {
            let (id, image) = (try field["id"].int(), try field["image"].string())
            if others.contains(id) { continue }
            guard let (type, truth) = truths[id] else {
                throw field["id"].failure("is \(id), which the annotations do not have")
            }
            questions.append(source.question("\(id)", try field["query"].string(), image: image, at: field.place))
            rows.append((image, Self.types[type] ?? ["relation"], truth))
        }
        guard !questions.isEmpty else {
            throw MISPError("has no discriminative query of the annotations", at: file.relativePath)
        }
        (self.questions, self.rows, unasked) = (questions, rows, Set(others.map(String.init)))
    }

    func score(_ answers: [String]) -> Scorecard? {
        var card = Scorecard(([""] + Self.parts).flatMap(Self.measures))
        for (row, answer) in zip(rows, answers) {
            let first = AnswerReading.words(answer).first
            let (yes, no) = (first == "yes", first == "no")
            for part in [""] + row.parts {
                card.add("\(part) questions", to: row.image)
                if row.truth ? yes : no { card.add("\(part) right", to: row.image) }
                if !row.truth { card.add("\(part) absent", to: row.image) }
                if no { card.add("\(part) no", to: row.image) }
                if no && !row.truth { card.add("\(part) right no", to: row.image) }
            }
        }
        return card
    }

    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        let (truth, first) = (rows[index].truth, AnswerReading.words(answer).first)
        guard first == "yes" || first == "no" else {
            return .yesNo(answer, truth: truth, verdict: .unclear, words: [])
        }
        return .yesNo(
            answer, truth: truth, verdict: (first == "yes") == truth ? .right : .wrong,
            words: Array(AnswerReading.wordRanges(answer).prefix(1)))
    }

    private static func measures(_ part: String) -> [Measure] {
        let suffix = part.isEmpty ? "" : " (\(part))"
        return [
            Measure("accuracy\(suffix)", "\(part) right", per: "\(part) questions"),
            Measure("precision\(suffix)", "\(part) right no", per: "\(part) no"),
            Measure("recall\(suffix)", "\(part) right no", per: "\(part) absent"),
            Measure("f1\(suffix)", ["\(part) right no": 2], per: ["\(part) no": 1, "\(part) absent": 1]),
        ]
    }

    /// `[{id, response}]`, as the official scorer reads them.
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] {
        let rows = zip(questions, answers).map { question, answer -> JSON in
            let first = AnswerReading.words(answer.text).first
            let response = first == "yes" ? "Yes" : first == "no" ? "No" : answer.text
            return ["id": .integer(Int(question.id) ?? 0), "response": .string(response)]
        }
        return [("amber_responses.json", JSON.array(rows).description + "\n")]
    }
}
