import Core
import Foundation
import TestSupport
import Testing

/// Labels, answers and ratings of benchmarks: read whatever their case and the space around them, refused otherwise.
@Suite struct BenchmarkInputTests {
    private static let pope = ##"{"question_id": 1, "image": "a.jpg", "text": "?", "label": "%"}"##
    private static let hallusion = ##"""
        {"category": "VD", "subcategory": "map", "set_id": "0", "figure_id": "1", "question_id": "0", \##
        "visual_input": "1", "question": "?", "gt_answer": "1"}
        """##
    private static let mmvp =
        "Index,Question,Options,Correct Answer\n1,Open?,(a) Yes (b) No,(a)\n2,Open?,(a) Yes (b) No,(b)\n"
    private static let amber =
        ##"[{"id": 1, "image": "a.jpg", "query": "?"}, {"id": 2, "image": "a.jpg", "query": "Describe."}]"##
    private static let amberTruth =
        ##"[{"id": 1, "type": "discriminative-relation", "truth": "yes"}, {"id": 2, "type": "generative"}]"##
    private static let mmhal = ##"[{"question_type": "other", "image_src": "a.jpg", "question": "?"}]"##
    private static let arena = ##"{"question_id": "x", "instruction": "?", "image": "a.jpg"}"##
    private static let games = ##"{"question_id": "x", "games": [{"score": "A>B"}, {"score": "B>>A"}]}"##
    private static let shapes = ##"[["Is it red?", "Yes", 3], ["What is it?", "circle ", 3]]"##
    private static let chair = ##"{"image_id": 7, "image": "a.jpg"}"##
    private static let instances = ##"""
        {"images": [{"id": 7}], "categories": [{"id": 1, "name": "dog"}], \##
        "annotations": [{"image_id": 7, "category_id": 1}]}
        """##

    /// The benchmark's run on files by name; answers are to the ids given.
    private func evaluate(_ kind: String, _ files: [String: String], answers: [String], more: String = "") throws
        -> RankRun
    {
        let folder = try TemporaryFolder()
        for (name, text) in files { try Data((text + "\n").utf8).write(to: folder[name]) }
        let lines = answers.map { JSON.object(.init([("id", .string($0)), ("answer", "Yes")])).description }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: folder["answers.jsonl"])
        let entry = "{kind: \(kind), questions: q, answers: answers.jsonl\(more)}"
        try Data("output: out\nresamples: 0\nbenchmarks: [\(entry)]\n".utf8).write(to: folder["eval.yaml"])
        return try runRanks(nil, "misp-worker", ["evaluate", "--config", folder["eval.yaml"].path])
    }

    @Test(arguments: ["yes", "Yes", " NO ", "no\\n", "YES"]) func labelsOfAnyCase(label: String) throws {
        let run = try evaluate("pope", ["q": Self.pope.replacing("%", with: label)], answers: ["1"])
        let isYes = label.lowercased().contains("yes")
        #expect(run.status == 0, "\(run.errors)")
        let accuracy = run.output.split(separator: "\n").first { $0.contains("accuracy") }
        #expect(accuracy?.contains(isYes ? "1.0" : "0.0") == true, "\(run.output)")
    }

    @Test func everyBenchmarkReadsItsOwnSpelling() throws {
        let annotated = ", annotations: [a]"
        for (kind, files, answers, more) in [
            ("hallusionbench", ["q": Self.hallusion.replacing("\"1\"}", with: "1}")], ["VD/map/0/1/0"], ""),
            ("mmvp", ["q": Self.mmvp.replacing("(a)\n", with: " A \n")], ["1", "2"], ""),
            ("amber", ["q": Self.amber, "a": Self.amberTruth.replacing("yes", with: " Yes")], ["1", "2"], annotated),
            ("mmhal", ["q": Self.mmhal, "r": #"["Rating:4"]"#], ["1"], ", ratings: r"),
            ("wildvision", ["q": Self.arena, "r": Self.games.replacing("A>B", with: " a>b")], ["x"], ", ratings: r"),
            ("easy-vqa", ["q": Self.shapes], ["0", "1"], ""),
            (
                "chair", ["q": Self.chair, "a": Self.instances, "s.txt": "dog, puppy"], ["7"],
                ", annotations: [a, s.txt]"
            ),
        ] {
            let run = try evaluate(kind, files, answers: answers, more: more)
            #expect(run.status == 0, "\(kind): \(run.errors)")
        }
    }

    /// Kind, files, ids of the answers, further keys, and what the message names.
    @Test(arguments: [
        ("pope", ["q": pope.replacing("%", with: "maybe")], ["1"], "", "q:1: label"),
        ("pope", ["q": pope.replacing("%", with: "")], ["1"], "", "q:1: label"),
        ("pope", ["q": pope.replacing("\"%\"", with: "true")], ["1"], "", "q:1: label"),
        (
            "pope", ["q": pope.replacing("%", with: "no") + "\n" + pope.replacing("%", with: "no")], ["1"], "",
            "q:2: the question 1 occurs twice"
        ),
        ("pope", ["q": pope.replacing("%", with: "no")], ["1", "2"], "", "answers.jsonl:2: answers question 2"),
        (
            "hallusionbench", ["q": hallusion.replacing("\"gt_answer\": \"1\"", with: "\"gt_answer\": \"yes\"")], [],
            "", "q:1: gt_answer"
        ),
        (
            "hallusionbench", ["q": hallusion.replacing("\"visual_input\": \"1\"", with: "\"visual_input\": 3")], [],
            "", "q:1: visual_input"
        ),
        ("hallusionbench", ["q": hallusion.replacing("\"VD\"", with: "\"XD\"")], [], "", "q:1: category"),
        ("mmvp", ["q": mmvp.replacing(",(b)\n", with: ",(c)\n")], [], "", "row 2: Correct Answer"),
        ("mmvp", ["q": mmvp.replacing("(a) Yes (b) No,(a)", with: "Yes or no,(a)")], [], "", "row 1: Options"),
        ("mmvp", ["q": mmvp.replacing("\n2,", with: "\n3,")], [], "", "row 2: Index is 3"),
        (
            "amber", ["q": amber, "a": amberTruth.replacing("\"yes\"", with: "\"true\"")], [], ", annotations: [a]",
            "a: [0].truth"
        ),
        (
            "amber", ["q": amber, "a": amberTruth.replacing("relation", with: "relations")], [], ", annotations: [a]",
            "a: [0].type"
        ),
        (
            "amber", ["q": amber, "a": amberTruth.replacing("\"id\": 1", with: "\"id\": 5")], [], ", annotations: [a]",
            "q: [0].id"
        ),
        (
            "amber", ["q": amber, "a": amberTruth.replacing("\"id\": 2", with: "\"id\": 1")], [], ", annotations: [a]",
            "a: [1].id"
        ),
        ("mmhal", ["q": mmhal, "r": "[NaN]"], ["1"], ", ratings: r", "r: [0]"),
        ("mmhal", ["q": mmhal, "r": "[7]"], ["1"], ", ratings: r", "r: [0]"),
        ("mmhal", ["q": mmhal, "r": "[3.5]"], ["1"], ", ratings: r", "r: [0]"),
        ("mmhal", ["q": mmhal, "r": #"["A good answer."]"#], ["1"], ", ratings: r", "r: [0]: gives no rating"),
        (
            "mmhal", ["q": mmhal, "r": #"["Rating: 2, or rating: 4"]"#], ["1"], ", ratings: r",
            "r: [0]: gives the ratings 2, 4"
        ),
        ("mmhal", ["q": mmhal, "r": #"["Rating: 10"]"#], ["1"], ", ratings: r", "r: [0]: gives the ratings 10"),
        ("mmhal", ["q": mmhal, "r": "[3, 4]"], ["1"], ", ratings: r", "2 ratings for 1"),
        (
            "wildvision", ["q": arena, "r": games.replacing("A>B", with: "A")], ["x"], ", ratings: r",
            "r:1: games[0].score"
        ),
        (
            "wildvision", ["q": arena, "r": games.replacing("\"A>B\"", with: "null")], ["x"], ", ratings: r",
            "r:1: games[0].score"
        ),
        ("wildvision", ["q": arena, "r": games + "\n" + games], ["x"], ", ratings: r", "r:2: question_id"),
        (
            "wildvision", ["q": arena, "r": games + "\n" + games.replacing("\"x\"", with: "\"y\"")], ["x"],
            ", ratings: r", "r:2: question_id: is y"
        ),
        ("easy-vqa", ["q": shapes.replacing("circle ", with: "")], [], "", "q: [1][1]"),
        ("easy-vqa", ["q": shapes.replacing("circle ", with: "a circle")], [], "", "q: [1][1]"),
        (
            "chair", ["q": chair.replacing("7", with: "8"), "a": instances, "s.txt": "dog"], [],
            ", annotations: [a, s.txt]", "q:1: the image_id 8"
        ),
    ])
    func anythingElseIsRefusedByFileAndField(
        kind: String, files: [String: String], answers: [String], more: String, part: String
    ) throws {
        let run = try evaluate(kind, files, answers: answers, more: more)
        #expect(run.status == 2 && run.errors.contains(part), "\(run.status): \(run.errors)")
    }

    @Test func picturesAreLookedForBeforeTheModelIsAsked() throws {
        let fixture = try TrainingFixture("llama-clip-spm", settings: "seed: 0", adapter: false)
        try fixture.write(Self.pope.replacing("%", with: "no") + "\n", to: "q")
        try fixture.write(
            "model: {path: '\(fixture.checkpoint.path)'}\nbenchmarks: [{kind: pope, questions: q}]\n", to: "eval.yaml")
        let run = try runRanks(nil, "misp-worker", ["evaluate", "--config", fixture.folder["eval.yaml"].path])
        #expect(run.status == 2 && run.errors.contains("q:1: the image"), "\(run.errors)")
        #expect(run.errors.contains("missing in all: 1 of 1"), "\(run.errors)")
    }
}
