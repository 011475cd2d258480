import Core
import Foundation

/// POPE: is there a … in the image? (Li et al., Evaluating Object Hallucination in Large Vision-Language Models,
/// 2023.)
///
/// JSON lines `{question_id, image, text, label}`, a file for each way of choosing the absent objects. Several files
/// are measured each for itself and together.
struct PopeBenchmark: Benchmark {
    let questions: [Question]
    private let rows: [(split: String, image: String, label: Bool)]
    private let splits: [String]

    init(_ source: BenchmarkSource) throws(MISPError) {
        var questions: [Question] = []
        var rows: [(split: String, image: String, label: Bool)] = []
        splits = source.questions.count > 1 ? source.questions.map { $0.deletingPathExtension().lastPathComponent } : []
        for (index, file) in source.questions.enumerated() {
            for row in try source.limited(try BenchmarkSource.rows(file), at: file) {
                let image = try row["image"].string()
                let split = splits.isEmpty ? "" : splits[index]
                let id = try row["question_id"].name()
                questions.append(
                    source.question(
                        split.isEmpty ? id : "\(split)/\(id)", try row["text"].string(), image: image, at: row.place))
                rows.append((split, image, try row["label"].label(["yes", "no"]) == "yes"))
            }
        }
        (self.questions, self.rows) = (questions, rows)
    }

    func score(_ answers: [String]) -> Scorecard? {
        var card = Scorecard(
            YesNoCounts.measures() + splits.flatMap { YesNoCounts.measures("\($0) ", named: " (\($0))") })
        for (row, answer) in zip(rows, answers) {
            let count = YesNoCounts.count(AnswerReading.pope(answer) == .yes, truth: row.label)
            card.add(count, to: row.image)
            if !row.split.isEmpty { card.add("\(row.split) \(count)", to: row.image) }
        }
        return card
    }

    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        let truth = rows[index].label
        return .yesNo(
            answer, truth: truth, verdict: (AnswerReading.pope(answer) == .yes) == truth ? .right : .wrong,
            words: AnswerReading.popeWords(answer))
    }
}
