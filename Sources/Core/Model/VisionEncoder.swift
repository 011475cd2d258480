/// What of a picture is fed to a model: the part of its way that no training changes, and the shape it has.
public struct VisionInput<A: Arithmetic>: Sendable {
    /// Patches where the tower is trained, its features where only the connector is, else rows of the language model.
    public let fixedPart: Matrix<A.Element>
    /// Of the picture that it was made of.
    public let shape: PictureShape

    /// A picture's fixed part, as `VisionEncoder.input` makes it.
    public init(_ fixedPart: Matrix<A.Element>, shape: PictureShape) {
        self.fixedPart = fixedPart
        self.shape = shape
    }
}

/// From pictures to rows of the language model: a vision tower, and a connector that makes such rows of its features.
///
/// Pictures are stacked row under row; those of a batch may differ in shape. A family's encoder is a type of its own,
/// with the forward and backward passes of both parts side by side; `pass` joins them for the model.
public protocol VisionEncoder<A>: Sendable {
    associatedtype A: Arithmetic
    /// What the tower's backward pass needs.
    associatedtype TowerActivations
    /// What the connector's backward pass needs.
    associatedtype ConnectorActivations

    /// Whether anything in the tower is trained.
    var isTowerTrained: Bool { get }
    /// Whether anything in the connector is trained.
    var isConnectorTrained: Bool { get }
    /// Values of a patch.
    var patchWidth: Int { get }
    /// Columns of the tower's features.
    var featureWidth: Int { get }
    /// Columns of the language model's rows.
    var rowWidth: Int { get }
    /// Rows of patches, of the tower's features and of the language model that a picture has.
    func rows(_ shape: PictureShape) -> VisionRows
    /// A picture's patches, a row each.
    func patches(_ picture: ProcessedPicture) -> Matrix<A.Element>
    /// Features of stacked patches. Of its layers stays what `keeping` says.
    func towerForward(
        _ patches: Matrix<A.Element>, _ shapes: [PictureShape], keeping: Keeping
    ) -> (Matrix<A.Element>, TowerActivations)
    /// Adds the gradients of the tower's weights.
    func towerBackward(_ dFeatures: Matrix<A.Element>, _ saved: TowerActivations, _ gradient: Gradient<A.Element>)
    /// Rows of the language model from stacked features.
    func connectorForward(
        _ features: Matrix<A.Element>, _ shapes: [PictureShape]
    ) -> (Matrix<A.Element>, ConnectorActivations)
    /// Adds the gradients of the connector's weights; overwrites `dFeatures`, which is nil where the tower is frozen.
    func connectorBackward(
        _ dRows: Matrix<A.Element>, _ saved: ConnectorActivations, _ gradient: Gradient<A.Element>,
        into dFeatures: Matrix<A.Element>?)
}

/// Rows of a picture along its way.
public struct VisionRows: Sendable, Equatable {
    /// Into the tower.
    public let patches: Int
    /// Out of the tower.
    public let features: Int
    /// In a sequence.
    public let language: Int
}

/// A picture's way through what is trained of an encoder, and the way back.
public struct VisionPass<A: Arithmetic> {
    /// Rows of the language model, picture after picture.
    public let rows: Matrix<A.Element>
    /// Takes the rows' gradient; nil where nothing on the way is trained, or nothing was kept.
    let backward: ((Matrix<A.Element>, Gradient<A.Element>) -> Void)?
}

extension VisionEncoder {
    /// Whether any of it is trained.
    public var isTrained: Bool { isTowerTrained || isConnectorTrained }

    /// Rows and columns of the fixed part of a picture's way.
    public func fixedShape(_ shape: PictureShape) -> (rows: Int, columns: Int) {
        let rows = rows(shape)
        if isTowerTrained { return (rows.patches, patchWidth) }
        return isConnectorTrained ? (rows.features, featureWidth) : (rows.language, rowWidth)
    }

    /// The part of a picture's way through the model that no training changes, so that it is computed once.
    public func input(_ picture: ProcessedPicture) -> VisionInput<A> {
        let patches = patches(picture)
        if isTowerTrained { return VisionInput(patches, shape: picture.shape) }
        let features = towerForward(patches, [picture.shape], keeping: .nothing).0
        if isConnectorTrained { return VisionInput(features, shape: picture.shape) }
        return VisionInput(connectorForward(features, [picture.shape]).0, shape: picture.shape)
    }

    /// The features of a picture as the tower gives them.
    public func features(_ picture: ProcessedPicture) -> Matrix<A.Element> {
        towerForward(patches(picture), [picture.shape], keeping: .nothing).0
    }

    /// The rest of the pictures' way to rows of the language model.
    ///
    /// - Parameter keeping: what stays of the tower's layers; the connector's activations stay unless nothing does
    public func pass(_ inputs: [VisionInput<A>], keeping: Keeping = .everything) -> VisionPass<A> {
        let stacked = Matrix.stacked(inputs.map(\.fixedPart))
        guard isTrained, !inputs.isEmpty else { return VisionPass(rows: stacked, backward: nil) }
        let shapes = inputs.map(\.shape)
        guard isTowerTrained else {
            let (rows, saved) = connectorForward(stacked, shapes)
            if case .nothing = keeping { return VisionPass(rows: rows, backward: nil) }
            return VisionPass(rows: rows) { connectorBackward($0, saved, $1, into: nil) }
        }
        let (features, savedTower) = towerForward(stacked, shapes, keeping: keeping)
        let (rows, savedConnector) = connectorForward(features, shapes)
        if case .nothing = keeping { return VisionPass(rows: rows, backward: nil) }
        return VisionPass(rows: rows) { dRows, gradient in
            let dFeatures = Matrix<A.Element>(uninitialized: features.rows, features.columns)
            connectorBackward(dRows, savedConnector, gradient, into: dFeatures)
            towerBackward(dFeatures, savedTower, gradient)
        }
    }
}

extension Matrix {
    /// All rows of the matrices, one after the other, in memory of their own.
    package static func stacked(_ parts: [Matrix]) -> Matrix {
        let result = Matrix(uninitialized: parts.reduce(0) { $0 + $1.rows }, parts.first?.columns ?? 0)
        var start = 0
        for part in parts {
            result.rows(start..<start + part.rows).copyElements(of: part)
            start += part.rows
        }
        return result
    }
}
