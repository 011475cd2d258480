import Core
import Foundation

/// What a benchmark's own truth says of an answer, and of its words (the paper's figure 5).
package struct MarkedAnswer: Equatable {
    package enum Verdict: String { case right, wrong, unclear }

    package struct Piece: Equatable {
        package let text: String
        /// nil for words of which the truth says nothing.
        package let isRight: Bool?

        package init(_ text: String, _ isRight: Bool? = nil) { (self.text, self.isRight) = (text, isRight) }
    }

    /// What would be right, in words; nil where the benchmark does not say.
    package var truth: String?
    /// nil where only a judge could tell.
    package var verdict: Verdict?
    /// All together the answer.
    package var pieces: [Piece]

    package init(_ text: String, truth: String? = nil, verdict: Verdict? = nil) {
        (self.truth, self.verdict) = (truth, verdict)
        pieces = text.isEmpty ? [] : [Piece(text)]
    }

    /// - Parameter marks: what is right or wrong in it; ranges that overlap an earlier one are left out
    package init(
        _ text: String, truth: String?, verdict: Verdict?, marks: [(range: Range<String.Index>, isRight: Bool)]
    ) {
        (self.truth, self.verdict, pieces) = (truth, verdict, [])
        var end = text.startIndex
        for mark in marks.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
        where mark.range.lowerBound >= end && !mark.range.isEmpty {
            if end < mark.range.lowerBound { pieces.append(Piece(String(text[end..<mark.range.lowerBound]))) }
            pieces.append(Piece(String(text[mark.range]), mark.isRight))
            end = mark.range.upperBound
        }
        if end < text.endIndex { pieces.append(Piece(String(text[end...]))) }
    }

    package var text: String { pieces.map(\.text).joined() }

    /// The marked words in lower case, for comparisons.
    var words: [Piece] { pieces.filter { $0.isRight != nil }.map { Piece($0.text.lowercased(), $0.isRight) } }

    /// An answer by yes or no, whose deciding words are marked.
    static func yesNo(
        _ text: String, truth: Bool, verdict: Verdict, words: [Range<String.Index>]
    ) -> MarkedAnswer {
        MarkedAnswer(
            text, truth: truth ? "yes" : "no", verdict: verdict,
            marks: words.map { ($0, verdict == .right) })
    }
}

extension MarkedAnswer {
    /// A line of marked.jsonl.
    func json(_ question: Question) -> JSON {
        var line = JSON.Object([("id", .string(question.id)), ("question", .string(question.prompt))])
        line["image"] = question.image.map { .string($0) }
        line["truth"] = truth.map { .string($0) }
        line["verdict"] = verdict.map { .string($0.rawValue) }
        line["answer"] = .array(
            pieces.map { piece in
                guard let isRight = piece.isRight else { return ["text": .string(piece.text)] }
                return ["text": .string(piece.text), "mark": isRight ? "right" : "wrong"]
            })
        return .object(line)
    }

    init(_ field: JSONField) throws(MISPError) {
        truth = try field["truth"].isPresent ? field["truth"].string() : nil
        verdict = nil
        if field["verdict"].isPresent {
            verdict = Verdict(rawValue: try field["verdict"].label(["right", "wrong", "unclear"]))
        }
        pieces = []
        for piece in try field["answer"].array() {
            let mark = try piece["mark"].isPresent ? piece["mark"].label(["right", "wrong"]) == "right" : nil
            pieces.append(Piece(try piece["text"].string(), mark))
        }
    }
}

extension AnswerReading {
    /// Where the words of a text are that `words` gives, in their order.
    static func wordRanges(_ text: String) -> [Range<String.Index>] {
        text.split { !($0.isLetter || $0.isNumber || $0 == "'") }.map { $0.startIndex..<$0.endIndex }
    }

    /// The words that `pope` decides by; none where an answer counts as yes for want of a no.
    static func popeWords(_ answer: String) -> [Range<String.Index>] {
        if pope(answer) == .no {
            let end = answer.firstIndex(of: ".") ?? answer.endIndex
            return wordRanges(answer).filter { $0.lowerBound < end && ["No", "not", "no"].contains(answer[$0]) }
        }
        return wordRanges(answer).filter { answer[$0].lowercased() == "yes" }
    }

    /// The words that `yesNo` decides by.
    static func yesNoWords(_ answer: String) -> [Range<String.Index>] {
        let said: String
        switch yesNo(answer) {
        case .yes: said = "yes"
        case .no: said = "no"
        case .unclear: return []
        }
        let ranges = wordRanges(answer)
        // An answer that begins with one may hold the other later: the first word decided.
        if let first = ranges.first, answer[first].lowercased() == said { return [first] }
        return ranges.filter { answer[$0].lowercased() == said }
    }

    /// Where an answer says the option that `option` reads.
    static func optionWords(
        _ answer: String, _ letter: String, among options: [(letter: String, text: String)]
    ) -> [Range<String.Index>] {
        if let mark = answer.range(of: "(\(letter))", options: .caseInsensitive) { return [mark] }
        let ranges = wordRanges(answer)
        if let first = ranges.first, answer[first].lowercased() == letter { return [first] }
        guard let text = options.first(where: { $0.letter == letter })?.text else { return [] }
        let wanted = words(text)
        guard !wanted.isEmpty, ranges.count >= wanted.count else { return [] }
        for start in 0...ranges.count - wanted.count {
            let here = ranges[start..<start + wanted.count]
            if here.map({ answer[$0].lowercased() }) == wanted, let first = here.first, let last = here.last {
                return [first.lowerBound..<last.upperBound]
            }
        }
        return []
    }
}
