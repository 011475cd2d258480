import Core

/// Bytes that a run takes on a rank, and once on a host.
package struct MemoryEstimate {
    /// Mapped weights, once a host.
    let weights: Double
    /// Trained values; the gradient is as much again.
    let parameters: Double
    /// AdamW's moments of a rank's slice.
    let moments: Double
    /// At most, of a rank's own sum over its groups.
    let partialSums: Double
    let activations: Double
    /// What the first rank holds of a checkpoint while it is written; once a host.
    let checkpoint: Double

    /// Of the program itself, as `misp-worker train` took it before its first picture.
    private static let program = 32 * 0x1p20
    /// That are kept free at most, beside an eighth of the most that was ever in use (`MemoryPool`); a tenth of it fits
    /// what was measured best (docs/performance.md).
    private static let (slack, share) = (16 * 0x1p20, 0.1)
    /// Of a checkpoint at the most (docs/output.md).
    private static let mostOfCheckpoint = 2 * 0x1p30

    /// Values, gradient and partial sums are each rank's; moments are spread over the ranks.
    package init(weights: Double, trained: Int, activations: Double, groupsPerStep: Int, ranks: Int) {
        self.weights = weights
        self.activations = activations
        parameters = 4 * Double(trained)
        moments = 2 * parameters / Double(ranks)
        let groups = (groupsPerStep + ranks - 1) / ranks
        checkpoint = min(3 * parameters, Self.mostOfCheckpoint)
        partialSums = Double.logarithm2(Double(max(groups, 1))).rounded(.up) * parameters
    }

    /// The program, and freed memory that is kept for the next group.
    var spare: Double { Self.program + Self.slack + Self.share * (activations + parameters + moments) }
    var perRank: Double { 2 * parameters + moments + partialSums + activations + spare }
    /// Of the rank that takes most.
    var firstRank: Double { perRank + checkpoint }
    /// Once, beside what each rank takes.
    var perHost: Double { weights + checkpoint }
}

extension Double {
    fileprivate static func logarithm2(_ x: Double) -> Double { naturalLogarithm(x) / naturalLogarithm(2) }
}
