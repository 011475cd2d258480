import Foundation

/// What an answer in free words says, by rules that need no judge.
package enum AnswerReading {
    package enum Verdict { case yes, no, unclear }

    /// POPE's rule: the first sentence says no if it holds the word "No", "no" or "not", and else yes.
    package static func pope(_ answer: String) -> Verdict {
        let sentence = answer.split(separator: ".", omittingEmptySubsequences: false).first ?? ""
        let words = sentence.filter { $0 != "," }.split(separator: " ")
        return words.contains { ["No", "not", "no"].contains($0) } ? .no : .yes
    }

    /// An answer that begins with yes or no, or that holds one of the two words only, says so; any other is unclear.
    package static func yesNo(_ answer: String) -> Verdict {
        let words = words(answer)
        switch words.first {
        case "yes": return .yes
        case "no": return .no
        default: break
        }
        switch (words.contains("yes"), words.contains("no")) {
        case (true, false): return .yes
        case (false, true): return .no
        default: return .unclear
        }
    }

    /// The letter of the option chosen, in lower case: `(b)`, `b)`, `B.`, `B`, or the only option whose text the answer
    /// holds. nil where it names none or several.
    package static func option(_ answer: String, among options: [(letter: String, text: String)]) -> String? {
        let lower = answer.lowercased()
        let marked = options.filter { lower.contains("(\($0.letter))") }
        if marked.count == 1 { return marked[0].letter }
        if marked.isEmpty {
            let head = lower.drop { $0.isWhitespace }.prefix { $0.isLetter }
            if let option = options.first(where: { $0.letter == head }) { return option.letter }
            let said = words(answer).joined(separator: " ")
            let held = options.filter {
                let text = words($0.text).joined(separator: " ")
                return !text.isEmpty && " \(said) ".contains(" \(text) ")
            }
            if held.count == 1 { return held[0].letter }
        }
        return nil
    }

    /// The words of a text in lower case, without punctuation.
    static func words(_ text: String) -> [String] {
        text.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "'") }.map(String.init)
    }
}
