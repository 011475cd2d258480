import Core
import Foundation

/// Pictures on their way into the model: decoded, preprocessed, and passed through whatever is not trained.
///
/// What no training changes is computed once per picture and kept while it fits; the picture longest unused goes
/// first. The content is a pure function of the file, so neither ranks nor evictions can change a result.
final class FeatureCache {
    private let model: VisionLanguageModel<Vector>
    let processor: ImageProcessor
    private let cause: NonFiniteCause
    private let limitBytes: Int
    private var bytes = 0
    private var clock = 0
    private var entries: [ImageSource: (features: Matrix<Float>, lastUse: Int)] = [:]
    /// What all ranks of a host share.
    private var kept: (store: RowStore, keys: [ImageSource: Digest])?

    /// - Parameter cause: what an error names where a feature is not finite
    init(
        _ model: VisionLanguageModel<Vector>, processor: ImageProcessor, cause: NonFiniteCause,
        limitBytes: Int = 2 << 30
    ) {
        self.cause = cause
        self.model = model
        self.processor = processor
        self.limitBytes = limitBytes
    }

    /// Whether what it holds is the model's whole way from picture to language model.
    var isOfFrozenModel: Bool { !model.tower.isTrained && !model.projector.isTrained }

    /// Of what no training changes; nil where that is nothing but the picture's patches.
    var featureShape: (rows: Int, columns: Int)? {
        guard !model.tower.isTrained else { return nil }
        let rows = model.imageRows(height: processor.height, width: processor.width)
        return (
            rows, model.projector.isTrained ? model.projector.first.weight.columns : model.language.embedding.columns
        )
    }

    /// Looks into a store on disk before anything is computed.
    func read(from store: RowStore, keys: [ImageSource: Digest]) { kept = (store, keys) }

    func features(of image: ImageSource) throws -> Matrix<Float> {
        if let shape = featureShape, let kept, let row = kept.keys[image].flatMap({ kept.store[$0] }),
            row.count == shape.rows * shape.columns
        {
            return row.reshaped(shape.rows, shape.columns)
        }
        clock += 1
        if let entry = entries[image] {
            entries[image] = (entry.features, clock)
            return entry.features
        }
        let features = try compute(image)
        bytes += 4 * features.count
        while bytes > limitBytes, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            bytes -= 4 * oldest.value.features.count
            entries[oldest.key] = nil
        }
        entries[image] = (features, clock)
        return features
    }

    /// Without looking for what is kept.
    ///
    /// - Throws: `MISPError` for a picture that cannot be read, or whose features are not finite: none is ever kept.
    func compute(_ image: ImageSource) throws -> Matrix<Float> {
        let part = model.fixedPart(of: try image.pixels(processor), height: processor.height, width: processor.width)
        guard part.isFinite else { throw cause.failure("its features are not finite", at: image.path) }
        return part
    }
}
