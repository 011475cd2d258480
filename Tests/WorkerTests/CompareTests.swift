import Core
import Foundation
import TestSupport
import Testing
import Worker

/// What the benchmarks' truth says of answers and their words, and `evaluate --compare` of several evaluations.
@Suite(.serialized) struct CompareTests {
    /// Runs `evaluate` on answers from elsewhere, into the folder `output`.
    private func evaluate(
        _ folder: TemporaryFolder, _ output: String, _ benchmarks: [(entry: String, answers: [(String, String)])]
    ) throws {
        var entries: [String] = []
        for (index, benchmark) in benchmarks.enumerated() {
            let lines = benchmark.answers.map { id, answer -> String in
                let line: JSON = ["id": .string(id), "answer": .string(answer)]
                return line.description
            }
            try write(lines.joined(separator: "\n"), to: "\(output)-\(index).jsonl", folder)
            entries.append("  - {\(benchmark.entry), answers: \(output)-\(index).jsonl}")
        }
        try write(
            "output: \(output)\nresamples: 0\nbenchmarks:\n\(entries.joined(separator: "\n"))\n", to: "eval.yaml",
            folder)
        let run = try runRanks(nil, "misp-worker", ["evaluate", "--config", folder["eval.yaml"].path])
        try #require(run.status == 0, "\(run.errors)")
    }

    private func write(_ text: String, to name: String, _ folder: TemporaryFolder) throws {
        try Data(text.utf8).write(to: folder[name])
    }

    /// `[word]` for what is right and `{word}` for what is wrong, behind the verdict.
    private func marked(_ folder: TemporaryFolder, _ file: String) throws -> [String] {
        try JSON.lines(contentsOf: folder["\(file)/marked.jsonl"]).map { line in
            let field = JSONField(line.value, file: file)
            let text = try field["answer"].array().map { piece in
                let text = try piece["text"].string()
                guard piece["mark"].isPresent else { return text }
                return try piece["mark"].string() == "right" ? "[\(text)]" : "{\(text)}"
            }
            let verdict = field["verdict"].isPresent ? try field["verdict"].string() : "-"
            return "\(verdict) \(text.joined())"
        }
    }

    private func pope(_ labels: [String]) -> String {
        labels.enumerated().map {
            #"{"question_id": \#($0), "image": "\#($0).png", "text": "Is there a <dog> & \#($0)?", "label": "\#($1)"}"#
        }.joined(separator: "\n")
    }

    @Test func yesAndNoAndOptions() throws {
        let folder = try TemporaryFolder()
        try write(pope(["yes", "no", "no", "yes", "yes"]), to: "pope.jsonl", folder)
        try write(
            """
            Index,Question,Options,Correct Answer
            1,Open?,(a) Wide open (b) Shut,(a)
            2,Open?,(a) Wide open (b) Shut,(b)
            3,Open?,(a) Wide open (b) Shut,(b)
            4,Open?,(a) Wide open (b) Shut,(a)

            """, to: "mmvp.csv", folder)
        try write(
            (1...3).map { #"{"id": \#($0), "image": "a.jpg", "query": "?"}"# }.joined(separator: "\n"), to: "amber",
            folder)
        try write(
            "[" + (1...3).map { #"{"id": \#($0), "type": "relation", "truth": "no"}"# }.joined(separator: ",") + "]",
            to: "truths", folder)
        try write(#"[["Is it red?", "Yes", 3], ["What is it?", "circle", 3], ["Is it?", "no", 4]]"#, to: "vqa", folder)
        func numbered(_ answers: [String], from first: Int) -> [(String, String)] {
            answers.enumerated().map { ("\($0 + first)", $1) }
        }
        try evaluate(
            folder, "out",
            [
                (
                    "kind: pope, questions: pope.jsonl",
                    numbered(
                        ["Yes, it is. No doubt.", "No, there is not. No.", "Maybe.", "no dog", "A dog, yes"], from: 0)
                ),
                (
                    "kind: mmvp, questions: mmvp.csv",
                    numbered(["It is (A).", "a) I think", "It is shut, so (shut)", "Perhaps"], from: 1)
                ),
                ("kind: amber, questions: amber, annotations: truths", numbered(["No.", "Yes, no", "Well"], from: 1)),
                (
                    "kind: easy-vqa, questions: vqa",
                    numbered(["yes, a circle", "A circle; a Circle!", "who knows"], from: 0)
                ),
            ])
        // POPE: a first sentence without a no is a yes, and later sentences do not count.
        #expect(
            try marked(folder, "out/pope") == [
                "right [Yes], it is. No doubt.", "right [No], there is [not]. No.", "wrong Maybe.", "wrong {no} dog",
                "right A dog, [yes]",
            ])
        #expect(
            try marked(folder, "out/mmvp") == [
                "right It is [(A)].", "wrong {a}) I think", "right It is [shut], so (shut)", "unclear Perhaps",
            ])
        #expect(try marked(folder, "out/amber") == ["right [No].", "wrong {Yes}, no", "unclear Well"])
        #expect(
            try marked(folder, "out/easy-vqa") == [
                "wrong [yes], a {circle}", "right A [circle]; a [Circle]!", "unclear who knows",
            ])
        // Verdicts are what the measures count.
        for (name, measure) in [
            ("pope", "accuracy"), ("mmvp", "accuracy"), ("amber", "accuracy"), ("easy-vqa", "accuracy"),
        ] {
            let verdicts = try marked(folder, "out/\(name)").map { $0.prefix { $0 != " " } }
            let results = try JSONField(contentsOf: folder["out/results.json"])["benchmarks"].array()
            let found = try results.first { try $0["name"].string() == name }?["measures"].array()
                .first { try $0["name"].string() == measure }?["value"].double()
            #expect(found == Double(verdicts.count { $0 == "right" }) / Double(verdicts.count), "\(name)")
        }
    }

    private static let synonyms = "person, man\ndog, puppy\nhot dog\nbicycle, bike\ntoilet\nchair, seat"

    @Test func objectsOfACaption() throws {
        let words = CaptionWords(synonyms: Self.synonyms)
        for caption in [
            "A man's dogs, a hot dog and a Puppy.", "Toilet seat; two bikes!", "", "ÀÉ İstanbul dog",
            "(dog) \"dog\" dog…",
            "A MAN on a BIKE eats hot  dogs", "dogma man",
        ] {
            let mentions = words.mentions(in: caption)
            #expect(mentions.map(\.object) == words.objects(in: caption), "\(caption)")
            for mention in mentions {
                guard let range = mention.range else { continue }
                // What stands there alone is the object.
                #expect(words.objects(in: String(caption[range])) == [mention.object], "\(caption)")
            }
            let places = mentions.compactMap(\.range)
            #expect(zip(places, places.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }, "\(caption)")
        }
        let caption = "A man's dogs, a hot dog and a Puppy."
        let found = words.mentions(in: caption).compactMap { $0.range.map { String(caption[$0]) } }
        #expect(found == ["man", "dogs", "hot dog", "Puppy"])

        let folder = try TemporaryFolder()
        try write(Self.synonyms, to: "s.txt", folder)
        try write(#"{"image_id": 7, "image": "a.jpg"}"#, to: "chair", folder)
        try write(
            #"""
            {"images": [{"id": 7}], "categories": [{"id": 1, "name": "dog"}], \#
            "annotations": [{"image_id": 7, "category_id": 1}]}
            """#,
            to: "instances", folder)
        try evaluate(
            folder, "out",
            [
                (
                    "kind: chair, questions: chair, annotations: [instances, s.txt]",
                    [("7", "Two puppies? Dogs on a bike.")]
                )
            ])
        #expect(try marked(folder, "out/chair") == ["wrong Two [puppies]? [Dogs] on a {bike}."])
        let line = try #require(try JSON.lines(contentsOf: folder["out/chair/marked.jsonl"]).first)
        #expect(
            line.value["truth"]?.string == "dog" && line.value["question"]?.string?.hasPrefix("Please describe") == true
        )
    }

    private func compare(_ folder: TemporaryFolder, _ names: [String], _ more: [String] = [], ranks: Int? = nil) throws
        -> RankRun
    {
        try runRanks(
            ranks, "misp-worker",
            ["evaluate", "--compare"] + names.map { folder[$0].path } + ["--resamples", "50"] + more)
    }

    /// Six questions, three runs: 0 all right, 1 one right, 2 all wrong by other words, 3 two right, 4 all wrong alike,
    /// 5 all right by other words.
    @Test func runsSideBySide() throws {
        let folder = try TemporaryFolder()
        try write(pope(["yes", "yes", "no", "no", "no", "no"]), to: "pope.jsonl", folder)
        for place in 0..<5 {
            try RGBImage(width: 40, height: 30, pixels: Array(repeating: UInt8(40 * place), count: 3_600)).pngData()
                .write(to: folder["\(place).png"])
        }
        let said = [
            "first": ["Yes", "Yes", "Yes", "No", "Yes", "No"], "second": ["Yes", "No", "Sure", "Yes", "Yes", "no"],
            "third/x": ["Yes", "No", "<b>", "not", "Yes", "not"],
        ]
        for (name, answers) in said.sorted(by: { $0.key < $1.key }) {
            try evaluate(
                folder, name.replacing("/x", with: ""),
                [("kind: pope, questions: pope.jsonl", answers.enumerated().map { ("\($0)", $1) })])
        }
        let names = ["first", "second", "third"]
        let run = try compare(folder, names, ["--out", folder["c.json"].path], ranks: 2)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("C − A") && run.output.contains("B − A"))
        #expect(
            run.output.contains("pope: 2 of 6 questions are answered right by some and not by others; 2 more otherwise")
        )
        #expect(
            run.errors.contains("wrote") && run.errors.contains("third/compare.html; 1 of its pictures cannot be read"))
        let page = try String(contentsOf: folder["third/compare.html"], encoding: .utf8)
        let shown = page.components(separatedBy: "<article").dropFirst().map { article in
            article.components(separatedBy: "<code>")[1].prefix { $0 != "<" }
        }
        #expect(shown == ["1", "3", "2", "5", "0", "4"])
        func count(_ part: String) -> Int { page.components(separatedBy: part).count - 1 }
        #expect(count("<article class=\"differs\">") == 4 && count("<img ") == 5)
        #expect(page.contains("5.png<br>cannot be read") && page.contains("Is there a &lt;dog&gt; &amp; 0?"))
        #expect(page.contains("&lt;b&gt;") && !page.contains("<b>Sure"))
        for outside in ["http:", "https:", "<script", "url(", "@import"] { #expect(!page.contains(outside)) }
        for tag in ["article", "div", "ul", "li", "section", "mark", "table", "span", "p"] {
            #expect(count("<\(tag)>") + count("<\(tag) ") == count("</\(tag)>"), "\(tag)")
        }
        // right 4, 2, 3; alone: question 1; alone not: the second at question 3.
        let rows = page.components(separatedBy: "<tbody>").last?.components(separatedBy: "<tr>").dropFirst().map {
            row in
            row.components(separatedBy: "<td>").dropFirst().map { $0.prefix { $0 != "<" } }.joined(separator: " ")
        }
        // right, wrong, right alone, alone not right, right words, wrong words
        #expect(rows == ["4 2 1 0 4 2", "2 4 0 1 2 3", "3 3 0 0 3 2"])
        let json = try JSONField(contentsOf: folder["c.json"]).array()
        #expect(json.count == 2)
        #expect(try json[1]["second"].string().hasSuffix("third"))
        // A file of one's own, and only the first question.
        let one = try compare(folder, ["first", "second"], ["--page", folder["p.html"].path, "--shown", "1"])
        #expect(one.status == 0, "\(one.errors)")
        let short = try String(contentsOf: folder["p.html"], encoding: .utf8)
        #expect(short.components(separatedBy: "<article").count == 2 && short.contains("Here are the first 1."))
        #expect(!short.contains("alone not right"))
    }

    @Test func whatCannotBeCompared() throws {
        let folder = try TemporaryFolder()
        try write(pope(["yes", "no"]), to: "pope.jsonl", folder)
        let answers = [("0", "Yes"), ("1", "No")]
        for name in ["a", "b", "c"] { try evaluate(folder, name, [("kind: pope, questions: pope.jsonl", answers)]) }
        try evaluate(folder, "other", [("kind: pope, questions: pope.jsonl, name: other", answers)])
        let disjoint = try compare(folder, ["a", "b", "other"])
        #expect(disjoint.status == 2 && disjoint.errors.contains("have no benchmark in common"), "\(disjoint.errors)")
        let few = try compare(folder, ["a"])
        #expect(few.status == 64 || few.status == 2)
        #expect(few.errors.contains("--compare takes 2 folders or more, not 1"), "\(few.errors)")
        // The same pictures and labels, another question.
        let marked = try String(contentsOf: folder["b/pope/marked.jsonl"], encoding: .utf8)
        try write(marked.replacing("& 1?", with: "& 2?"), to: "b/pope/marked.jsonl", folder)
        let asked = try compare(folder, ["a", "b"])
        #expect(asked.status == 2 && asked.errors.contains("b/pope/marked.jsonl: was asked other questions than"))
        // What an earlier version has left.
        try FileManager.default.removeItem(at: folder["b/pope/marked.jsonl"])
        let old = try compare(folder, ["a", "b"])
        #expect(old.status == 0 && old.output.contains("accuracy") && old.errors.contains("the page leaves out pope"))
        #expect(!FileManager.default.fileExists(atPath: folder["b/compare.html"].path))
        // And evaluating again mends it.
        try evaluate(folder, "b", [("kind: pope, questions: pope.jsonl", answers)])
        #expect(try compare(folder, ["a", "b"]).status == 0)
        #expect(FileManager.default.fileExists(atPath: folder["b/compare.html"].path))
        try write(marked.replacing(#""right""#, with: #""fine""#), to: "c/pope/marked.jsonl", folder)
        let bad = try compare(folder, ["a", "c"])
        #expect(bad.status == 2 && bad.errors.contains("c/pope/marked.jsonl:1: verdict"), "\(bad.errors)")
    }
}
