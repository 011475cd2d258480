/// What sets one kind of vision transformer apart from the others: its files' keys, names and parts.
///
/// An architecture is one file and one line of `all`.
public struct VisionArchitecture: Sendable, Equatable {
    /// Those that can be read.
    public static let all: [VisionArchitecture] = [.clip, .siglip, .dinov2]

    /// As config.json names it.
    public let modelType: String
    /// What is made of each key of its configuration.
    package let keys: KeyTable
    let defaults: Defaults
    /// The key of its feed-forward networks' width, and whether that is a multiple of C.
    let width: (key: String, isRatio: Bool)
    let parts: Parts
    let names: Names

    /// What its class in transformers has where config.json says nothing.
    struct Defaults: Sendable {
        /// C
        var hiddenSize = 768
        /// H
        var heads = 12
        /// Pixels.
        let patchSide: Int
        let activation: Activation
        /// Of every LayerNorm.
        let epsilon: Double
    }

    struct Parts: Sendable {
        /// A token of its own before an image's patches.
        let hasClassToken: Bool
        let patchHasBias: Bool
        /// A factor per channel behind attention and network.
        let hasLayerScale: Bool
        /// Positions and class token are stored with a leading dimension of 1.
        let hasLeadingDimension: Bool
        /// Positions are resampled to pictures of other sizes than the checkpoint's.
        let resamplesPositions: Bool
    }

    /// The names that Hugging Face gives to its tensors.
    struct Names: Sendable {
        let classToken: String
        let positions: String
        let patch: String
        /// A norm before the first layer.
        let preNorm: String?
        let postNorm: String
        let layer: String
        let norms: (String, String)
        let attention: String
        let output: String
    }

    /// By `modelType`.
    public static func == (a: VisionArchitecture, b: VisionArchitecture) -> Bool { a.modelType == b.modelType }
}
