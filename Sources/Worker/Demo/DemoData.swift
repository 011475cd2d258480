import Coordinator
import Core
import Foundation

/// How much the demonstration does.
struct DemoSize {
    var labels: Int
    var groups: Int
    var questions: Int
    /// Of the warm-up and of the preference training.
    var epochs: (Int, Int)

    static let full = DemoSize(labels: 5600, groups: 512, questions: 800, epochs: (4, 3))
    /// For tests: everything happens, and nothing is learned.
    static let short = DemoSize(labels: 64, groups: 16, questions: 16, epochs: (1, 1))
}

/// The data of the demonstration: a pure function of the seed, item by item.
package struct DemoData: Sendable {
    package let labels: [DemoLabel]
    /// What the preference groups are about; what they reject is for the warm-up to say.
    package let groups: [DemoQuestion]
    /// Held out, and the same for every seed.
    package let questions: [DemoQuestion]

    private static let groupKinds: [DemoQuestion.Kind] = [
        .caption, .present, .random, .popular, .adversarial, .present,
    ]
    private static let heldOutKinds: [DemoQuestion.Kind] = [
        .present, .random, .present, .popular, .present, .adversarial, .caption, .caption,
    ]

    package init(seed: UInt64, labels: Int, groups: Int, questions: Int) {
        self.labels = (0..<labels).map { DemoLabel(seed: seed, index: $0) }
        self.groups = (0..<groups).map {
            let kind = Self.groupKinds[$0 % Self.groupKinds.count]
            return DemoQuestion(kind, seed: seed, set: "groups", index: $0, isHeldOut: false)
        }
        self.questions = (0..<questions).map {
            let kind = Self.heldOutKinds[$0 % Self.heldOutKinds.count]
            return DemoQuestion(kind, seed: 0, set: "held out", index: $0, isHeldOut: true)
        }
    }

    // MARK: Paths, from the demonstration's folder

    static func labelPicture(_ index: Int) -> String { "pictures/warmup/\(index).png" }
    static func questionPicture(_ index: Int) -> String { "pictures/eval/\(index).png" }
    static func groupPicture(_ index: Int) -> String { "pictures/groups/\(index).png" }
    static func negativePicture(_ index: Int, _ negative: Int) -> String {
        "pictures/groups/\(index)-negative\(negative).png"
    }

    // MARK: Files

    /// Collective. Draws all pictures, a share on each rank.
    func writePictures(to folder: URL, _ communicator: any Communicator) throws {
        var pictures: [(path: String, scene: Scene, strokes: UInt64)] = []
        for (index, label) in labels.enumerated() {
            pictures.append((Self.labelPicture(index), label.scene, label.strokes))
        }
        for (index, group) in groups.enumerated() {
            pictures.append((Self.groupPicture(index), group.scene, group.strokes))
            for (number, scene) in group.negatives.enumerated() {
                pictures.append((Self.negativePicture(index, number), scene, group.strokes))
            }
        }
        for (index, question) in questions.enumerated() {
            pictures.append((Self.questionPicture(index), question.scene, question.strokes))
        }
        try communicator.agree {
            for index in stride(from: communicator.rank, to: pictures.count, by: communicator.size) {
                let (path, scene, strokes) = pictures[index]
                let png = try scene.picture(strokes: strokes).pngData()
                let file = folder.appending(path: path)
                if (try? Data(contentsOf: file)) == png { continue }
                try FileOutput.create(file, isDurable: false) { output in
                    try png.withUnsafeBytes { try output.write($0) }
                }
            }
        }
    }

    func writeLabels(to file: URL) throws {
        try Self.write(
            labels.enumerated().map { index, label in
                [
                    "id": .string("label-\(index)"), "prompt": .string(label.prompt), "chosen": .string(label.answer),
                    "image": .string(Self.labelPicture(index)),
                ]
            }, to: file)
    }

    func writeQuestions(to file: URL) throws {
        try Self.write(
            questions.enumerated().map { index, question in
                [
                    "id": .string("question-\(index)"), "kind": .string(question.kind.rawValue),
                    "prompt": .string(question.prompt), "answer": .string(question.answers[0]),
                    "false_answers": .array(question.answers.dropFirst().map(JSON.string)),
                    "image": .string(Self.questionPicture(index)),
                ]
            }, to: file)
    }

    /// - Parameter rejected: for each group the number of the answer that it rejects.
    func writeGroups(rejecting rejected: [Int], to file: URL) throws {
        try Self.write(
            zip(groups, rejected).enumerated().map { index, pair in
                let (group, rejected) = pair
                return [
                    "id": .string("group-\(index)"), "prompt": .string(group.prompt),
                    "chosen": .string(group.answers[0]), "rejected": .string(group.answers[rejected]),
                    "image": .string(Self.groupPicture(index)),
                    "negatives": .array(
                        group.negatives.indices.map { ["image": .string(Self.negativePicture(index, $0))] }),
                ]
            }, to: file)
    }

    private static func write(_ rows: [JSON], to file: URL) throws {
        try FileOutput.write(rows.map { "\($0)\n" }.joined(), to: file)
    }
}
