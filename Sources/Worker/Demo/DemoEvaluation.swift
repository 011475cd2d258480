import Coordinator
import Core
import Foundation

/// What a model answers to the demonstration's questions: of the answers given, the one it finds most probable.
struct DemoAnswerer {
    private let model: VisionLanguageModel<Vector>
    private let images: FeatureCache<Vector>
    private let encoder: GroupEncoder

    /// - Parameter adapter: trained over the model of the folder, if any.
    init(model url: URL, adapter: URL?) throws {
        let folder = try ModelFolder(url)
        let adapter = try adapter.map { try LowRankAdapterFolder($0) }
        var trainable = Trainable(language: .frozen)
        if let adapter { trainable = Trainable(language: .lora, lora: adapter.settings) }
        model = try folder.model(trainable: trainable, seed: 0)
        try adapter?.load(into: model)
        encoder = try GroupEncoder(folder, template: PromptTemplate(DemoRuns.template))
        images = FeatureCache(model, encoder.places, cause: NonFiniteCause(folder: folder.url))
    }

    /// Sums over tokens, the end-of-sequence token included.
    private func logProbabilities(_ question: DemoQuestion, picture: URL) throws -> [Double] {
        var layout = SequenceLayout()
        let image = try encoder.placed(ImageSource(path: picture.path))
        layout.append(
            try encoder.encode(prompt: question.prompt, at: "question").tokens(image.place), image: 0,
            responses: try question.answers.map { try encoder.encode(response: $0, at: "answer") })
        return model.forward(layout, images: [try images.input(of: image.source)]).0
    }

    /// Collective. For each question, the number of the most probable answer from `first` on.
    func answers(
        _ questions: [DemoQuestion], from first: Int = 0, communicator: any Communicator, picture: (Int) -> URL
    ) throws -> [Int] {
        let mine = try communicator.agree {
            var answers = [Double](repeating: 0, count: questions.count)
            for index in communicator.share(of: questions.count) {
                let values = try logProbabilities(questions[index], picture: picture(index))
                answers[index] = Double((first..<values.count).max { values[$0] < values[$1] } ?? first)
            }
            return answers
        }
        return try communicator.mergeDisjoint(mine).map { Int($0) }
    }
}

/// A model's mistakes on the held-out questions.
package struct DemoMistakes: Sendable, Equatable {
    /// By question: the number of the answer given, 0 the true one.
    package let answers: [Int]
    private let kinds: [DemoQuestion.Kind]

    package init(_ questions: [DemoQuestion], answers: [Int]) {
        kinds = questions.map(\.kind)
        self.answers = answers
    }

    /// Questions of the kinds, and how many of them were answered wrongly: with a certain false answer, if given.
    package func count(_ asked: DemoQuestion.Kind..., answer: Int? = nil) -> (wrong: Int, asked: Int) {
        let given = zip(kinds, answers).filter { asked.contains($0.0) }.map(\.1)
        return (given.count { $0 != 0 && (answer == nil || $0 == answer) }, given.count)
    }

    package var total: Int { answers.count { $0 != 0 } }
    package var falseYes: (wrong: Int, asked: Int) { count(.random, .popular, .adversarial) }
    package var missed: (wrong: Int, asked: Int) { count(.present) }
    package var captions: (wrong: Int, asked: Int) { count(.caption) }

    /// Of yes/no questions, what is there and what is not weighing the same; and its standard error.
    package var accuracy: (value: Double, error: Double) {
        let parts = [falseYes, missed].map { part in
            let rate = Double(part.wrong) / Double(max(part.asked, 1))
            return (rate, rate * (1 - rate) / Double(max(part.asked, 1)))
        }
        return (1 - (parts[0].0 + parts[1].0) / 2, (parts[0].1 + parts[1].1).squareRoot() / 2)
    }

    /// Questions that this model gets right and `other` gets wrong.
    package func ahead(of other: DemoMistakes) -> Int {
        zip(answers, other.answers).count { $0 == 0 && $1 != 0 }
    }
}
