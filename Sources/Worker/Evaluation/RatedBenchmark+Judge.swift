import Core
import Foundation

/// MMHal-Bench's judge sees no picture: it is told what is in it, and what a right answer is.
extension RatedBenchmark: JudgedBenchmark {
    static let prompt = JudgePromptKind(
        own: """
            Grade a model's answer to a question about a picture. You do not see the picture. This is known of it:

            Things in the picture: {image_content}
            Question: {question}
            A correct answer, by a person: {standard_answer}

            The answer to grade:
            {answer}

            Ask yourself two things. First, does the answer claim anything of the picture that contradicts the list \
            or the correct answer, or that neither of them supports? Such a claim is a hallucination. A question may \
            rest on a false premise; an answer that takes it over hallucinates. Second, how much does the answer tell \
            the person who asked?

            6: no hallucination, tells much and reasons well
            5: no hallucination, tells much
            4: no hallucination, tells something
            3: no hallucination, tells nothing of use
            2: a hallucination, tells much otherwise
            1: a hallucination, tells something otherwise
            0: a hallucination, and nothing of use

            Give your reasons in a few sentences. End with one line of exactly this form, with your grade as n:
            Rating: n
            """, needed: ["question", "standard_answer", "answer"], optional: ["image_content"])

    private static let scale = JudgeScale(
        verdicts: (0...6).map(String.init), form: "one 'Rating: n' with n from 0 to 6", read: ratings(in:))

    func items(_ answers: [Answer], _ prompt: JudgePrompt) -> [JudgeItem] {
        zip(records, answers).enumerated().map { index, pair in
            let (record, answer) = (pair.0.value, pair.1)
            let content = record?["image_content"]
            let texts = prompt.filled([
                "question": record?["question"]?.string ?? "", "standard_answer": record?["gt_answer"]?.string ?? "",
                "image_content": content?.string
                    ?? content?.array?.compactMap(\.string).joined(separator: ", ") ?? "(not listed)",
                "answer": answer.text,
            ])
            return JudgeItem(id: "question \(index + 1)", system: texts.system, text: texts.user, scale: Self.scale)
        }
    }

    /// A list of the server's replies, as the official script keeps them. A verdict that a person put in the place of
    /// one that could not be read is a bare number.
    func ratings(_ judgements: [Judgement], judge: String, model: String) -> (name: String, text: String) {
        let rows = judgements.map { judgement -> JSON in
            guard Self.scale.verdict(of: judgement.reply).verdict == judgement.verdict else {
                return .integer(Int(judgement.verdict) ?? 0)
            }
            let message: JSON = ["role": "assistant", "content": .string(judgement.reply)]
            return ["model": .string(judge), "choices": [["index": 0, "message": message]]]
        }
        return ("mmhal_ratings.json", JSON.array(rows).description + "\n")
    }
}
