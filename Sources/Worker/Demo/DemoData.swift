import Coordinator
import Core
import Foundation

/// How much the demonstration does.
package struct DemoSize: Sendable {
    package var labels: Int
    package var gallery: Int
    package var groups: Int
    package var questions: Int
    /// Of the warm-up, of CLIP's training and of the preference trainings.
    package var epochs: (warmup: Int, clip: Int, preference: Int)
    /// Of the autoencoder.
    package var steps: Int

    package static let full = DemoSize(
        labels: 5600, gallery: 2048, groups: 768, questions: 800, epochs: (4, 20, 3), steps: 300)
    /// For tests: everything happens, and nothing is learned.
    package static let short = DemoSize(
        labels: 64, gallery: 64, groups: 24, questions: 16, epochs: (1, 1, 1), steps: 4)
}

/// The data of the demonstration: a pure function of the seed, item by item.
package struct DemoData: Sendable {
    package let labels: [DemoLabel]
    /// What CLIP learns from, and negatives are taken from.
    package let gallery: [DemoCaption]
    /// What the preference groups are about; what they reject is for the warm-up to say.
    package let groups: [DemoQuestion]
    /// Held out, and the same for every seed.
    package let questions: [DemoQuestion]

    private static let groupKinds: [DemoQuestion.Kind] = [
        .caption, .present, .thing, .random, .caption, .present, .place, .popular, .caption, .present, .thing,
        .adversarial,
    ]
    private static let heldOutKinds: [DemoQuestion.Kind] = [
        .present, .random, .present, .popular, .present, .adversarial, .caption, .caption,
    ]

    package init(seed: UInt64, size: DemoSize) {
        labels = (0..<size.labels).map { DemoLabel(seed: seed, index: $0) }
        gallery = (0..<size.gallery).map { DemoCaption(seed: seed, index: $0) }
        groups = (0..<size.groups).map {
            let kind = Self.groupKinds[$0 % Self.groupKinds.count]
            return DemoQuestion(kind, seed: seed, set: "groups", index: $0, isHeldOut: false)
        }
        questions = (0..<size.questions).map {
            let kind = Self.heldOutKinds[$0 % Self.heldOutKinds.count]
            return DemoQuestion(kind, seed: 0, set: "held out", index: $0, isHeldOut: true)
        }
    }

    // MARK: Paths, from the demonstration's folder

    static let galleryFolder = "pictures/gallery"
    static func labelPicture(_ index: Int) -> String { "pictures/warmup/\(index).png" }
    static func galleryPicture(_ index: Int) -> String { "\(galleryFolder)/\(index).png" }
    static func groupPicture(_ index: Int) -> String { "pictures/groups/\(index).png" }
    static func questionPicture(_ index: Int) -> String { "pictures/eval/\(index).png" }

    // MARK: Files

    /// Collective. Draws all pictures, a share on each rank.
    func writePictures(to folder: URL, _ communicator: any Communicator) throws {
        typealias Picture = (path: String, scene: Scene, strokes: UInt64)
        var pictures = labels.enumerated().map { Picture(Self.labelPicture($0), $1.scene, $1.strokes) }
        pictures += gallery.enumerated().map { Picture(Self.galleryPicture($0), $1.scene, $1.strokes) }
        pictures += groups.enumerated().map { Picture(Self.groupPicture($0), $1.scene, $1.strokes) }
        pictures += questions.enumerated().map { Picture(Self.questionPicture($0), $1.scene, $1.strokes) }
        try communicator.agree {
            for index in communicator.share(of: pictures.count) {
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

    func captioned(in folder: URL) -> [CaptionedPicture] {
        gallery.enumerated().map {
            CaptionedPicture(image: folder.appending(path: Self.galleryPicture($0)).path, caption: $1.text)
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

    func writeCaptions(to file: URL) throws {
        try Self.write(
            gallery.enumerated().map { index, caption in
                ["image": .string(Self.galleryPicture(index)), "caption": .string(caption.text)]
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

    /// The groups with their texts and pictures, and no negatives.
    ///
    /// - Parameter rejected: for each group the number of the answer that it rejects.
    func rows(rejecting rejected: [Int]) -> [JSON] {
        zip(groups, rejected).enumerated().map { index, pair in
            let (group, rejected) = pair
            return [
                "id": .string("group-\(index)"), "prompt": .string(group.prompt), "chosen": .string(group.answers[0]),
                "rejected": .string(group.answers[rejected]), "image": .string(Self.groupPicture(index)),
            ]
        }
    }

    /// Those of the rows that take negatives.
    func prompts(_ rows: [JSON]) -> [JSON] { zip(groups, rows).filter(\.0.kind.takesNegatives).map(\.1) }

    /// The rows, with those that were mined in place of their own.
    ///
    /// - Parameter mined: a mining's groups.jsonl
    func rows(_ rows: [JSON], with mined: URL) throws -> [JSON] {
        var found: [String: JSON] = [:]
        for row in try Self.read(mined) { if let id = row["id"]?.string { found[id] = row } }
        return rows.map { row in row["id"]?.string.flatMap { found[$0] } ?? row }
    }

    static func read(_ file: URL) throws -> [JSON] { try JSON.lines(contentsOf: file).map(\.value) }

    static func write(_ rows: [JSON], to file: URL) throws {
        try FileOutput.write(rows.map { "\($0)\n" }.joined(), to: file)
    }
}
