import Core
import Foundation

/// MMVP (Tong et al., Eyes Wide Shut, 2024): pairs of pictures that CLIP takes for alike, a question with two options
/// on each; a pair counts when both are answered right.
///
/// `Questions.csv` with columns Index, Question, Options (`(a) … (b) …`) and Correct Answer; consecutive rows are
/// pairs, and row n is about `n.jpg`.
struct PairBenchmark: Benchmark {
    let questions: [Question]
    private let rows: [(options: [(letter: String, text: String)], truth: String)]

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        let table = try CSV(contentsOf: file)
        var questions: [Question] = []
        var rows: [(options: [(letter: String, text: String)], truth: String)] = []
        for (index, row) in try source.limited(Array(table.rows.enumerated()), at: file) {
            let place = "\(file.relativePath): row \(index + 1)"
            func cell(_ column: String) throws(MISPError) -> String {
                guard let value = row[column] else {
                    throw MISPError("has no column \(column)", at: place, remedy: "take MMVP's Questions.csv")
                }
                return value.trimmingCharacters(in: .whitespaces)
            }
            // The published file's own spelling is "lndex".
            if let number = (row["Index"] ?? row["lndex"])?.trimmingCharacters(in: .whitespaces) {
                guard number == "\(index + 1)" else {
                    throw MISPError("Index is \(number), but the row is about \(index + 1).jpg", at: place)
                }
            }
            let options = Self.options(try cell("Options"))
            guard options.count > 1, Set(options.map(\.letter)).count == options.count else {
                throw MISPError("Options is not a list such as (a) … (b) …", at: place)
            }
            let truth = try cell("Correct Answer").lowercased().filter(\.isLetter)
            guard options.contains(where: { $0.letter == truth }) else {
                throw MISPError("Correct Answer is (\(truth)), which is not among the options", at: place)
            }
            rows.append((options, truth))
            questions.append(
                source.question(
                    "\(index + 1)", "\(try cell("Question")) \(try cell("Options"))", image: "\(index + 1).jpg",
                    at: place))
        }
        guard rows.count.isMultiple(of: 2) else {
            throw MISPError("has \(rows.count) questions, which do not make pairs", at: file.relativePath)
        }
        (self.questions, self.rows) = (questions, rows)
    }

    /// `(a) Open (b) Closed` in parts.
    static func options(_ text: String) -> [(letter: String, text: String)] {
        let marks = text.matches(of: /\(([A-Za-z])\)/)
        return marks.indices.map { index in
            let end = index + 1 < marks.count ? marks[index + 1].range.lowerBound : text.endIndex
            return (
                marks[index].1.lowercased(),
                text[marks[index].range.upperBound..<end].trimmingCharacters(in: .whitespaces)
            )
        }
    }

    func score(_ answers: [String]) -> Scorecard? {
        var card = Scorecard([
            Measure("pair accuracy", "right pairs", per: "pairs"), Measure("accuracy", "right", per: "questions"),
            Measure("unclear", "unclear", per: "questions"),
        ])
        for pair in stride(from: 0, to: rows.count, by: 2) {
            let chosen = [pair, pair + 1].map { AnswerReading.option(answers[$0], among: rows[$0].options) }
            let right = chosen.indices.count { chosen[$0] == rows[pair + $0].truth }
            let unit = "\(pair / 2 + 1)"
            card.add("pairs", to: unit)
            card.add("right pairs", right == 2 ? 1 : 0, to: unit)
            card.add("questions", 2, to: unit)
            card.add("right", Double(right), to: unit)
            card.add("unclear", Double(chosen.count { $0 == nil }), to: unit)
        }
        return card
    }

    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        let (options, truth) = rows[index]
        let inWords = "(\(truth)) \(options.first { $0.letter == truth }?.text ?? "")"
        guard let letter = AnswerReading.option(answer, among: options) else {
            return MarkedAnswer(answer, truth: inWords, verdict: .unclear)
        }
        let isRight = letter == truth
        return MarkedAnswer(
            answer, truth: inWords, verdict: isRight ? .right : .wrong,
            marks: AnswerReading.optionWords(answer, letter, among: options).map { ($0, isRight) })
    }

    /// Answers as the official grader reads them.
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] {
        let lines = zip(questions, answers).enumerated().map { index, pair -> String in
            let line: JSON = [
                "prompt": .string(pair.0.prompt), "answer": .string("(\(rows[index].truth))"),
                "response": .string(pair.1.text),
            ]
            return line.description
        }
        return [("mmvp_responses.jsonl", lines.joined(separator: "\n") + "\n")]
    }
}

/// A table of comma-separated values (RFC 4180), its cells by the names in its first row.
struct CSV {
    private(set) var rows: [[String: String]] = []

    init(contentsOf url: URL) throws(MISPError) {
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: url.relativePath)
        }
        var records = Self.records(text)
        guard !records.isEmpty else { throw MISPError("is empty", at: url.relativePath) }
        let names = records.removeFirst().map { $0.trimmingCharacters(in: .whitespaces) }
        for (index, record) in records.enumerated() {
            guard record.count == names.count else {
                throw MISPError(
                    "has \(record.count) cells, not \(names.count)", at: "\(url.relativePath): row \(index + 1)")
            }
            rows.append(Dictionary(zip(names, record), uniquingKeysWith: { first, _ in first }))
        }
    }

    /// Records of cells; a quoted cell may hold commas, line breaks and doubled quotes.
    private static func records(_ text: String) -> [[String]] {
        var records: [[String]] = []
        var record: [String] = []
        var cell = String.UnicodeScalarView()
        var isQuoted = false
        var scalars = text.unicodeScalars.makeIterator()
        var next = scalars.next()
        if next == "\u{FEFF}" { next = scalars.next() }
        func endRecord() {
            record.append(String(cell))
            if record != [""] { records.append(record) }
            (record, cell) = ([], .init())
        }
        while let scalar = next {
            next = scalars.next()
            switch scalar {
            case "\"" where isQuoted && next == "\"":
                cell.append(scalar)
                next = scalars.next()
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                record.append(String(cell))
                cell = .init()
            case "\r" where !isQuoted: break
            case "\n" where !isQuoted: endRecord()
            default: cell.append(scalar)
            }
        }
        if !cell.isEmpty || !record.isEmpty { endRecord() }
        return records
    }
}
