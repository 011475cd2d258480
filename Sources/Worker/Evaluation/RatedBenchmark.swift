import Core
import Foundation

/// MMHal-Bench (Sun et al., 2023): 96 open questions, rated from 0 to 6 by a judge.
///
/// Its records go out with `model_answer` filled in, and come back as a list of the judge's replies or of bare ratings,
/// in the same order. A rating below 3 says that the answer hallucinates.
struct RatedBenchmark: Benchmark {
    let questions: [Question]
    let records: [JSONField]
    private let types: [String]
    private let ratings: [Int]?

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        records = try source.limited(try BenchmarkSource.rows(file), at: file)
        var questions: [Question] = []
        var types: [String] = []
        for (index, record) in records.enumerated() {
            let name = try record["image_src"].string()
            let image = name.split(separator: "/").last.map(String.init) ?? name
            questions.append(
                source.question("\(index + 1)", try record["question"].string(), image: image, at: record.place))
            types.append(try record["question_type"].string())
        }
        (self.questions, self.types) = (questions, types)
        if let file = source.ratings {
            let replies = try BenchmarkSource.rows(file)
            guard replies.count == records.count || source.limit != nil && replies.count > records.count else {
                throw MISPError(
                    "has \(replies.count) ratings for \(records.count) answers", at: file.relativePath)
            }
            ratings = try replies.prefix(records.count).map { (reply) throws(MISPError) in try Self.rating(reply) }
        } else {
            ratings = nil
        }
    }

    /// A bare rating, or the only `rating: n` that a judge's reply holds, as the official script reads it. A reply
    /// without one, which that script counts as 0, is an error.
    private static func rating(_ reply: JSONField) throws(MISPError) -> Int {
        if let value = reply.value?.int ?? reply.value?["rating"]?.int {
            guard 0...6 ~= value else { throw reply.failure("is \(value), not a rating from 0 to 6") }
            return value
        }
        let content = reply.value?["choices"]?[0]?["message"]?["content"]?.string
        guard let text = reply.value?.string ?? content else {
            throw reply.failure("is neither a rating nor a judge's reply")
        }
        let found = ratings(in: text)
        guard found.count == 1, let rating = found.first.flatMap({ Int($0) }), 0...6 ~= rating else {
            throw reply.failure(
                "gives \(found.isEmpty ? "no rating" : "the ratings \(found.sorted().joined(separator: ", "))")",
                remedy: "it must hold one 'Rating: n' with n from 0 to 6; judge it again, or write the number alone")
        }
        return rating
    }

    /// The different ratings that a judge's reply gives.
    static func ratings(in text: String) -> Set<String> {
        Set(text.lowercased().matches(of: /rating:\s*(-?[0-9.]*[0-9])/).map { String($0.1) })
    }

    func score(_ answers: [String]) -> Scorecard? {
        guard let ratings else { return nil }
        let kinds = types.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        var card = Scorecard(
            [
                Measure("score", "rating", per: "questions"),
                Measure("hallucination rate", "hallucinated", per: "questions"),
            ] + kinds.map { Measure("score (\($0))", "rating \($0)", per: "questions \($0)") })
        for (index, rating) in ratings.enumerated() {
            let unit = "\(index + 1)"
            card.add("questions", to: unit)
            card.add("rating", Double(rating), to: unit)
            card.add("hallucinated", rating < 3 ? 1 : 0, to: unit)
            card.add("questions \(types[index])", to: unit)
            card.add("rating \(types[index])", Double(rating), to: unit)
        }
        return card
    }

    /// By the judge's rating, where there is one.
    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        MarkedAnswer(
            answer, truth: records[index].value?["gt_answer"]?.string,
            verdict: ratings.map { $0[index] < 3 ? .wrong : .right })
    }

    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] {
        let rows = zip(records, answers).map { record, answer -> JSON in
            var object = record.value?.object ?? JSON.Object()
            object["model_answer"] = .string(answer.text)
            return .object(object)
        }
        return [("mmhal_responses.json", JSON.array(rows).description + "\n")]
    }
}
