import Coordinator
import Core

/// What is not finite ends a run before it is applied to the weights, written or saved.
extension TrainingStep {
    /// Collective; the norm is the same on every rank, so all come here or none.
    ///
    /// - Parameters:
    ///   - slice: this rank's part of the summed gradient
    ///   - groups: the step's
    func refuseGradient(_ slice: UnsafeMutableBufferPointer<Float>, step: Int, groups: [String]) throws {
        let named = groups.prefix(5).joined(separator: ", ") + (groups.count > 5 ? ", …" : "")
        let place = "step \(step + 1), groups \(named)"
        try communicator.agree {
            guard let index = slice.firstIndex(where: { !$0.isFinite }) else { return }
            throw cause.failure("the gradient of \(tensor(at: index)) is not finite", at: place)
        }
        try communicator.agree { throw cause.failure("the gradient's norm is not finite", at: place) }
    }

    /// Throws on the rank whose part of the parameters is no longer finite. Not collective.
    func checkParameters(after steps: Int) throws(MISPError) {
        guard !parametersAreFinite else { return }
        let own = UnsafeBufferPointer(
            start: parameters.values + reduction.slice.lowerBound, count: reduction.slice.count)
        let name = own.firstIndex { !$0.isFinite }.map(tensor) ?? "its second moments"
        throw MISPError(
            "the update left values in \(name) that are not finite", at: "step \(steps)",
            remedy: "lower optimizer.learning_rate; a checkpoint of an earlier step is as it was")
    }

    /// The tensor that an element of this rank's slice belongs to.
    private func tensor(at index: Int) -> String {
        let element = reduction.slice.lowerBound + index
        return parameters.slots.first { $0.offset..<$0.offset + $0.count ~= element }?.name ?? "the padding"
    }
}
