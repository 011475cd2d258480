import Coordinator
import Core
import Foundation

/// What the model in training says about a few pictures: before its first step and after its last, for report.html.
///
/// Always the most probable token is taken, so an answer is a function of the parameters alone: the same on any number
/// of ranks.
struct PictureAnswers {
    /// Tokens of an answer at the most.
    private static let limit = 64

    private struct Subject {
        let group: PreferenceGroup
        let encoded: EncodedGroup
    }

    private let subjects: [Subject]
    /// Tokens that end an answer.
    private let ends: Set<Int32>
    private let folder: ModelFolder

    /// The first groups, one for each picture.
    ///
    /// - Parameters:
    ///   - encoded: the same groups
    ///   - count: pictures at the most
    /// - Throws: `MISPError` for tokens in generation_config.json that the model does not have
    init(_ groups: [PreferenceGroup], _ encoded: [EncodedGroup], count: Int, _ folder: ModelFolder) throws(MISPError) {
        var pictures: Set<String> = []
        let first = zip(groups, encoded).filter { pictures.count < count && pictures.insert($0.0.image).inserted }
        subjects = first.map { Subject(group: $0, encoded: $1) }
        self.folder = folder
        let vocabulary = folder.configuration.text.vocabulary
        // A run that asks nothing does not depend on the file.
        let ends = subjects.isEmpty ? [] : try GenerationConfiguration.ends(folder: folder.url, vocabulary: vocabulary)
        self.ends = ends.union([folder.endOfSequence])
    }

    func isDue(after steps: Int, of total: Int) -> Bool { !subjects.isEmpty && (steps == 0 || steps == total) }

    /// Collective. A line of JSON for each picture, on every rank.
    ///
    /// - Throws: an `AgreedFailure`, of a kind that ends the run where a signal stopped it
    func callAsFunction(
        _ policy: SequenceScorer<some VectorArithmetic>, after steps: Int, _ communicator: any Communicator
    ) throws -> [Data] {
        let mine = try communicator.agree {
            try answers(communicator.share(of: subjects.count).map { subjects[$0] }, policy, after: steps)
        }
        let all = try communicator.allGather(Data(mine.joined(separator: "\n").utf8)).map { $0.split(separator: 10) }
        return subjects.indices.map { all[$0 % communicator.size][$0 / communicator.size] }
    }

    private func answers<A: VectorArithmetic>(
        _ subjects: [Subject], _ policy: SequenceScorer<A>, after steps: Int
    ) throws -> [String] {
        let longest = folder.configuration.text.maximumLength
        let requests = try subjects.map { subject in
            let (group, image) = (subject.encoded, subject.encoded.image)
            let prompt = group.prompt.tokens(image.place)
            return Generator<A>.Request(
                key: group.id, prompt: prompt,
                features: policy.model.encoder.pass([try policy.images.input(of: image.source)]).rows,
                limit: max(1, min(Self.limit, longest - prompt.tokens.count)))
        }
        let generator = Generator(
            policy.model, sampler: TokenSampler(seed: 0), stops: ends, limit: Self.limit, threads: BLAS.threads)
        do {
            let answers = try generator.answers(requests) { _, _ in
                Pulse.note()
                try Interruption.check("while pictures were asked about")
            }
            return zip(subjects, zip(requests, answers)).map { subject, answered in
                let (request, answer) = answered
                return line(subject, answer, isCut: answer.count == request.limit, after: steps).description
            }
        } catch let error as NonFiniteLogits {
            throw policy.cause.failure(
                "the logits of token \(error.token) of the model's answer are not finite", at: error.key)
        }
    }

    private func line(_ subject: Subject, _ answer: [Int32], isCut: Bool, after steps: Int) -> JSON {
        let group = subject.group
        var line = JSON.Object([
            ("step", .integer(steps)), ("id", .string(group.id)), ("prompt", .string(group.prompt)),
            ("image", .string(group.image)), ("chosen", .string(group.chosen)),
        ])
        line["rejected"] = group.rejected.map(JSON.string)
        line["answer"] = .string(folder.tokenizer.decode(answer, skipSpecialTokens: true))
        if isCut { line["cut"] = .bool(true) }
        return .object(line)
    }
}
