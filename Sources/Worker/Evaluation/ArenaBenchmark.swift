import Core
import Foundation

/// WildVision-Bench (Lu et al., 2024): answers that a judge compares with a baseline's.
///
/// JSON lines `{question_id, instruction, image}`. Answers go out as the official scripts read them, and the judgements
/// come back as these write them: `{question_id, games: [{score: "A>B"}, …]}`, the baseline being A in the first game
/// and B in the second.
struct ArenaBenchmark: Benchmark {
    private static let rewards = ["A=B": 0.0, "A>B": -50, "A>>B": -100, "B>A": 50, "B>>A": 100]

    let questions: [Question]
    /// The questions as the benchmark has them, without a suffix for the model.
    let instructions: [String]
    /// By question, what a judge compares its answer with; none unless one is asked.
    let baseline: [String]
    /// By question, the reward of each game; nil where nothing was judged yet.
    private let games: [[Double]]?

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        var questions: [Question] = []
        var instructions: [String] = []
        for row in try source.limited(try BenchmarkSource.rows(file), at: file) {
            let id = try row["question_id"].name()
            let image = row["image"].isPresent ? try row["image"].string() : "\(id).jpg"
            instructions.append(try row["instruction"].string())
            questions.append(source.question(id, instructions[instructions.count - 1], image: image, at: row.place))
        }
        (self.questions, self.instructions) = (questions, instructions)
        let baseline = source.isJudged ? source.baseline : nil
        self.baseline =
            try baseline.map { (file) throws(MISPError) in
                try Answer.read(file, for: questions, others: nil).map(\.text)
            } ?? []
        games = try source.ratings.map { (file) throws(MISPError) in
            try Self.games(file, of: questions, isPart: source.limit != nil)
        }
    }

    /// - Parameter isPart: whether there may be judgements of other questions
    private static func games(
        _ file: URL, of questions: [Question], isPart: Bool
    ) throws(MISPError) -> [[Double]] {
        var judged: [String: [Double]] = [:]
        let known = Set(questions.map(\.id))
        for row in try BenchmarkSource.rows(file) {
            var rewards: [Double] = []
            let games = try row["games"].array()
            guard 1...2 ~= games.count else {
                throw row["games"].failure("holds \(games.count) games, not two")
            }
            for (index, game) in games.enumerated() {
                let reward = Self.rewards[try game["score"].label(Self.rewards.keys.sorted())] ?? 0
                rewards.append(index == 0 ? reward : -reward)
            }
            let id = try row["question_id"].name()
            guard judged[id] == nil else { throw row["question_id"].failure("is \(id), which is judged twice") }
            guard isPart || known.contains(id) else {
                throw row["question_id"].failure("is \(id), which the benchmark does not have")
            }
            judged[id] = rewards
        }
        var games: [[Double]] = []
        for question in questions {
            guard let rewards = judged[question.id] else {
                throw MISPError("has no judgement of question \(question.id)", at: file.relativePath)
            }
            games.append(rewards)
        }
        return games
    }

    func score(_ answers: [String]) -> Scorecard? {
        guard let games else { return nil }
        let verdicts = ["much better", "better", "tie", "worse", "much worse"]
        var card = Scorecard(
            [
                Measure("win rate", "wins", per: "questions"),
                Measure("win or tie rate", "wins or ties", per: "questions"),
                Measure("reward", "reward", per: "questions"),
            ] + verdicts.map { Measure($0, $0, per: "games") })
        for (question, rewards) in zip(questions, games) {
            let reward = rewards.reduce(0, +)
            card.add("questions", to: question.id)
            card.add("reward", reward, to: question.id)
            card.add("wins", reward > 0 ? 1 : 0, to: question.id)
            card.add("wins or ties", reward >= 0 ? 1 : 0, to: question.id)
            for reward in rewards {
                card.add("games", to: question.id)
                card.add(verdicts[2 - Int(reward / 50)], to: question.id)
            }
        }
        return card
    }

    /// A judge compares answers, and says of none whether it is right.
    func mark(_ answer: String, at index: Int) -> MarkedAnswer { MarkedAnswer(answer) }

    /// `token_len` counts the model's own tokens, where the official script counts those of tiktoken.
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] {
        let lines = zip(questions, answers).map { question, answer -> String in
            let line: JSON = [
                "question_id": .string(question.id), "output": .string(answer.text), "model": .string(model),
                "token_len": .integer(answer.tokens ?? AnswerReading.words(answer.text).count),
            ]
            return line.description
        }
        return [("wildvision_answers.jsonl", lines.joined(separator: "\n") + "\n")]
    }
}
