/// CLIP's two towers and their projections, forward and backward (Radford et al., arXiv 2103.00020, figure 3).
///
/// Legend: `B` pictures or texts, `P` numbers of an embedding.
public struct ClipNetwork<A: Arithmetic>: Sendable {
    /// From patches to hidden states.
    public let image: VisionTower<A>
    let imageProjection: Linear<A>
    let text: ClipTextTower<A>
    let textProjection: Linear<A>
    /// The logarithm of the factor on the cosines in training; nil where nothing is trained.
    let logitScale: Weight<A.Element>?
    /// All weights where they are trained, else nothing.
    public let parameters: ParameterStore<A.Element>
    /// Everything as a file holds it.
    public let tensors: [NamedWeight<A>]

    /// - Parameters:
    ///   - source: tensors under the names of Hugging Face's `CLIPModel`
    ///   - pixels: height and width of the preprocessed pictures
    ///   - isTrained: whether all weights are to be trained, or none
    public init(
        _ shape: ClipConfiguration, from source: any TensorSource, pixels: (height: Int, width: Int), isTrained: Bool
    ) throws {
        let trainable = Trainable(language: .frozen, vision: isTrained ? .full : .frozen)
        let builder = ModelBuilder<A>(source: source, trainable: trainable, seed: 0)
        image = try builder.visionTower(
            shape.vision, root: "vision_model", featureLayers: [shape.vision.layers], dropsFirstRow: false,
            pixels: pixels, trainsPostNorm: isTrained)
        imageProjection = try builder.linear(
            "visual_projection", out: shape.projection, in: shape.vision.hiddenSize, bias: false, trained: isTrained)
        text = try builder.clipTextTower(shape.text, trained: isTrained)
        textProjection = try builder.linear(
            "text_projection", out: shape.projection, in: shape.text.hiddenSize, bias: false, trained: isTrained)
        logitScale = isTrained ? try builder.weight("logit_scale", [], trained: true) : nil
        try builder.store.seal()
        (parameters, tensors) = (builder.store, builder.tensors)
    }

    /// What `imagesBackward` needs.
    public struct ImageActivations {
        let tower: VisionTower<A>.Activations
        let rows: Int
        let classRows: [Int]
        let norm: LayerNorm<A>.Activations
        let projection: Linear<A>.Activations
    }

    /// The class tokens' last hidden states, normed and projected: B × P, not yet of unit length.
    ///
    /// - Parameter patches: of `count` pictures, one after the other, as `image.patches` gives them
    public func images(_ patches: Matrix<A.Element>, count: Int) -> (Matrix<A.Element>, ImageActivations) {
        let (states, saved) = image.forward(patches, images: count)
        let classRows = (0..<count).map { $0 * states.rows / count }
        let (pooled, savedNorm) = image.postNorm.forward(states.gathered(classRows))
        let (embeddings, savedProjection) = imageProjection.forward(pooled)
        return (
            embeddings,
            ImageActivations(
                tower: saved, rows: states.rows, classRows: classRows, norm: savedNorm, projection: savedProjection)
        )
    }

    /// Adds the gradients of the image tower and its projection.
    public func imagesBackward(_ d: Matrix<A.Element>, _ saved: ImageActivations, _ gradient: Gradient<A.Element>) {
        let dPooled = Matrix<A.Element>(uninitialized: d.rows, imageProjection.weight.columns)
        A.setSum(dPooled, imageProjection.backward(d, saved.projection, gradient))
        let dClass = Matrix<A.Element>(zeros: d.rows, dPooled.columns)
        image.postNorm.backward(dPooled, saved.norm, gradient, to: dClass)
        let dStates = Matrix<A.Element>(zeros: saved.rows, dPooled.columns)
        A.addRows(dClass, to: dStates, at: saved.classRows)
        image.backward(dStates, saved.tower, gradient)
    }

    /// What `textsBackward` needs.
    public struct TextActivations {
        let tower: ClipTextTower<A>.Activations
        let projection: Linear<A>.Activations
    }

    /// The pooled tokens' last hidden states, projected: B × P, not yet of unit length.
    public func texts(_ texts: [(tokens: [Int32], place: Int)]) -> (Matrix<A.Element>, TextActivations) {
        let (pooled, saved) = text.forward(texts)
        let (embeddings, savedProjection) = textProjection.forward(pooled)
        return (embeddings, TextActivations(tower: saved, projection: savedProjection))
    }

    /// Adds the gradients of the text tower and its projection.
    public func textsBackward(_ d: Matrix<A.Element>, _ saved: TextActivations, _ gradient: Gradient<A.Element>) {
        let dPooled = Matrix<A.Element>(uninitialized: d.rows, textProjection.weight.columns)
        A.setSum(dPooled, textProjection.backward(d, saved.projection, gradient))
        text.backward(dPooled, saved.tower, gradient)
    }

    /// log s of the loss (`ContrastiveLoss`); 0 where nothing is trained.
    public var logScale: Double { logitScale.map { Double($0.vector[0]) } ?? 0 }

    /// Adds ∂ℓ/∂logit_scale.
    public func addScaleGradient(_ value: Double, _ gradient: Gradient<A.Element>) {
        guard let d = logitScale?.gradient(in: gradient) else { return }
        d[0, 0] += A.Element(value)
    }
}
