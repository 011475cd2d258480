/// A sequence of a preference group.
public enum GroupSequence: Sendable, Equatable {
    /// The chosen response with the right picture.
    case chosen
    /// The rejected response with the right picture.
    case rejected
    /// The chosen response with the negative image of that place in the draw.
    case negative(Int)

    /// For messages.
    package var words: String {
        switch self {
        case .chosen: "its chosen response"
        case .rejected: "its rejected response"
        case .negative(let place): "its chosen response with negative picture \(place + 1)"
        }
    }
}

/// One number per sequence of a preference group.
public struct GroupValues: Sendable, Equatable {
    /// The chosen response given the positive image.
    public var chosen: Double
    /// The rejected response given the positive image.
    public var rejected: Double?
    /// The chosen response given each drawn negative image.
    public var negatives: [Double]

    /// Unless told otherwise, a group of the chosen response alone.
    public init(chosen: Double, rejected: Double? = nil, negatives: [Double] = []) {
        self.chosen = chosen
        self.rejected = rejected
        self.negatives = negatives
    }

    /// The same sequences, each with that value.
    public func filled(with value: Double) -> GroupValues {
        GroupValues(
            chosen: value, rejected: rejected.map { _ in value }, negatives: negatives.map { _ in value })
    }

    /// h = log π_θ − log π_ref, sequence by sequence.
    public static func - (policy: GroupValues, reference: GroupValues) -> GroupValues {
        GroupValues(
            chosen: policy.chosen - reference.chosen,
            rejected: policy.rejected.flatMap { p in reference.rejected.map { p - $0 } },
            negatives: zip(policy.negatives, reference.negatives).map { $0 - $1 })
    }

    /// Every value times the factor.
    public func scaled(by factor: Double) -> GroupValues {
        GroupValues(
            chosen: factor * chosen, rejected: rejected.map { factor * $0 }, negatives: negatives.map { factor * $0 })
    }

    /// The value of one sequence; setting `rejected` makes it present.
    public subscript(sequence: GroupSequence) -> Double {
        get {
            switch sequence {
            case .chosen: chosen
            case .rejected: rejected ?? 0
            case .negative(let place): negatives[place]
            }
        }
        set {
            switch sequence {
            case .chosen: chosen = newValue
            case .rejected: rejected = newValue
            case .negative(let place): negatives[place] = newValue
            }
        }
    }
}
