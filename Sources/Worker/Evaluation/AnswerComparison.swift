import Core
import Foundation

/// The answers that several evaluations gave to the questions of one benchmark, as each one's marked.jsonl has them.
package struct AnswerComparison {
    package struct Row {
        package let id, question: String
        package let image: String?
        package let truth: String?
        /// One for each evaluation.
        package let answers: [MarkedAnswer]

        /// How far the evaluations differ.
        package var difference: Difference {
            let first = answers[0]
            if answers.contains(where: { $0.verdict != first.verdict }) { return .verdicts }
            if answers.contains(where: { $0.words != first.words }) { return .words }
            let isJudged = first.verdict != nil || !first.words.isEmpty
            return !isJudged && answers.contains { $0.text != first.text } ? .words : .none
        }
    }

    /// In the order in which rows are shown.
    package enum Difference: Int, CaseIterable {
        /// One is right where another is not.
        case verdicts
        /// As right or wrong, by other words; without a truth, in other words.
        case words
        case none
    }

    /// Of one evaluation.
    package struct Count {
        /// Questions answered right, wrong and unclearly.
        package var right = 0, wrong = 0, unclear = 0
        /// Questions that this evaluation alone has right, and alone does not.
        package var alone = 0, aloneNot = 0
        /// Words marked as right and as wrong.
        package var rightWords = 0, wrongWords = 0
    }

    package let name: String
    /// Those in which the evaluations differ most first, else in the questions' order.
    package let rows: [Row]
    package let counts: [Count]

    package func count(_ difference: Difference) -> Int { rows.count { $0.difference == difference } }

    package init(name: String, rows: [Row]) {
        self.name = name
        self.rows = Difference.allCases.flatMap { difference in rows.filter { $0.difference == difference } }
        var counts = [Count](repeating: Count(), count: rows.first?.answers.count ?? 0)
        for row in rows {
            let right = row.answers.indices.filter { row.answers[$0].verdict == .right }
            if right.count == 1 { counts[right[0]].alone += 1 }
            if right.count == row.answers.count - 1,
                let other = row.answers.indices.first(where: { !right.contains($0) })
            {
                counts[other].aloneNot += 1
            }
            for (index, answer) in row.answers.enumerated() {
                switch answer.verdict {
                case .right: counts[index].right += 1
                case .wrong: counts[index].wrong += 1
                case .unclear: counts[index].unclear += 1
                case nil: break
                }
                counts[index].rightWords += answer.pieces.count { $0.isRight == true }
                counts[index].wrongWords += answer.pieces.count { $0.isRight == false }
            }
        }
        self.counts = counts
    }

    /// - Throws: `MISPError` where the evaluations were asked other questions, or a file is not as `evaluate` writes it
    init(_ name: String, of folders: [EvaluationFolder]) throws(MISPError) {
        let files = folders.map { $0.file(EvaluationFolder.markedFile, of: name) }
        var tables: [[JSONField]] = []
        for file in files { tables.append(try BenchmarkSource.rows(file)) }
        var rows: [Row] = []
        for (table, file) in zip(tables, files) where table.count != tables[0].count {
            throw EvaluationFolder.otherQuestions(file, than: files[0])
        }
        for index in tables[0].indices {
            let field = tables[0][index]
            let (id, question) = (try field["id"].string(), try field["question"].string())
            var answers: [MarkedAnswer] = []
            for (table, file) in zip(tables, files) {
                guard try table[index]["id"].string() == id, try table[index]["question"].string() == question else {
                    throw EvaluationFolder.otherQuestions(file, than: files[0])
                }
                answers.append(try MarkedAnswer(table[index]))
            }
            // Where one of them has it: pictures may lie elsewhere for another.
            var images: [String] = []
            for table in tables {
                let image = table[index]["image"]
                if image.isPresent { images.append(try image.string()) }
            }
            rows.append(
                Row(
                    id: id, question: question,
                    image: images.first { FileManager.default.fileExists(atPath: $0) } ?? images.first,
                    truth: answers[0].truth, answers: answers))
        }
        self.init(name: name, rows: rows)
    }

    /// Those whose file is missing, as versions before it have left them.
    static func missing(_ name: String, in folders: [EvaluationFolder]) -> [EvaluationFolder] {
        folders.filter {
            !FileManager.default.fileExists(atPath: $0.file(EvaluationFolder.markedFile, of: name).path)
        }
    }
}
