/// Everything a strategy may look at to choose a prompt's negatives.
public struct SelectionContext: Sendable {
    /// The gallery: n × d_v, rows of unit length.
    public let images: Matrix<Float>
    /// What the negatives are for.
    public let prompt: MiningPrompt
    /// Path of the positive image, for negatives made of it.
    public let positivePath: String
    /// The candidates, scored.
    public let candidates: CandidateScores
    /// With the prompt's id the key of whatever is drawn.
    public let seed: UInt64

    /// `candidates` are scored for this prompt, and their rows are rows of `images`.
    public init(
        images: Matrix<Float>, prompt: MiningPrompt, positivePath: String, candidates: CandidateScores, seed: UInt64
    ) {
        (self.images, self.prompt, self.positivePath) = (images, prompt, positivePath)
        (self.candidates, self.seed) = (candidates, seed)
    }
}

/// One negative as a strategy chose it.
public struct ChosenNegative: Sendable, Equatable {
    /// Where the picture comes from.
    public enum Source: Sendable, Equatable {
        /// Row of the gallery; its place among the candidates.
        case gallery(row: Int, place: Int)
        /// The positive image, changed.
        case perturbed(ImageSource)
    }

    /// Where the picture comes from.
    public let source: Source
    /// The mining score; images that were not scored have none.
    public let score: Double?

    /// Of a candidate or a changed picture.
    public init(source: Source, score: Double?) { (self.source, self.score) = (source, score) }
}

/// A way to choose negatives; docs/mining.md lists those that are compared.
public protocol NegativeStrategy: Sendable {
    /// `count` negatives in the order of choice, or fewer where there are no more candidates. A pure function.
    func choose(_ count: Int, _ context: SelectionContext) -> [ChosenNegative]
}

/// The strategies that a configuration can name.
public enum NegativeStrategies {
    /// What `named` knows, the paper's first.
    public static let names = ["misp", "random", "nearest", "perturb", "logdet"]

    /// - Parameter diversity: η of `misp`
    public static func named(_ name: String, diversity: Double = 1) -> (any NegativeStrategy)? {
        switch name {
        case "misp": GreedyDiverse(diversity: diversity)
        case "random": RandomNegatives()
        case "nearest": NearestNegatives()
        case "perturb": PerturbedPositive()
        case "logdet": LogDeterminant()
        default: nil
        }
    }
}

extension SelectionContext {
    /// The candidate at `place` as a negative.
    func chosen(_ place: Int) -> ChosenNegative {
        ChosenNegative(
            source: .gallery(row: candidates.rows[place], place: place), score: candidates.scores[place])
    }
}
