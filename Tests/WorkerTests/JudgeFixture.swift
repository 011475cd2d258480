import Core
import Foundation
import TestSupport
import Testing

/// Answers to MMHal-Bench, a server that judges them, and the program run on both.
struct JudgeFixture {
    static let key = "sk-test-0123456789abcdef"
    static let judgements = "out/mmhal/judgements.jsonl"

    let folder: TemporaryFolder
    let questions: Int

    /// The answer to question 17 is `Answer number 17.`
    init(questions: Int) throws {
        folder = try TemporaryFolder()
        self.questions = questions
        try write(
            (1...questions).map { index -> JSON in
                [
                    "question_type": .string(index % 2 == 0 ? "attribute" : "other"), "image_src": "https://a/b.jpg",
                    "image_content": ["Tree", "Dog"], "question": .string("Question \(index)?"), "gt_answer": "A dog.",
                ]
            }, to: "mmhal.jsonl")
        try answer()
    }

    /// - Parameter other: a question whose answer is another than that of the others' form
    func answer(other: Int? = nil) throws {
        try write(
            (1...questions).map { index -> JSON in
                let text = "Answer number \(index)\(other == index ? ", again" : "")."
                return ["id": .string("\(index)"), "answer": .string(text)]
            }, to: "answers.jsonl")
    }

    func write(_ rows: [JSON], to name: String) throws {
        try write(rows.map { "\($0.description)\n" }.joined(), to: name)
    }

    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: folder[name]) }

    func text(_ name: String) throws -> String { try String(contentsOf: folder[name], encoding: .utf8) }

    /// Complete lines of a file; none where it is not there.
    func lines(_ name: String) -> [Substring] { ((try? text(name)) ?? "").split(separator: "\n") }

    /// Evaluates the answers to MMHal-Bench.
    ///
    /// - Parameter judge: keys of the section besides url and model
    func evaluate(
        _ url: String, _ judge: String = "", ranks: Int? = nil, environment: [String: String] = [:],
        meanwhile: (Int32) -> Void = { _ in }
    ) throws -> RankRun {
        try run(
            """
            output: out
            resamples: 20
            judge: {url: '\(url)', model: a-judge\(judge.isEmpty ? "" : ", \(judge)")}
            benchmarks: [{kind: mmhal, questions: mmhal.jsonl, answers: answers.jsonl}]
            """, ranks: ranks, environment: environment, meanwhile: meanwhile)
    }

    func run(
        _ configuration: String, ranks: Int? = nil, environment: [String: String] = [:],
        meanwhile: (Int32) -> Void = { _ in }
    ) throws -> RankRun {
        try write(configuration + "\n", to: "eval.yaml")
        return try runRanks(
            ranks, "misp-worker", ["evaluate", "--config", folder["eval.yaml"].path],
            environment: ["NO_PROXY": "*", "no_proxy": "*"].merging(environment) { $1 }, meanwhile: meanwhile)
    }

    /// Values of results.json by benchmark and measure.
    func results() throws -> [String: Double] {
        var values: [String: Double] = [:]
        for benchmark in try JSONField(contentsOf: folder["out/results.json"])["benchmarks"].array() {
            for measure in try benchmark["measures"].array() {
                let name = "\(try benchmark["name"].string()) \(try measure["name"].string())"
                values[name] = measure["value"].value?.double ?? .nan
            }
        }
        return values
    }

    /// What a rating of every answer by its number modulo 7 comes to.
    func expectRatings(by rating: (Int) -> Int = { $0 % 7 }) throws {
        let ratings = (1...questions).map { Double(rating($0)) }
        let values = try results()
        let mean = ratings.reduce(0, +) / Double(questions)
        #expect(abs((values["mmhal score"] ?? .nan) - mean) < 1e-12)
        let low = Double(ratings.count { $0 < 3 }) / Double(questions)
        #expect(abs((values["mmhal hallucination rate"] ?? .nan) - low) < 1e-12)
    }

    /// Files that hold a text, and what the program said, if it does.
    func places(of text: String, _ run: RankRun) throws -> [String] {
        var found = [run.output, run.errors].filter { $0.contains(text) }
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.url.path) {
            let bytes = (try? Data(contentsOf: folder[name])) ?? Data()
            if bytes.range(of: Data(text.utf8)) != nil { found.append(name) }
        }
        return found
    }
}

extension HTTPServer {
    /// Rates answers by their numbers modulo 7.
    ///
    /// - Parameter before: gives a reply in place of that
    static func rating(
        before: @escaping @Sendable (HTTPServer, Request) -> Reply? = { _, _ in nil }
    ) throws -> HTTPServer {
        try HTTPServer { server, request in
            guard let answer = request.answerNumber else { return .reply(400, "no answer") }
            return before(server, request) ?? .says("It is so. Rating: \(answer % 7)")
        }
    }

    /// How often each answer was asked for, by its number.
    var asked: [Int: Int] { requests.compactMap(\.answerNumber).reduce(into: [:]) { $0[$1, default: 0] += 1 } }
}

extension HTTPServer.Reply {
    /// As a server of OpenAI's interface replies.
    static func says(_ text: String) -> HTTPServer.Reply {
        let message: JSON = ["role": "assistant", "content": .string(text)]
        let body: JSON = ["choices": [["index": 0, "message": message, "finish_reason": "stop"]]]
        return .reply(200, body.description)
    }
}

extension HTTPServer.Request {
    var json: JSON { (try? JSON(parsing: body)) ?? .null }

    /// Texts of the messages, one after the other.
    var text: String {
        (json["messages"]?.array ?? []).map { message in
            message["content"]?.string
                ?? (message["content"]?.array ?? []).compactMap { $0["text"]?.string }.joined()
        }.joined(separator: "\n")
    }

    var answerNumber: Int? { text.firstMatch(of: /Answer number (\d+)/).flatMap { Int($0.1) } }
}
