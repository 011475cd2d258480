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
    guard let look = Look.all.first(where: { DemoLanguage.question($0) == prompt }), ["yes", "no"].contains(answer)
    else { return nil }
    return seen.looks.contains(look) == (answer == "yes")
}

@Suite struct DemoDataTests {
    private let data = DemoData(seed: 3, labels: 400, groups: 120, questions: 160)

    @Test func isAPureFunctionOfTheSeed() {
        let again = DemoData(seed: 3, labels: 40, groups: 12, questions: 16)
        let other = DemoData(seed: 4, labels: 40, groups: 12, questions: 16)
        func labels(_ data: DemoData) -> [String] { data.labels.prefix(40).map { "\($0.scene.caption) \($0.strokes)" } }
        func questions(_ list: [DemoQuestion]) -> [[String]] { list.prefix(12).map { [$0.prompt] + $0.answers } }
        #expect(labels(again) == labels(data))
        #expect(labels(other) != labels(data))
        #expect(questions(again.groups) == questions(data.groups))
        #expect(questions(other.groups) != questions(data.groups))
        #expect(questions(other.questions) == questions(data.questions), "held-out questions are every seed's")
    }

    @Test func heldOutScenesAreInNoTrainingPicture() {
        let trained = data.labels.map(\.scene) + data.groups.flatMap { [$0.scene] + $0.negatives }
        #expect(trained.allSatisfy { !$0.isHeldOut })
        #expect(data.questions.allSatisfy { $0.scene.isHeldOut })
        #expect(Set(trained).isDisjoint(with: data.questions.map(\.scene)))
    }

    @Test func answersAndNegativesAreWhatTheyShouldBe() throws {
        for question in data.groups + data.questions {
            #expect(isTrue(question.answers[0], to: question.prompt, of: question.scene) == true)
            #expect(Set(question.answers).count == question.answers.count)
            for answer in question.answers.dropFirst() {
                #expect(isTrue(answer, to: question.prompt, of: question.scene) == false, "\(question.prompt)")
            }
            #expect(Set(question.negatives).count == 3)
            for negative in question.negatives {
                #expect(isTrue(question.answers[0], to: question.prompt, of: negative) == false, "\(question.prompt)")
                #expect(Set(negative.things).symmetricDifference(question.scene.things).count <= 2)
            }
        }
    }

    @Test func theAnnotatorIsAsCarelessAsStated() {
        let wrong = data.labels.filter { isTrue($0.answer, to: $0.prompt, of: $0.scene) == false }
        #expect(wrong.allSatisfy { isTrue($0.answer, to: $0.prompt, of: $0.scene.remembered) == true })
        // 45 % remember; most captions and some answers are then wrong.
        #expect((60...160).contains(wrong.count), "\(wrong.count)")
    }

    @Test func picturesOfOneSceneDifferInStrokesAndNegativesInTheirThing() throws {
        let question = try #require(data.groups.first { $0.kind == .caption })
        let picture = question.scene.picture(strokes: 1)
        #expect(picture.width == 48 && picture.height == 48)
        #expect(picture == question.scene.picture(strokes: 1))
        #expect(picture != question.scene.picture(strokes: 2))
        let pictures = question.negatives.map { $0.picture(strokes: 1) }
        #expect(pictures.allSatisfy { $0 != picture })
        let corner = { (image: RGBImage) in image.pixels[0] }
        #expect(pictures.allSatisfy { corner($0) == corner(picture) })
    }

    @Test func everyShapeLooksDifferentInEveryCell() {
        let scenes = (0..<Scene.cells).flatMap { cell in Look.all.map { Scene([Thing(look: $0, cell: cell)]) } }
        #expect(Set(scenes.map { $0.picture(strokes: 5).pixels }).count == scenes.count)
    }
}

@Suite struct DemoTableTests {
    private func column(_ name: String, _ questions: [DemoQuestion], wrong: Set<Int>) -> DemoTable.Column {
        let answers = questions.indices.map { wrong.contains($0) ? 1 : 0 }
        return DemoTable.Column(
            name: name, mistakes: DemoMistakes(questions, answers: answers), steps: 3, groupsPerStep: 8, sequences: 5,
            seconds: 1.25)
    }

    private let questions = DemoData(seed: 0, labels: 0, groups: 0, questions: 80).questions

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
        #expect(try json["only_last_right"].int() == 3 && json["only_last_wrong"].int() == 1)
    }

    @Test(arguments: [
        (Set(0..<20), Set(0..<2), "MISP-DPO makes fewer mistakes than DPO (2 against 20 in 80), by more"),
        (Set(0..<2), Set(0..<20), "DPO makes fewer mistakes than MISP-DPO (2 against 20 in 80), by more"),
        (Set(0..<3), Set(0..<1), "MISP-DPO makes fewer mistakes than DPO (1 against 3 in 80), but by less"),
        (Set(0..<1), Set(4..<6), "DPO makes fewer mistakes than MISP-DPO (1 against 2 in 80), but by less"),
        (Set(0..<3), Set(10..<13), "MISP-DPO and DPO make equally many"),
    ])
    func saysWhoIsAhead(dpo: Set<Int>, misp: Set<Int>, expected: String) {
        let table = DemoTable(columns: [
            column("DPO", questions, wrong: dpo), column("MISP-DPO", questions, wrong: misp),
        ])
        #expect(table.reading[0].hasPrefix("On this seed \(expected)"), "\(table.reading.joined(separator: " "))")
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
        #expect(alone.status == 0, "\(alone.errors)")
        #expect(table(alone).contains { $0.hasPrefix("accuracy") }, "\(alone.output)")
        let accuracies = try JSONField(contentsOf: folder.appending(path: "results.json"))["columns"].array().map {
            String(format: "%.3f", try $0["accuracy"].double())
        }
        #expect(accuracies.count == 3 && accuracies.allSatisfy { table(alone)[1].contains($0) }, "\(alone.output)")
        let results = ["warmup/model/model.safetensors", "misp/adapter/adapter_model.safetensors", "groups.jsonl"]
        let files = try results.map { try Data(contentsOf: folder.appending(path: $0)) }
        let together = try runRanks(2, "misp-worker", arguments)
        #expect(together.status == 0, "\(together.errors)")
        #expect(table(together) == table(alone))
        #expect(try results.map { try Data(contentsOf: folder.appending(path: $0)) } == files)
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
