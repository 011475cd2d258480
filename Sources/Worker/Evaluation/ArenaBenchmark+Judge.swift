import Core
import Foundation

/// WildVision-Bench's judge sees the picture and two answers, in both orders: judges favour a place.
extension ArenaBenchmark: JudgedBenchmark {
    static let prompt = JudgePromptKind(
        own: """
            Two assistants, A and B, were given the attached picture and this request:

            {question}

            <answer of A>
            {answer_a}
            </answer of A>

            <answer of B>
            {answer_b}
            </answer of B>

            Say which answer is better. First work out from the picture yourself what a good answer says. Then look \
            for mistakes in both, above all for claims that the picture contradicts, and for parts of the request \
            that are left undone. Being longer, or standing first, is no merit.

            Give your reasons in a few sentences. End with exactly one of these five verdicts, brackets included:
            [[A>>B]] if A is far better
            [[A>B]] if A is a little better
            [[A=B]] if they are about equally good
            [[B>A]] if B is a little better
            [[B>>A]] if B is far better
            """, needed: ["question", "answer_a", "answer_b"])

    private static let scale = JudgeScale(
        verdicts: ["A>>B", "A>B", "A=B", "B>A", "B>>A"], form: "one of [[A>>B]], [[A>B]], [[A=B]], [[B>A]], [[B>>A]]"
    ) { reply in
        Set(reply.matches(of: /\[\[([AB<>=]+)\]\]/).map { String($0.1) })
    }

    /// Two games a question: the baseline is A in the first, and B in the second.
    func items(_ answers: [Answer], _ prompt: JudgePrompt) -> [JudgeItem] {
        questions.indices.flatMap { index in
            let (own, other) = (answers[index].text, baseline[index])
            return [(other, own), (own, other)].enumerated().map { game, pair in
                let texts = prompt.filled([
                    "question": instructions[index], "answer_a": pair.0, "answer_b": pair.1,
                ])
                return JudgeItem(
                    id: "question \(questions[index].id), game \(game + 1)", system: texts.system, text: texts.user,
                    picture: questions[index].image, scale: Self.scale)
            }
        }
    }

    /// A line for each question with the members that the official scripts read.
    func ratings(_ judgements: [Judgement], judge: String, model: String) -> (name: String, text: String) {
        let lines = questions.indices.map { index -> String in
            let games = judgements[(2 * index)..<(2 * index + 2)].map { judgement -> JSON in
                ["judgement": .string(judgement.reply), "score": .string(judgement.verdict)]
            }
            let line: JSON = [
                "question_id": .string(questions[index].id), "model": .string(model), "judge": .string(judge),
                "games": .array(games),
            ]
            return line.description
        }
        return ("wildvision_judgements.jsonl", lines.joined(separator: "\n") + "\n")
    }
}
