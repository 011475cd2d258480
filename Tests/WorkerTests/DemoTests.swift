import Core
import Foundation
import TestSupport
import Testing
import Worker

/// Reads a caption back into the scene that it describes.
private func scene(_ caption: String) -> Scene? {
    var things: [Thing] = []
    for part in caption.components(separatedBy: " and ") {
        let words = part.split(separator: " ").map(String.init)
        guard words.count == 7, words[0] == "a", words[3...4] == ["at", "the"],
            let colour = Colour.allCases.first(where: { "\($0)" == words[1] }),
            let shape = Shape.allCases.first(where: { "\($0)" == words[2] }),
            let cell = (0..<Scene.cells).first(where: { DemoLanguage.place($0) == "\(words[5]) \(words[6])" })
        else { return nil }
        things.append(Thing(look: Look(shape: shape, colour: colour), cell: cell))
    }
    return Scene(things)
}

/// Whether the answer to the prompt is true of the scene; nil for what is not understood.
private func isTrue(_ answer: String, to prompt: String, of seen: Scene) -> Bool? {
    if prompt == DemoLanguage.captionPrompt { return scene(answer).map { $0 == seen } }
    let words = prompt.split(separator: " ").map(String.init)
    func look(_ words: some Collection<String>) -> Look? { Look.all.first { $0.name == words.joined(separator: " ") } }
    func cell(_ words: some Collection<String>) -> Int? {
        (0..<Scene.cells).first { DemoLanguage.place($0) == words.joined(separator: " ") }
    }
    let said = answer.split(separator: " ").map(String.init)
    switch words.first {
    case "what":
        guard let cell = cell(words[4...5]), let look = look(said.dropFirst()), said[0] == "a" else { return nil }
        return seen.things.contains(Thing(look: look, cell: cell))
    case "where":
        guard let look = look(words[3...4]), let cell = cell(said.dropFirst(2)), said[1] == "the" else { return nil }
        return seen.things.contains(Thing(look: look, cell: cell))
    default:
        guard let look = look(words[3...4]), ["yes", "no"].contains(answer) else { return nil }
        return seen.looks.contains(look) == (answer == "yes")
    }
}

extension DemoSize {
    fileprivate static func only(labels: Int = 0, gallery: Int = 0, groups: Int = 0, questions: Int = 0) -> DemoSize {
        var size = DemoSize.short
        (size.labels, size.gallery, size.groups, size.questions) = (labels, gallery, groups, questions)
        return size
    }
}

@Suite struct DemoDataTests {
    private let data = DemoData(seed: 3, size: .only(labels: 400, gallery: 200, groups: 120, questions: 160))

    @Test func isAPureFunctionOfTheSeed() {
        let size = DemoSize.only(labels: 40, gallery: 20, groups: 12, questions: 16)
        let (again, other) = (DemoData(seed: 3, size: size), DemoData(seed: 4, size: size))
        func labels(_ data: DemoData) -> [String] { data.labels.prefix(40).map { "\($0.scene.caption) \($0.strokes)" } }
        func captions(_ data: DemoData) -> [String] { data.gallery.prefix(20).map { "\($0.text) \($0.strokes)" } }
        func questions(_ list: [DemoQuestion]) -> [[String]] { list.prefix(12).map { [$0.prompt] + $0.answers } }
        #expect(labels(again) == labels(data))
        #expect(labels(other) != labels(data))
        #expect(captions(again) == captions(data))
        #expect(captions(other) != captions(data))
        #expect(questions(again.groups) == questions(data.groups))
        #expect(questions(other.groups) != questions(data.groups))
        #expect(questions(other.questions) == questions(data.questions), "held-out questions are every seed's")
    }

    @Test func heldOutScenesAreInNoTrainingPicture() {
        let trained = data.labels.map(\.scene) + data.gallery.map(\.scene) + data.groups.map(\.scene)
        #expect(trained.allSatisfy { !$0.isHeldOut })
        #expect(data.questions.allSatisfy { $0.scene.isHeldOut })
        #expect(Set(trained).isDisjoint(with: data.questions.map(\.scene)))
    }

    @Test func answersAreWhatTheyShouldBe() throws {
        #expect(Set((data.groups + data.questions).map(\.kind)) == Set(DemoQuestion.Kind.allCases))
        for question in data.groups + data.questions {
            #expect(isTrue(question.answers[0], to: question.prompt, of: question.scene) == true, "\(question)")
            #expect(Set(question.answers).count == question.answers.count)
            for answer in question.answers.dropFirst() {
                #expect(isTrue(answer, to: question.prompt, of: question.scene) == false, "\(question)")
            }
        }
    }

    /// What negatives rest on: a description is wrong for most pictures; a "no" is right for most.
    @Test func descriptionsAreWrongElsewhere() {
        for kind in DemoQuestion.Kind.allCases where kind != .present {
            let asked = data.groups.filter { $0.kind == kind }
            let judged = asked.flatMap { question in
                data.gallery.compactMap { isTrue(question.answers[0], to: question.prompt, of: $0.scene) }
            }
            let share = Double(judged.count { $0 }) / Double(judged.count)
            #expect(judged.count == asked.count * data.gallery.count)
            #expect(kind.takesNegatives ? share < 0.1 : share > 0.7, "\(kind): \(share)")
        }
    }

    @Test func captionsAreTrue() {
        for caption in data.gallery {
            let things = scene(caption.text)?.things ?? []
            #expect(!things.isEmpty && Set(things).isSubset(of: caption.scene.things), "\(caption.text)")
        }
        #expect(Set(data.gallery.map { scene($0.text)?.things.count }) == [1, 2])
    }

    @Test func theAnnotatorIsAsCarelessAsStated() {
        let wrong = data.labels.filter { isTrue($0.answer, to: $0.prompt, of: $0.scene) == false }
        #expect(wrong.allSatisfy { isTrue($0.answer, to: $0.prompt, of: $0.scene.remembered) == true })
        // 45 % remember; most captions and some answers are then wrong.
        #expect((60...160).contains(wrong.count), "\(wrong.count)")
    }

    @Test func picturesOfOneSceneDifferInStrokes() throws {
        let picture = data.groups[0].scene.picture(strokes: 1)
        #expect(picture.width == 48 && picture.height == 48)
        #expect(picture == data.groups[0].scene.picture(strokes: 1))
        #expect(picture != data.groups[0].scene.picture(strokes: 2))
    }

    @Test func everyShapeLooksDifferentInEveryCell() {
        let scenes = (0..<Scene.cells).flatMap { cell in Look.all.map { Scene([Thing(look: $0, cell: cell)]) } }
        #expect(Set(scenes.map { $0.picture(strokes: 5).pixels }).count == scenes.count)
    }

    @Test func eachArmDiffersFromTheOneBeforeInOneThing() {
        for (before, arm) in zip(DemoArm.all, DemoArm.all.dropFirst()) {
            let differences = [before.negatives != arm.negatives, before.sampling != arm.sampling]
            // Where there are no negatives before, how they are drawn comes with them.
            #expect(differences.count { $0 } == (before.negatives == nil ? 2 : 1), "\(arm.name)")
        }
    }
}

@Suite struct DemoTableTests {
    private func column(_ name: String, _ questions: [DemoQuestion], wrong: Set<Int>) -> DemoTable.Column {
        let answers = questions.indices.map { wrong.contains($0) ? 1 : 0 }
        return DemoTable.Column(
            name: name, mistakes: DemoMistakes(questions, answers: answers), steps: 3, groupsPerStep: 8, seconds: 1.25)
    }

    private let questions = DemoData(seed: 0, size: .only(questions: 80)).questions

    @Test func countsMistakesByKind() {
        // present, random, present, popular, present, adversarial, caption, caption; again and again.
        let mistakes = column("x", questions, wrong: [0, 1, 9, 3, 6, 7, 15]).mistakes
        #expect(mistakes.missed == (1, 30))
        #expect(mistakes.falseYes == (3, 30))
        #expect(mistakes.count(.random) == (2, 10))
        #expect(mistakes.captions == (3, 20))
        #expect(mistakes.count(.caption, answer: 1) == (3, 20))
        #expect(abs(mistakes.accuracy.value - (1 - (1.0 / 30 + 0.1) / 2)) < 1e-12)
        let error = (29.0 / 30 / 30 / 30 + 0.1 * 0.9 / 30).squareRoot() / 2
        #expect(abs(mistakes.accuracy.error - error) < 1e-12)
    }

    @Test func rowsAreAligned() {
        let table = DemoTable(columns: [column("DPO", questions, wrong: [1]), column("MISP-DPO", questions, wrong: [])])
        let rows = table.lines.prefix { !$0.isEmpty }
        #expect(Set(rows.map { $0.count }).count == 1, "\(table.lines.joined(separator: "\n"))")
        #expect(rows.contains { $0.hasPrefix("false yes") && $0.contains("of 30") && $0.hasSuffix(" 0") })
    }

    @Test func numbersAreThoseOfTheRows() throws {
        let table = DemoTable(columns: [
            column("DPO", questions, wrong: Set(0..<4)), column("MISP-DPO", questions, wrong: Set(3..<5)),
        ])
        let json = JSONField(table.json, file: "results.json")
        let columns = try json["columns"].array()
        #expect(try columns.map { try $0["name"].string() } == ["DPO", "MISP-DPO"])
        #expect(try columns.map { try $0["all"]["wrong"].int() } == [4, 2])
        #expect(try columns[1]["all"]["asked"].int() == questions.count)
        let comparison = try #require(try json["comparisons"].array().first)
        #expect(try comparison["name"].string() == "MISP-DPO" && comparison["beside"].string() == "DPO")
        #expect(try comparison["only_this_right"].int() == 3 && comparison["only_other_right"].int() == 1)
        #expect(try comparison["standard_errors"].double() == 1)
    }

    @Test(arguments: [
        (Set(0..<20), Set(0..<2), "MISP-DPO beside DPO: 2 mistakes against 20, +4.2 standard errors: better"),
        (Set(0..<2), Set(0..<20), "MISP-DPO beside DPO: 20 mistakes against 2, -4.2 standard errors: worse"),
        (Set(0..<3), Set(0..<1), "MISP-DPO beside DPO: 1 mistakes against 3, +1.4 standard errors: within chance"),
        (Set(0..<3), Set(10..<13), "MISP-DPO beside DPO: 3 mistakes against 3, +0.0 standard errors: within chance"),
    ])
    func saysWhoIsAhead(dpo: Set<Int>, misp: Set<Int>, expected: String) {
        let table = DemoTable(columns: [
            column("DPO", questions, wrong: dpo), column("MISP-DPO", questions, wrong: misp),
        ])
        #expect(table.comparisons.map(\.sentence) == [expected])
    }

    @Test func comparesEachWithTheOneBeforeAndTheLastWithTheFirst() {
        let table = DemoTable(
            columns: ["warm-up", "DPO", "random", "MISP-DPO"].map { column($0, questions, wrong: [1]) })
        let pairs = table.comparisons.map { "\($0.own.name) beside \($0.other.name)" }
        #expect(
            pairs == [
                "DPO beside warm-up", "random beside DPO", "MISP-DPO beside random", "MISP-DPO beside DPO",
            ])
    }

    @Test func thePageShowsWhereTheModelsDiffer() throws {
        let data = DemoData(seed: 0, size: .only(questions: 80))
        let table = DemoTable(columns: [
            column("DPO", questions, wrong: [6, 7]), column("MISP-DPO", questions, wrong: [6]),
        ])
        let html = try DemoPage(table, data, seed: 0, story: "").html
        #expect(html.components(separatedBy: "<figure>").count == 2, "one question, 7, on which they differ")
        #expect(html.contains(">\(questions[7].prompt)</h2>"))
        #expect(html.components(separatedBy: "class=\"right\">").count == 3, "the legend's and one answer's")
        #expect(html.contains("<mark>"))
    }
}

@Suite(.serialized) struct DemoRunTests {
    private func table(_ run: RankRun) -> [String] {
        run.lines.drop { !$0.hasPrefix(" ") || !$0.contains("MISP-DPO") }.filter { !$0.hasPrefix("seconds") }.prefix {
            !$0.hasPrefix("Done in")
        }.map { $0 }
    }

    @Test func endsWithTheSameTableOnAnyNumberOfRanks() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "misp-demo-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let arguments = ["demo", "--short", "--output", folder.path]
        let alone = try runRanks(nil, "misp-worker", arguments)
        // Typed again as it was typed.
        let program = try builtProduct("misp-worker").path
        #expect(alone.output.contains(": \(program) train --config "), "\(alone.output)")
        #expect(alone.output.contains(": \(program) demo --seed "), "\(alone.output)")
        #expect(alone.status == 0, "\(alone.errors)")
        #expect(table(alone).contains { $0.hasPrefix("accuracy") }, "\(alone.output)")
        let accuracies = try JSONField(contentsOf: folder.appending(path: "results.json"))["columns"].array().map {
            String(format: "%.3f", try $0["accuracy"].double())
        }
        #expect(
            accuracies.count == 1 + DemoArm.all.count && accuracies.allSatisfy { table(alone)[1].contains($0) },
            "\(alone.output)")
        let results = [
            "warmup/model/model.safetensors", "clip/model.safetensors", "groups-mined.jsonl", "groups-random.jsonl",
            "misp/adapter/adapter_model.safetensors",
        ]
        let files = try results.map { try Data(contentsOf: folder.appending(path: $0)) }
        let page = try String(contentsOf: folder.appending(path: "index.html"), encoding: .utf8)
        #expect(page.contains("What they say") && page.contains("mining/gallery.html"))
        #expect(FileManager.default.fileExists(atPath: folder.appending(path: "mining/gallery.html").path))
        for ranks in [2, 4, 8] {
            let together = try runRanks(ranks, "misp-worker", arguments)
            #expect(together.status == 0, "\(together.errors)")
            #expect(table(together) == table(alone))
            #expect(try results.map { try Data(contentsOf: folder.appending(path: $0)) } == files, "\(ranks) ranks")
        }
    }

    @Test func leavesForeignFilesAlone() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "misp-demo-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let mine = folder.appending(path: "warmup.jsonl")
        try Data("mine".utf8).write(to: mine)
        let run = try runRanks(nil, "misp-worker", ["demo", "--short", "--output", folder.path])
        #expect(run.status == 2)
        #expect(run.errors.contains("--output"))
        #expect(try String(contentsOf: mine, encoding: .utf8) == "mine")
    }
}
