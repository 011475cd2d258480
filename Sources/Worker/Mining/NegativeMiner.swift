import Coordinator
import Core
import Foundation

/// Chooses the negatives of every group, the ranks sharing the groups.
///
/// Prompts are taken in blocks, always the same ones, as one pass over the autoencoder's weights serves a block; so the
/// number of ranks changes no bit.
struct NegativeMiner {
    private static let block = 16
    /// Pairs of a latent that its words are read from.
    private static let pairs = 24

    /// What was mined.
    struct Result: Codable {
        /// All groups in order.
        var groups: [MinedGroup] = []
        /// Nothing where nothing was scored.
        var pairs: StrongestPairs
    }

    let configuration: MineConfiguration
    let images: Matrix<Float>
    let texts: Matrix<Float>
    let prompts: [MiningPrompt]
    let pictures: PictureTable
    /// The groups that `prompts` stand for, in the same order.
    let groups: [MiningInput.Group]
    /// Of the groups on the page; nil where phrases are not compared.
    let phrases: PhraseTable?
    let communicator: any Communicator

    /// Collective.
    ///
    /// - Parameter autoencoder: nil for a strategy that scores nothing
    /// - Returns: the same on every rank
    func mine(_ autoencoder: SparseAutoencoder?) throws -> Result {
        var progress = PhaseProgress("choosing negatives", of: prompts.count, isTold: communicator.rank == 0)
        let none = Result(pairs: StrongestPairs(latents: autoencoder?.shape.latents ?? 0, limit: Self.pairs))
        let own = try communicator.agree {
            var own = none
            for start in stride(
                from: communicator.rank * Self.block, to: prompts.count, by: communicator.size * Self.block)
            {
                try MiningRun.endIfAsked(configuration.store)
                let range = start..<min(start + Self.block, prompts.count)
                try mine(range, autoencoder, into: &own)
                progress.update(min(start + communicator.size * Self.block, prompts.count))
            }
            return try JSONEncoder().encode(own)
        }
        var all = none
        for data in try communicator.allGather(own) {
            let part = try JSONDecoder().decode(Result.self, from: data)
            all.groups += part.groups
            all.pairs.merge(part.pairs)
        }
        all.groups.sort { $0.index < $1.index }
        return all
    }

    private func mine(_ range: Range<Int>, _ autoencoder: SparseAutoencoder?, into result: inout Result) throws {
        guard
            let strategy = NegativeStrategies.named(configuration.strategy.rawValue, diversity: configuration.diversity)
        else { throw MISPError("is unknown", at: "strategy", kind: .defect) }
        let scorers = autoencoder.map { PromptScorer.make($0, texts: texts.gathered(range.map { prompts[$0].text })) }
        for index in range {
            let prompt = prompts[index]
            let rows = CandidateRows.select(images, prompt, duplicateLimit: Float(configuration.duplicateCosine))
            try checkEnough(rows, prompt)
            let scores =
                scorers?[index - range.lowerBound].scores(images, positive: prompt.positive, candidates: rows)
                ?? Self.unscored(rows)
            let context = SelectionContext(
                images: images, prompt: prompt, positivePath: groups[index].image, candidates: scores,
                seed: configuration.seed)
            let picks = strategy.choose(configuration.pool, context)
            let random = autoencoder == nil ? [] : RandomNegatives().choose(configuration.pool, context)
            var mined = try mined(index, context, picks, random)
            if autoencoder != nil {
                mined.deciding = scores.decidingLatents(of: Self.places(picks))
                mined.randomDeciding = scores.decidingLatents(of: Self.places(random))
                result.pairs.add(scores, prompt: index, positive: prompt.positive)
            }
            result.groups.append(mined)
        }
    }

    /// Among the candidates.
    private static func places(_ negatives: [ChosenNegative]) -> [Int] {
        negatives.compactMap { if case .gallery(_, let place) = $0.source { place } else { nil } }
    }

    private func mined(
        _ index: Int, _ context: SelectionContext, _ picks: [ChosenNegative], _ random: [ChosenNegative]
    ) throws -> MinedGroup {
        let rows = context.candidates.rows
        let positive = context.prompt.positive
        let alike = context.prompt.sameAnswer.subtracting(pictures.barred).subtracting([positive]).count
        let left = pictures.barred.count + (pictures.barred.contains(positive) ? 0 : 1) + alike
        let statistics = PickStatistics(
            picks: picks, random: random, images: images, positive: positive, candidates: rows.count,
            nearDuplicates: images.rows - left - rows.count, sameAnswer: alike)
        var mined = MinedGroup(
            index: index, negatives: try picks.enumerated().map { try negative($1, group: index, place: $0) },
            probabilities: NegativeSampler(.importance, count: 1).proposal(picks.map(\.score)), statistics: statistics)
        if index < configuration.pageGroups {
            mined.entry = try GalleryEntry(
                prompt: context.prompt, question: groups[index].prompt, chosen: groups[index].chosen,
                positivePath: groups[index].image, path: { pictures.paths[$0] }, images: images,
                scores: context.candidates, picks: picks, random: random,
                transparency: configuration.data.transparency, phrases: entryPhrases(index, positive))
        }
        return mined
    }

    private func entryPhrases(_ index: Int, _ positive: Int) -> EntryPhrases? {
        guard let phrases else { return nil }
        return EntryPhrases(pieces: phrases.pieces[index]) { row in
            try phrases.falls(index, positive: pictures.keys[positive], negative: pictures.keys[row])
        }
    }

    /// A negative as groups.jsonl names it; a changed positive is written as a picture of its own.
    private func negative(_ pick: ChosenNegative, group: Int, place: Int) throws -> MinedGroup.Negative {
        switch pick.source {
        case .gallery(let row, _):
            return .init(image: Self.relative(pictures.paths[row], to: configuration.data.images), score: pick.score)
        case .perturbed(let source):
            let folder = configuration.output.appending(path: "perturbed")
            try OutputFolder.make(folder)
            let file = folder.appending(path: "\(group)-\(place).png")
            try FileOutput.create(file, isDurable: false) { output in
                try source.rendered(configuration.data.transparency).pngData().withUnsafeBytes { try output.write($0) }
            }
            return .init(image: file.path, score: pick.score)
        }
    }

    private func checkEnough(_ rows: [Int], _ prompt: MiningPrompt) throws(MISPError) {
        guard rows.count < configuration.pool, configuration.strategy != .perturb else { return }
        throw MISPError(
            "has \(rows.count) candidates in the gallery, fewer than the pool of \(configuration.pool)"
                + (prompt.sameAnswer.count > 1
                    ? "; \(prompt.sameAnswer.count - 1) are pictures of groups with its prompt and chosen response"
                    : ""),
            at: "\(configuration.data.prompts.relativePath): \(prompt.id)",
            remedy: "give a larger gallery, lower pool, or raise duplicate_cosine")
    }

    private static func unscored(_ rows: [Int]) -> CandidateScores {
        let zeros = [Float](repeating: 0, count: rows.count)
        return CandidateScores(rows: rows, errors: zeros, deviations: zeros, latents: Matrix(zeros: rows.count, 1))
    }

    /// A path as a configuration with those `data.images` reads it.
    static func relative(_ path: String, to folder: URL) -> String {
        path.hasPrefix("\(folder.path)/") ? String(path.dropFirst(folder.path.count + 1)) : path
    }
}
