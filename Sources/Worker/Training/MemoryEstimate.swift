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

    /// Values, gradient and partial sums are each rank's; moments are spread over the ranks.
    package init(weights: Double, trained: Int, activations: Double, groupsPerStep: Int, ranks: Int) {
        self.weights = weights
        self.activations = activations
        parameters = 4 * Double(trained)
        moments = 2 * parameters / Double(ranks)
        let share = (groupsPerStep + ranks - 1) / ranks
        partialSums = Double.logarithm2(Double(max(share, 1))).rounded(.up) * parameters
    }

    var perRank: Double { 2 * parameters + moments + partialSums + activations }
}

extension Double {
    fileprivate static func logarithm2(_ x: Double) -> Double { naturalLogarithm(x) / naturalLogarithm(2) }
}
