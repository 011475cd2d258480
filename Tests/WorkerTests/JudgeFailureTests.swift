import Core
import Foundation
import TestSupport
import Testing

/// A judge that fails, refuses, or says nothing of use.
@Suite(.serialized) struct JudgeFailureTests {
    /// Each answer's first request fails in its own way, and the next is replied to.
    @Test func passingFailuresAreSatOut() throws {
        let fixture = try JudgeFixture(questions: 8)
        let server = try HTTPServer.rating { server, request in
            guard let answer = request.answerNumber, server.asked[answer] == 1 else { return nil }
            switch answer {
            case 1: return .reply(500, #"{"error": {"message": "out of order"}}"#)
            case 2: return .reply(429, "too many", headers: ["Retry-After": "3"])
            case 3: return .hangUp
            case 4: return .reply(200, #"{"choices": [{"mess"#)
            case 5: return .reply(200, #"{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}"#)
            case 6: return .says("I cannot rate this.")
            case 7: return .says("Rating: 2 or rather Rating: 3")
            default:
                // Beyond the time that the client waits; the next request says that it has given up.
                _ = server.wait { $0.asked[8] == 2 }
                return .hangUp
            }
        }
        defer { server.stop() }
        let run = try fixture.evaluate(server.url, "parallel: 8, timeout: 3")
        #expect(run.status == 0, "\(run.errors)")
        for answer in 1...8 { #expect(server.asked[answer] == 2, "answer \(answer)") }
        #expect(run.errors.contains("asking again in 3 s"), "\(run.errors)")
        try fixture.expectRatings()
    }

    @Test(arguments: [
        (400, #"{"error": {"message": "temperature is not supported"}}"#, "temperature is not supported"),
        (400, "", "judge.temperature: none"), (401, #"{"error": {"message": "no such key: %"}}"#, "JUDGE_KEY holds"),
        (403, #"{"detail": "forbidden to %"}"#, "forbidden to …"), (404, #"{"error": "no a-judge"}"#, "no a-judge"),
        (404, "", "ends before /chat/completions"), (307, "", "set judge.url to the address"),
    ])
    func refusalsEndItAtOnce(status: Int, body: String, part: String) throws {
        let fixture = try JudgeFixture(questions: 3)
        let server = try HTTPServer.rating { _, request in
            let said = body.replacing("%", with: JudgeFixture.key)
            return request.number == 1 ? nil : .reply(status, said, headers: ["Location": "http://127.0.0.1:1/"])
        }
        defer { server.stop() }
        let run = try fixture.evaluate(
            server.url, "key_env: JUDGE_KEY, parallel: 1", ranks: status == 401 ? 2 : nil,
            environment: ["JUDGE_KEY": JudgeFixture.key])
        #expect(run.status == 2 && run.errors.contains(part), "\(run.status): \(run.errors)")
        #expect(run.errors.contains("\(server.url)/chat/completions: refuses with status \(status)"), "\(run.errors)")
        #expect(run.errors.count(of: "refuses with status") == 1, "\(run.errors)")
        #expect(server.requests.count == 2)
        #expect(fixture.lines(JudgeFixture.judgements).count == 2)
        #expect(try fixture.places(of: JudgeFixture.key, run) == [])
    }

    /// A reply that repeats the key is kept without it.
    @Test func theKeyIsNotKeptWithReplies() throws {
        let fixture = try JudgeFixture(questions: 1)
        let server = try HTTPServer.rating { _, _ in .says("\(JudgeFixture.key) Rating: 4") }
        defer { server.stop() }
        let run = try fixture.evaluate(
            server.url, "key_env: JUDGE_KEY", environment: ["JUDGE_KEY": JudgeFixture.key])
        #expect(run.status == 0 && server.requests.first?.headers["authorization"]?.contains(JudgeFixture.key) == true)
        #expect(try fixture.places(of: JudgeFixture.key, run) == [])
    }

    /// What never says a rating ends the evaluation, loses nothing, and can be rated by hand.
    @Test func aReplyWithoutRatingIsNamed() throws {
        let fixture = try JudgeFixture(questions: 6)
        let server = try HTTPServer.rating { _, request in
            request.answerNumber == 3 ? .says("I would rather not say.") : nil
        }
        defer { server.stop() }
        let run = try fixture.evaluate(server.url, "parallel: 1, retries: 2")
        #expect(run.status == 2 && server.asked == [1: 1, 2: 1, 3: 3], "\(run.errors)")
        for part in ["question 3 gives no verdict", "'I would rather not say.'", "Rating: n", "ask again"] {
            #expect(run.errors.contains(part), "\(part): \(run.errors)")
        }
        #expect(fixture.lines(JudgeFixture.judgements).count == 4)
        let again = try fixture.evaluate(server.url, "retries: 0")
        #expect(again.status == 2 && server.asked[1] == 1 && server.asked[2] == 1)

        let kept = try fixture.text(JudgeFixture.judgements)
        try fixture.write(kept.replacing(#""verdict":null"#, with: #""verdict":8"#), to: JudgeFixture.judgements)
        let beyond = try fixture.evaluate(server.url)
        #expect(beyond.status == 2 && beyond.errors.contains("the verdict of question 3 is 8"), "\(beyond.errors)")
        try fixture.write(kept.replacing(#""verdict":null"#, with: #""verdict":1"#), to: JudgeFixture.judgements)
        let last = try fixture.evaluate(server.url)
        #expect(last.status == 0 && server.asked[3] == 4, "\(last.errors)")
        try fixture.expectRatings { $0 == 3 ? 1 : $0 % 7 }
    }

    @Test func nobodyThere() throws {
        let fixture = try JudgeFixture(questions: 2)
        let url = "http://127.0.0.1:\(try HTTPServer.deadPort())/v1"
        let run = try fixture.evaluate(url, "retries: 1")
        #expect(run.status == 2 && run.errors.contains("in 2 attempts"), "\(run.errors)")
        #expect(run.errors.contains("\(url)/chat/completions"), "\(run.errors)")
    }

    @Test func aReplyBeyondAllBoundsIsNotRead() throws {
        let fixture = try JudgeFixture(questions: 1)
        let server = try HTTPServer.rating { _, _ in .says("Rating: 3" + String(repeating: " ", count: 5 << 20)) }
        defer { server.stop() }
        let run = try fixture.evaluate(server.url, "retries: 0")
        #expect(run.status == 2 && run.errors.contains("longer than 4 MiB"), "\(run.errors)")
    }

    /// Keys of the section, and what the message names.
    @Test(arguments: [
        ("key: sk-secret-secret", "judge.key: a key does not belong into a file"),
        ("key_env: sk-secret-secret", "judge.key_env: is not the name of a variable"),
        ("key_env: NO_SUCH_JUDGE_KEY", "the environment has no NO_SUCH_JUDGE_KEY"),
        ("paralel: 3", "did you mean parallel?"), ("parallel: 0", "must be 1 or more"),
        ("temperature: cold", "judge.temperature"), ("prompt: prompt.txt", "judge.prompt: is one file"),
        ("prompt: {pope: prompt.txt}", "judge.prompt.pope: unknown key"),
        ("prompt: {mmhal: absent.txt}", "absent.txt: cannot be read"),
        ("prompt: {mmhal: prompt.txt}", "prompt.txt: has no {standard_answer}"),
        ("prompt: {mmhal: other.txt}", "other.txt: {answers} stands for nothing"),
    ])
    func settingsAreChecked(judge: String, part: String) throws {
        let fixture = try JudgeFixture(questions: 1)
        try fixture.write("{question} {answer}", to: "prompt.txt")
        try fixture.write("{question} {answer} {standard_answer} {answers}", to: "other.txt")
        // Before the model is loaded.
        try fixture.write("", to: "b.jpg")
        let run = try fixture.run(
            """
            output: out
            model: {path: '\(golden("checkpoints/llama-clip-spm").path)'}
            judge: {url: 'http://127.0.0.1:1/v1', model: a-judge, \(judge)}
            benchmarks: [{kind: mmhal, questions: mmhal.jsonl, images: .}]
            """)
        #expect(run.status == 2 && run.errors.contains(part), "\(run.status): \(run.errors)")
        #expect(!run.errors.contains("secret-secret") && !run.errors.contains("answers of"), "\(run.errors)")
    }

    @Test(arguments: [
        ("localhost:8000/v1", "no address"), ("http://me:secret-secret@host/v1", "no address"),
        ("http://host/v1?key=secret-secret", "no address"), ("ftp://host/v1", "no address"),
        ("http://host/v1/chat/completions", "leave that out"),
    ])
    func addressesAreChecked(url: String, part: String) throws {
        let run = try JudgeFixture(questions: 1).evaluate(url)
        #expect(run.status == 2 && run.errors.contains(part), "\(run.status): \(run.errors)")
        #expect(!run.errors.contains("secret-secret"), "\(run.errors)")
    }
}

extension String {
    fileprivate func count(of part: String) -> Int { components(separatedBy: part).count - 1 }
}
