import Core
import Foundation

/// A group with the negatives that were found for it, on its way to rank 0.
struct MinedGroup: Codable {
    struct Negative: Codable {
        /// As groups.jsonl has it.
        let image: String
        let score: Double?
    }

    /// Place among the groups that are mined.
    let index: Int
    let negatives: [Negative]
    /// q of each, as training draws by default.
    let probabilities: [Double]
    let statistics: PickStatistics
    /// The latent that decides each negative, and each random one; empty where nothing was scored.
    var deciding: [Int] = []
    var randomDeciding: [Int] = []
    /// What the page of pictures shows of it.
    var entry: GalleryEntry?

    /// The line of groups.jsonl.
    func json(_ group: MiningInput.Group, image: String) -> JSON {
        var object = JSON.Object([
            ("id", .string(group.id)), ("prompt", Self.prompt(group)), ("chosen", .string(group.chosen)),
        ])
        object["rejected"] = group.rejected.map { .string($0) }
        object["image"] = .string(image)
        object["negatives"] = .array(
            zip(negatives, probabilities).map { negative, probability in
                var object = JSON.Object([("image", .string(negative.image))])
                object["score"] = negative.score.map { .number($0) }
                object["probability"] = .number(probability)
                return .object(object)
            })
        return .object(object)
    }

    /// A text, or the messages that were given, which a prompt template puts together.
    private static func prompt(_ group: MiningInput.Group) -> JSON {
        guard let parts = group.parts else { return .string(group.prompt) }
        var content: [JSON] = parts.map { ["type": "text", "text": .string($0)] }
        if let picture = group.picture { content.insert(["type": "image"], at: picture) }
        let system = group.system.map { [["role": "system", "content": .string($0)] as JSON] } ?? []
        return .array(system + [["role": "user", "content": .array(content)]])
    }
}

/// What is said of one group's negatives beside those drawn at random from the same candidates.
struct PickStatistics: Codable {
    let candidates: Int
    /// Rows left out as nearly the positive itself.
    let nearDuplicates: Int
    /// Rows left out as pictures of groups with the same prompt and chosen response.
    let sameAnswer: Int
    /// Mean score of the picks; nil where they have none.
    let score: Double?
    /// Mean of 1 − cos between the picks' embeddings; nil where they are not pictures of the gallery, or fewer than
    /// two.
    let distance: Double?
    /// Mean cosine of the picks with the positive.
    let similarity: Double?
    /// The same of the random ones.
    let randomScore, randomDistance, randomSimilarity: Double?
    /// The gallery's rows picked, and drawn.
    let rows, randomRows: [Int]

    init(
        picks: [ChosenNegative], random: [ChosenNegative], images: Matrix<Float>, positive: Int, candidates: Int,
        nearDuplicates: Int, sameAnswer: Int
    ) {
        (self.candidates, self.nearDuplicates, self.sameAnswer) = (candidates, nearDuplicates, sameAnswer)
        let (own, other) = (Self.rows(picks), Self.rows(random))
        (rows, randomRows) = (own, other)
        (score, randomScore) = (Self.score(picks), Self.score(random))
        (distance, randomDistance) = (Self.distance(own, images), Self.distance(other, images))
        similarity = Self.similarity(own, positive, images)
        randomSimilarity = Self.similarity(other, positive, images)
    }

    private static func rows(_ picks: [ChosenNegative]) -> [Int] {
        picks.compactMap { if case .gallery(let row, _) = $0.source { row } else { nil } }
    }

    private static func score(_ picks: [ChosenNegative]) -> Double? {
        let scores = picks.compactMap(\.score)
        return scores.isEmpty ? nil : scores.reduce(0, +) / Double(scores.count)
    }

    private static func distance(_ rows: [Int], _ images: Matrix<Float>) -> Double? {
        guard rows.count > 1 else { return nil }
        let picked = images.gathered(rows)
        let cosines = Vector.product(picked, transposed: picked)
        var sum = 0.0
        for i in rows.indices {
            for j in 0..<i { sum += 1 - Double(cosines[i, j]) }
        }
        return sum / Double(rows.count * (rows.count - 1) / 2)
    }

    private static func similarity(_ rows: [Int], _ positive: Int, _ images: Matrix<Float>) -> Double? {
        guard !rows.isEmpty else { return nil }
        let cosines = Vector.product(images.gathered(rows), transposed: images.rows(positive..<positive + 1))
        return cosines.elements.reduce(0) { $0 + Double($1) } / Double(rows.count)
    }
}
