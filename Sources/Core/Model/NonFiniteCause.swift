import Foundation

/// Where a number that is not finite comes from: looked for once one has come out, so that sound weights are never read
/// for it.
public struct NonFiniteCause: Sendable {
    private let folder: URL
    private let parameters: ParameterStore<Float>?

    /// - Parameters:
    ///   - folder: of the model whose weights may be to blame
    ///   - parameters: what is trained or adapted over them
    public init(folder: URL, parameters: ParameterStore<Float>? = nil) {
        (self.folder, self.parameters) = (folder, parameters)
    }

    /// An error that says `what` has come out at `place` and names the tensor that is to blame, if there is one. Reads
    /// all weights.
    public func failure(_ what: String, at place: String) -> MISPError {
        if let tensor = storedTensor {
            return MISPError(
                "\(what): the tensor \(tensor.name) of \(tensor.file.path) holds values that are not finite", at: place,
                remedy: "use a checkpoint whose weights are finite")
        }
        if let slot = parameters.flatMap(Self.slot) {
            return MISPError(
                "\(what): the trained tensor \(slot.name) holds values that are not finite", at: place,
                remedy: "resume from an earlier checkpoint, with a lower learning rate")
        }
        return MISPError(
            what, at: place,
            remedy: parameters?.isUpdated == true
                ? "lower the learning rate or inspect this group"
                : "every weight is finite, so values grow too large on their way: is config.json the weights' own?")
    }

    /// Of the files, in the order of names.
    private var storedTensor: StoredTensor? {
        guard let tensors = try? TensorCatalog(folder: folder).tensors else { return nil }
        return tensors.sorted { $0.key < $1.key }.first { !$0.value.isFinite }?.value
    }

    private static func slot(_ parameters: ParameterStore<Float>) -> ParameterSlot? {
        parameters.slots.first { !parameters[$0].isFinite }
    }
}
