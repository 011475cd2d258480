import Core
import Foundation
import TestSupport
import Testing

/// A judge that rates answers, over HTTP.
@Suite(.serialized) struct JudgeTests {
    /// MMHal-Bench's 96 answers: killed when 40 are rated and 4 on their way, and resumed.
    @Test func aKilledEvaluationAsksEachItemOnce() throws {
        let fixture = try JudgeFixture(questions: 96)
        let server = try HTTPServer.rating { server, request in
            // The first run gets no more than 40 replies.
            guard 41...44 ~= request.number else { return nil }
            _ = server.wait { $0.requests.count > 44 }
            return .hangUp
        }
        defer { server.stop() }
        let killed = try fixture.evaluate(server.url, "parallel: 4") { process in
            let isThere = server.wait { $0.underWay == 4 && fixture.lines(JudgeFixture.judgements).count == 41 }
            #expect(isThere)
            kill(process, SIGKILL)
        }
        #expect(killed.status == SIGKILL)
        let unanswered = Set(server.requests.suffix(4).compactMap(\.answerNumber))
        #expect(server.requests.count == 44 && unanswered.count == 4)
        // As if the kill had torn a line.
        let torn = try fixture.text(JudgeFixture.judgements) + #"{"id":"question 96","verdict":"5","rep"#
        try fixture.write(torn, to: JudgeFixture.judgements)

        let resumed = try fixture.evaluate(server.url, "parallel: 4")
        #expect(resumed.status == 0 && resumed.errors.contains("40 verdicts are there already"), "\(resumed.errors)")
        for number in 1...96 {
            #expect(server.asked[number] == (unanswered.contains(number) ? 2 : 1), "answer \(number)")
        }
        try fixture.expectRatings()
        #expect(fixture.lines(JudgeFixture.judgements).count == 97)

        // What the judge said is a file of ratings like any other.
        let again = try fixture.run(
            """
            output: again
            benchmarks:
              - {kind: mmhal, questions: mmhal.jsonl, answers: answers.jsonl, ratings: out/mmhal/mmhal_ratings.json}
            """)
        #expect(again.status == 0, "\(again.errors)")
        #expect(try fixture.text("again/mmhal/counts.json") == fixture.text("out/mmhal/counts.json"))
        #expect(try fixture.evaluate(server.url).status == 0 && server.requests.count == 100)
    }

    @Test func asManyAreAskedAtOnceAsParallelSays() throws {
        let fixture = try JudgeFixture(questions: 9)
        let server = try HTTPServer.rating { server, _ in
            server.wait { $0.most == 3 } ? nil : .reply(400, "there are no three at once")
        }
        defer { server.stop() }
        let run = try fixture.evaluate(server.url, "parallel: 3")
        #expect(run.status == 0, "\(run.errors)")
        #expect(server.most == 3)
    }

    /// What a request holds, and that all ranks end together.
    @Test func whatIsSent() throws {
        let fixture = try JudgeFixture(questions: 3)
        let server = try HTTPServer.rating()
        defer { server.stop() }
        let run = try fixture.evaluate(
            server.url + "/", "key_env: JUDGE_KEY, parallel: 1", ranks: 2, environment: ["JUDGE_KEY": JudgeFixture.key])
        #expect(run.status == 0 && server.requests.count == 3, "\(run.errors)")
        let request = try #require(server.requests.first)
        #expect(request.path == "/v1/chat/completions")
        #expect(request.headers["authorization"] == "Bearer \(JudgeFixture.key)")
        #expect(request.headers["content-type"] == "application/json")
        #expect(request.json["model"]?.string == "a-judge" && request.json["temperature"]?.double == 0)
        for part in ["Tree, Dog", "Question 1?", "A dog.", "Answer number 1."] {
            #expect(request.text.contains(part), "\(part)")
        }
        #expect(try fixture.places(of: JudgeFixture.key, run) == [])
        let judge = try JSONField(contentsOf: fixture.folder["out/results.json"])["benchmarks"].array()[0]["judge"]
        #expect(try judge["prompt"].string() == "misp's own" && judge["model"].string() == "a-judge")

        let without = try fixture.evaluate(server.url, "temperature: none", environment: [:])
        #expect(without.status == 2 && without.errors.contains("another judge (temperature changed)"))
        try FileManager.default.removeItem(at: fixture.folder["out"])
        #expect(try fixture.evaluate(server.url, "temperature: none").status == 0)
        let last = try #require(server.requests.last)
        #expect(last.headers["authorization"] == nil && last.json["temperature"] == nil)
    }

    /// The environment's proxies are used, and a key that can be read on its way is told of.
    @Test func proxiesAreUsed() throws {
        let fixture = try JudgeFixture(questions: 1)
        let server = try HTTPServer.rating()
        defer { server.stop() }
        let run = try fixture.evaluate(
            "http://judge.example/v1", "key_env: JUDGE_KEY",
            environment: [
                "JUDGE_KEY": JudgeFixture.key, "http_proxy": "http://127.0.0.1:\(server.port)", "NO_PROXY": "",
                "no_proxy": "",
            ])
        #expect(run.status == 0 && run.errors.contains("is sent unencrypted"), "\(run.errors)")
        #expect(server.requests.first?.path == "http://judge.example/v1/chat/completions")
        let local = try JudgeFixture(questions: 1).evaluate(
            server.url, "key_env: JUDGE_KEY", environment: ["JUDGE_KEY": JudgeFixture.key])
        #expect(local.status == 0 && !local.errors.contains("unencrypted"), "\(local.errors)")
    }

    /// Each question is two games: the baseline's answer is A in the first and B in the second.
    @Test func wildVisionIsTwoGames() throws {
        let fixture = try JudgeFixture(questions: 1)
        let images = golden("checkpoints/llama-clip-spm/images")
        let files = ["x": "rgb.png", "y": "grey.jpg"]
        try fixture.write(
            ["x", "y"].map {
                [
                    "question_id": .string($0), "instruction": .string("Describe \($0)"),
                    "image": .string(files[$0] ?? ""),
                ]
            }, to: "wild.jsonl")
        try fixture.write(
            ["x", "y"].map { ["question_id": .string($0), "output": .string("MODEL \($0)")] }, to: "model.jsonl")
        try fixture.write(
            ["y", "z", "x"].map { ["question_id": .string($0), "output": .string("BASE \($0)")] }, to: "base.jsonl")
        // x: the model is a little better, then far better; y: both are as good, then the model is worse.
        let server = try HTTPServer { _, request in
            let names = request.text.matches(of: /(BASE|MODEL) [xy]/).map { String($0.0) }
            switch names {
            case ["BASE x", "MODEL x"]: return .says("B it is. [[B>A]]")
            case ["MODEL x", "BASE x"]: return .says("[[A>>B]] and again [[A>>B]]")
            case ["BASE y", "MODEL y"]: return .says("[[A=B]]")
            case ["MODEL y", "BASE y"]: return .says("[[B>A]]")
            default: return .reply(400, "unexpected: \(names)")
            }
        }
        defer { server.stop() }
        func configuration(_ judge: String, _ more: String) -> String {
            """
            output: out
            resamples: 20
            \(judge)
            benchmarks:
              - {kind: wildvision, questions: wild.jsonl, images: '\(images.path)', answers: model.jsonl\(more)}
            """
        }
        let judge = "judge: {url: '\(server.url)', model: a-judge}"
        let run = try fixture.run(configuration(judge, ", baseline: base.jsonl, suffix: ' Be brief.'"))
        #expect(run.status == 0, "\(run.errors)")
        #expect(server.requests.count == 4 && !server.requests.contains { $0.text.contains("Be brief") })
        for request in server.requests {
            let content = request.json["messages"]?[0]?["content"]
            let address = content?[1]?["image_url"]?["url"]?.string ?? ""
            let isX = request.text.contains("BASE x")
            let bytes = try Data(contentsOf: images.appending(path: isX ? "rgb.png" : "grey.jpg"))
            #expect(address == "data:image/\(isX ? "png" : "jpeg");base64,\(bytes.base64EncodedString())")
        }
        let values = try fixture.results()
        #expect(values["wildvision win rate"] == 0.5 && values["wildvision reward"] == (150 - 50) / 2)
        #expect(values["wildvision much better"] == 0.25 && values["wildvision tie"] == 0.25)

        let line = try JSON.lines(contentsOf: fixture.folder["out/wildvision/wildvision_judgements.jsonl"])[0].value
        #expect(line["question_id"]?.string == "x" && line["judge"]?.string == "a-judge")
        #expect(line["games"]?[0] == ["judgement": "B it is. [[B>A]]", "score": "B>A"])
        let counts = try fixture.text("out/wildvision/counts.json")
        try FileManager.default.moveItem(at: fixture.folder["out"], to: fixture.folder["first"])
        let ratings = ", ratings: first/wildvision/wildvision_judgements.jsonl"
        // Ratings are there: the judge is not asked.
        #expect(try fixture.run(configuration(judge, ratings)).status == 0 && server.requests.count == 4)
        #expect(try fixture.text("out/wildvision/counts.json") == counts)
        let refused = try fixture.run(configuration(judge, ""))
        #expect(refused.status == 2 && refused.errors.contains("baseline: is missing"), "\(refused.errors)")
    }

    /// Another answer is asked for anew; another judge's replies are refused; and so is their comparison.
    @Test func ratingsOfOtherAnswersAreNotUsed() throws {
        let fixture = try JudgeFixture(questions: 5)
        let server = try HTTPServer.rating()
        defer { server.stop() }
        #expect(try fixture.evaluate(server.url).status == 0)
        try fixture.answer(other: 4)
        #expect(try fixture.evaluate(server.url).status == 0)
        #expect(server.asked == [1: 1, 2: 1, 3: 1, 4: 2, 5: 1])
        try fixture.write("Be strict.\n---\n{question} {standard_answer} {answer} {image_content}", to: "prompt.txt")
        let other = try fixture.evaluate(server.url, "prompt: {mmhal: prompt.txt}")
        #expect(other.status == 2 && other.errors.contains("prompt_sha256 changed"), "\(other.errors)")
        #expect(server.requests.count == 6)

        try FileManager.default.moveItem(at: fixture.folder["out"], to: fixture.folder["first"])
        #expect(try fixture.evaluate(server.url, "prompt: {mmhal: prompt.txt}").status == 0)
        let messages = try #require(server.requests.last?.json["messages"]?.array)
        #expect(messages.count == 2 && messages[0]["content"]?.string == "Be strict.")
        #expect(messages[1]["content"]?.string?.hasSuffix("? A dog. Answer number 5. Tree, Dog") == true)
        let compared = try runRanks(
            nil, "misp-worker",
            ["evaluate", "--compare", fixture.folder["first"].path, fixture.folder["out"].path])
        #expect(compared.status == 2 && compared.errors.contains("was judged otherwise than"), "\(compared.errors)")
    }

    /// SIGTERM keeps what came.
    @Test func aSignalKeepsWhatCame() throws {
        let fixture = try JudgeFixture(questions: 8)
        let server = try HTTPServer.rating { server, request in
            guard 6...7 ~= request.number else { return nil }
            _ = server.wait { $0.requests.count > 7 }
            return .hangUp
        }
        defer { server.stop() }
        let stopped = try fixture.evaluate(server.url, "parallel: 2") { process in
            let isThere = server.wait { $0.underWay == 2 && fixture.lines(JudgeFixture.judgements).count == 6 }
            #expect(isThere)
            kill(process, SIGTERM)
        }
        #expect(stopped.status == 3 && stopped.errors.contains("the 5 verdicts so far are kept"), "\(stopped.errors)")
        #expect(try fixture.evaluate(server.url).status == 0 && server.requests.count == 10)
        try fixture.expectRatings()
    }
}
