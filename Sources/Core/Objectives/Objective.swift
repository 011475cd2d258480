/// A training objective: a pure function from a group's log-probabilities to its loss and one coefficient per sequence
/// (docs/method.md).
///
/// The model does not know which objective it serves, and the objective knows no model. One objective is one file and
/// one line of `ObjectiveKind.types`.
public protocol Objective: Sendable {
    /// As `objective.kind` names it.
    static var name: String { get }
    /// The settings where a configuration gives none.
    static var defaults: ObjectiveSettings { get }

    /// Reads from the settings what this objective has a use for.
    init(_ settings: ObjectiveSettings)

    /// β, the strength of the tie to the reference.
    var beta: Double { get }
    /// What must be computed of a group.
    var needs: ObjectiveNeeds { get }

    /// The loss of one group, and its derivative by each log-probability.
    func callAsFunction(_ group: ScoredGroup) -> GroupLoss
}

extension Objective {
    /// With the defaults but for what is given.
    public init(
        beta: Double? = nil, textWeight: Double? = nil, anchorWeight: Double? = nil, divergenceWeight: Double? = nil
    ) {
        var settings = Self.defaults
        if let beta { settings.beta = beta }
        if let textWeight { settings.textWeight = textWeight }
        if let anchorWeight { settings.anchorWeight = anchorWeight }
        if let divergenceWeight { settings.divergenceWeight = divergenceWeight }
        self.init(settings)
    }

    /// As `objective.kind` names it.
    public var name: String { Self.name }
}

/// The numbers of a configuration's section `objective`. An objective reads those that it has a use for.
public struct ObjectiveSettings: Sendable, Equatable {
    /// β, the scale of the implicit reward. 0.1 as in TRL.
    public var beta = 0.1
    /// λ, the weight of the text loss.
    public var textWeight = 1.0
    /// α, the weight of the anchor.
    public var anchorWeight = 0.0
    /// γ, the weight of the divergences of the responses.
    public var divergenceWeight = 0.1
    /// What substituted tokens count for in their response's log-probability.
    public var tokenWeight = 4.0

    /// The defaults but for β and α.
    public init(beta: Double = 0.1, anchorWeight: Double = 0) {
        (self.beta, self.anchorWeight) = (beta, anchorWeight)
    }
}

/// What an objective needs of a group, and so what is read, drawn and computed for it.
public struct ObjectiveNeeds: Sendable, Equatable {
    /// The pictures that stand for the wrong ones.
    public enum Negatives: Sendable, Equatable {
        /// Only the right picture.
        case none
        /// Drawn from the group's pool, as a set: a draw may weigh its pictures.
        case pool
        /// Drawn from the group's pool and ranked in its order: a draw must be of distinct pictures without weights.
        case rankedPool
        /// A random crop of the positive, the same in every epoch.
        case crop
        /// The positive under diffusion noise, the same in every epoch.
        case noise
    }

    /// The rejected response, where the group has one.
    public var rejected = false
    /// The wrong pictures.
    public var negatives = Negatives.none
    /// The reference's log-probabilities.
    public var reference = true
    /// The divergences of the two responses, which take the reference's logits beside the policy's.
    public var divergence = false
    /// What tokens count for that one response has in place of the other's.
    public var tokenWeight = 1.0
    /// Whether the chosen response teaches something by itself: supervised, or by an anchor.
    public var chosenAlone = false

    /// Whether the group's own negatives are drawn from.
    public var drawsFromPool: Bool { negatives == .pool || negatives == .rankedPool }
}

/// What an objective sees of a group.
public struct ScoredGroup: Sendable {
    /// Log-probabilities of the group's sequences, sums over tokens.
    public var policy: GroupValues
    /// The same of the reference. An objective that needs none does not look at it.
    public var reference: GroupValues
    /// The drawn negatives' log-weights and estimator.
    public var draw: NegativeDraw
    /// Scored tokens of the chosen response.
    public var chosenTokens: Int
    /// Where the objective needs it and the group has a rejected response.
    public var divergence: ResponseDivergence?

    /// A sequence that only one of policy and reference has is left out of `logRatios`.
    public init(
        policy: GroupValues, reference: GroupValues, draw: NegativeDraw, chosenTokens: Int,
        divergence: ResponseDivergence? = nil
    ) {
        self.policy = policy
        self.reference = reference
        self.draw = draw
        self.chosenTokens = chosenTokens
        self.divergence = divergence
    }

    /// h = log π_θ − log π_ref, sequence by sequence.
    public var logRatios: GroupValues { policy - reference }
}

/// Σ_t KL(π_ref‖π_θ) over the tokens of the two responses, given the positive image.
public struct ResponseDivergence: Sendable, Equatable {
    /// Over the chosen response's tokens, each token counting once.
    public var chosen: Double
    /// Over the rejected response's tokens, each token counting once.
    public var rejected: Double

    /// Sums over tokens.
    public init(chosen: Double, rejected: Double) {
        self.chosen = chosen
        self.rejected = rejected
    }
}

/// A group's loss, its terms, and its gradient as one coefficient per sequence: ∂loss/∂log π_θ.
public struct GroupLoss: Sendable, Equatable {
    /// With the terms' weights in it.
    public var loss = 0.0
    /// Terms before their weights; nil where the group lacks what the term compares.
    public var image: Double?
    /// The text term; for SFT the loss itself.
    public var text: Double?
    /// ∂loss/∂log π_θ of each sequence.
    public var coefficients: GroupValues
    /// ∂loss/∂KL of the rejected response. The chosen response's KL is a constant (`CHiP`).
    public var rejectedDivergence = 0.0

    /// Nothing yet: no loss, and 0 for each of the group's sequences.
    public init(of group: ScoredGroup) { coefficients = group.policy.filled(with: 0) }
}
