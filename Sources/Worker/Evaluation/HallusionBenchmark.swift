import Core
import Foundation

/// HallusionBench (Guan et al., 2024): yes/no questions, in sets that share figures and questions.
///
/// The official scorer asks GPT-4 whether an answer is right, wrong or unclear; here the answer's own yes or no
/// decides. What follows from that is counted as the official scorer does: questions about an absent figure of the
/// "visual supplement" category may be left unclear, and are no figure.
struct HallusionBenchmark: Benchmark {
    private struct Row {
        let field: JSONField
        let set: String
        let figure: String
        let question: String
        let truth: Bool
        let isSupplement: Bool
        let figureIsAbsent: Bool
        let isHard: Bool

        var mayBeUnclear: Bool { isSupplement && figureIsAbsent }

        func isRight(_ verdict: AnswerReading.Verdict) -> Bool {
            verdict == .unclear ? mayBeUnclear : (verdict == .yes) == truth
        }
    }

    let questions: [Question]
    private let rows: [Row]

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        var questions: [Question] = []
        var rows: [Row] = []
        for field in try source.limited(try BenchmarkSource.rows(file), at: file) {
            let (category, subcategory) = (
                try field["category"].label(["VD", "VS"]), try field["subcategory"].string()
            )
            let set = "\(category)/\(subcategory)/\(try field["set_id"].name())"
            let (figure, question) = (try field["figure_id"].name(), try field["question_id"].name())
            let visualInput = try field["visual_input"].label(["0", "1", "2"])
            rows.append(
                Row(
                    field: field, set: set, figure: figure, question: question,
                    truth: try field["gt_answer"].label(["0", "1"]) == "1", isSupplement: category == "VS",
                    figureIsAbsent: figure == "0", isHard: visualInput == "2"))
            questions.append(
                source.question(
                    "\(set)/\(figure)/\(question)", try field["question"].string(),
                    image: visualInput != "0"
                        ? "\(category)/\(subcategory)/\(try field["set_id"].name())_\(figure).png" : nil,
                    at: field.place))
        }
        (self.questions, self.rows) = (questions, rows)
    }

    func score(_ answers: [String]) -> Scorecard? {
        var card = Scorecard([
            Measure("aAcc", "right", per: "questions"), Measure("fAcc", "right figures", per: "figures"),
            Measure("qAcc", "right pairs", per: "pairs"),
            Measure("easy aAcc", "right easy pairs", per: "easy pairs"),
            Measure("hard aAcc", "right hard pairs", per: "hard pairs"),
            Measure("unclear", "unclear", per: "questions"),
        ])
        // Groups that count only when all their questions are answered right.
        var groups: [String: (set: String, kind: String, allRight: Bool)] = [:]
        func add(_ kind: String, _ row: Row, _ key: String, _ isRight: Bool) {
            let group = groups["\(kind) \(row.set)/\(key)"]
            groups["\(kind) \(row.set)/\(key)"] = (row.set, kind, isRight && group?.allRight ?? true)
        }
        for (row, answer) in zip(rows, answers) {
            let verdict = AnswerReading.yesNo(answer)
            let isRight = row.isRight(verdict)
            card.add("questions", to: row.set)
            card.add("right", isRight ? 1 : 0, to: row.set)
            card.add("unclear", verdict == .unclear ? 1 : 0, to: row.set)
            if !row.mayBeUnclear { add("figures", row, row.figure, isRight) }
            add("pairs", row, row.question, isRight)
            add(row.isHard ? "hard pairs" : "easy pairs", row, row.question, isRight)
        }
        for group in groups.values {
            card.add(group.kind, to: group.set)
            card.add("right \(group.kind)", group.allRight ? 1 : 0, to: group.set)
        }
        return card
    }

    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        let (row, said) = (rows[index], AnswerReading.yesNo(answer))
        return .yesNo(
            answer, truth: row.truth, verdict: row.isRight(said) ? .right : said == .unclear ? .unclear : .wrong,
            words: AnswerReading.yesNoWords(answer))
    }

    /// The rows with `model_prediction`, as the official scorer reads them.
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] {
        let rows = zip(rows, answers).map { row, answer -> JSON in
            var object = row.field.value?.object ?? JSON.Object()
            object["model_prediction"] = .string(answer.text)
            return .object(object)
        }
        return [("HallusionBench_result.json", JSON.array(rows).description + "\n")]
    }
}
