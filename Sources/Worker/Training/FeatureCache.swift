import Core
import Foundation

/// Pictures on their way into the model: decoded, preprocessed, and passed through whatever is not trained.
///
/// What no training changes is computed once per picture and kept while it fits; the picture longest unused goes
/// first. The content is a pure function of the file, so neither ranks nor evictions can change a result.
final class FeatureCache<A: VectorArithmetic> {
    private let model: VisionLanguageModel<A>
    /// What pictures become.
    var places: PicturePlaces
    private let cause: NonFiniteCause
    private let limitBytes: Int
    private var bytes = 0
    private var clock = 0
    private var entries: [ImageSource: (input: VisionInput<A>, lastUse: Int)] = [:]
    /// What all ranks of a host share.
    private var kept: (store: RowStore, keys: [ImageSource: Digest])?

    /// - Parameter cause: what an error names where a feature is not finite
    init(
        _ model: VisionLanguageModel<A>, _ places: PicturePlaces, cause: NonFiniteCause, limitBytes: Int = 2 << 30
    ) {
        self.cause = cause
        self.model = model
        self.places = places
        self.limitBytes = limitBytes
    }

    /// Whether what it holds is the model's whole way from picture to language model.
    var isOfFrozenModel: Bool { !model.encoder.isTrained }

    /// Rows and columns of what is kept of a picture on disk; nil where that is nothing but its patches.
    func storedShape(of image: ImageSource) throws(MISPError) -> (rows: Int, columns: Int)? {
        guard !model.encoder.isTowerTrained else { return nil }
        return model.encoder.fixedShape(try places.shape(of: image))
    }

    /// Looks into a store on disk before anything is computed.
    func read(from store: RowStore, keys: [ImageSource: Digest]) { kept = (store, keys) }

    /// A picture as the model is given it.
    func input(of image: ImageSource) throws -> VisionInput<A> {
        if let kept, let row = kept.keys[image].flatMap({ kept.store[$0] }), let size = try storedShape(of: image),
            row.count == size.rows * size.columns
        {
            return VisionInput(row.reshaped(size.rows, size.columns), shape: try places.shape(of: image))
        }
        clock += 1
        if let entry = entries[image] {
            entries[image] = (entry.input, clock)
            return entry.input
        }
        let input = try compute(image)
        bytes += 4 * input.fixedPart.count
        while bytes > limitBytes, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            bytes -= 4 * oldest.value.input.fixedPart.count
            entries[oldest.key] = nil
        }
        entries[image] = (input, clock)
        return input
    }

    /// Without looking for what is kept.
    ///
    /// - Throws: `MISPError` for a picture that cannot be read, or whose features are not finite: none is ever kept.
    func compute(_ image: ImageSource) throws -> VisionInput<A> {
        let input = model.encoder.input(try image.picture(places.processor))
        guard input.fixedPart.isFinite else { throw cause.failure("its features are not finite", at: image.path) }
        return input
    }
}
