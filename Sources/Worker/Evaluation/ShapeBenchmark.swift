import Core
import Foundation

/// easy-VQA (Zhou, 2019; PyPI easy-vqa): questions about one coloured shape, half of them answered by yes or no.
///
/// `questions.json` holds `[[question, answer, image number]]`, and n.png the picture. Right is an answer whose text
/// holds, as a word, the true one of the benchmark's answers and none of its others.
struct ShapeBenchmark: Benchmark {
    let questions: [Question]
    private let rows: [(image: String, truth: String)]
    private let vocabulary: Set<String>

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        var questions: [Question] = []
        var rows: [(image: String, truth: String)] = []
        let all = try JSONField(contentsOf: file).array()
        var vocabulary: Set<String> = []
        for row in all { vocabulary.insert(try Self.truth(row[1])) }
        for (index, row) in try source.limited(Array(all.enumerated()), at: file) {
            let image = try row[2].name()
            rows.append((image, try Self.truth(row[1])))
            questions.append(
                source.question("\(index)", try row[0].string(), image: "\(image).png", at: row.place))
        }
        (self.questions, self.rows, self.vocabulary) = (questions, rows, vocabulary)
    }

    private static func truth(_ field: JSONField) throws(MISPError) -> String {
        let words = AnswerReading.words(try field.string())
        guard words.count == 1 else { throw field.failure("is '\(try field.string())', not one word") }
        return words[0]
    }

    func score(_ answers: [String]) -> Scorecard? {
        var card = Scorecard(
            [Measure("accuracy", "right", per: "questions"), Measure("accuracy (open)", "right open", per: "open")]
                + YesNoCounts.measures(named: " (yes/no)"))
        for (row, answer) in zip(rows, answers) {
            let isRight = held(answer) == [row.truth]
            card.add("questions", to: row.image)
            card.add("right", isRight ? 1 : 0, to: row.image)
            if ["yes", "no"].contains(row.truth) {
                // An unclear answer is wrong, whatever the truth.
                let truth = row.truth == "yes"
                card.add(YesNoCounts.count(isRight == truth, truth: truth), to: row.image)
            } else {
                card.add("open", to: row.image)
                card.add("right open", isRight ? 1 : 0, to: row.image)
            }
        }
        return card
    }

    /// The answers of the benchmark that an answer holds.
    private func held(_ answer: String) -> Set<String> {
        Set(AnswerReading.words(answer)).intersection(vocabulary)
    }

    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        let (truth, held) = (rows[index].truth, held(answer))
        let marks = AnswerReading.wordRanges(answer).compactMap { range -> (Range<String.Index>, Bool)? in
            let word = answer[range].lowercased()
            return vocabulary.contains(word) ? (range, word == truth) : nil
        }
        return MarkedAnswer(
            answer, truth: truth, verdict: held == [truth] ? .right : held.isEmpty ? .unclear : .wrong, marks: marks)
    }
}
