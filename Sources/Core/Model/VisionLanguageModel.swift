import Foundation

/// A LLaVA model: a vision tower, a projector and a language model (Liu et al., arXiv 2310.03744).
///
/// It gives log-probabilities of responses and, for one coefficient per response, gradients; what the coefficients
/// come from it does not know.
public struct VisionLanguageModel<A: Arithmetic>: Sendable {
    /// Its shape.
    public let configuration: ModelConfiguration
    /// What of it is trained.
    public let trainable: Trainable
    /// What is trained, in one flat buffer.
    public let parameters: ParameterStore<A.Element>
    /// Gives the log-probabilities.
    public var language: LanguageModel<A>
    /// From the tower's features to rows of the language model.
    public let projector: TwoLayerNetwork<A>
    /// From patches to features.
    public let tower: VisionTower<A>
    /// Every tensor of the checkpoint with its values now; low-rank adapters stand apart.
    public let tensors: [NamedWeight<A>]

    /// - Parameters:
    ///   - pixels: height and width of the preprocessed pictures
    ///   - seed: of the adapters' initial values
    ///   - hasValues: false leaves the trained parameters without memory: names and shapes are checked and counted, and
    ///     nothing can be computed.
    public init(
        _ configuration: ModelConfiguration, from source: some TensorSource, pixels: (height: Int, width: Int),
        trainable: Trainable, seed: UInt64, hasValues: Bool = true
    ) throws {
        let builder = ModelBuilder<A>(source: source, trainable: trainable, seed: seed)
        self.configuration = configuration
        self.trainable = trainable
        language = try builder.languageModel(configuration.text)
        projector = try builder.projector(configuration)
        tower = try builder.visionTower(configuration, pixels: pixels)
        try (source as? TensorCatalog)?.checkAllUsed()
        if hasValues { try builder.store.seal() }
        parameters = builder.store
        tensors = builder.tensors
    }

    /// Rows that one picture takes in a sequence.
    public func imageRows(height: Int, width: Int) -> Int {
        let patches = (height / tower.patchSide) * (width / tower.patchSide)
        return patches + (tower.classToken == nil ? 0 : 1) - (tower.dropsFirstRow ? 1 : 0)
    }

    /// The part of a picture's way through the model that no training changes, so that it is computed once: patches
    /// where the tower is trained, its features where only the projector is, projected features otherwise.
    public func fixedPart(of pixels: [Float], height: Int, width: Int) -> Matrix<A.Element> {
        let patches = tower.patches(of: pixels, height: height, width: width)
        if tower.isTrained { return patches }
        let features = tower.forward(patches, images: 1).0
        return projector.isTrained ? features : projector.forward(features).0
    }

    /// What the language model is given of a picture, from its fixed part: a row for each of its rows in a sequence.
    public func features(ofFixedPart part: Matrix<A.Element>) -> Matrix<A.Element> {
        let features = tower.isTrained ? tower.forward(part, images: 1).0 : part
        return tower.isTrained || projector.isTrained ? projector.forward(features).0 : features
    }

    /// What the backward pass needs.
    public struct Activations {
        let layout: SequenceLayout
        let tower: VisionTower<A>.Activations?
        let projector: TwoLayerNetwork<A>.Activations?
        let language: LanguageModel<A>.Activations

        /// What the layout's responses were given, token by token.
        public var scores: ResponseScores<A> { language.scores }
    }

    /// Log-probabilities of the layout's responses, given the fixed parts of the batch's images.
    public func forward(_ layout: SequenceLayout, images: [Matrix<A.Element>]) -> ([Double], Activations) {
        var features = stacked(images)
        var savedTower: VisionTower<A>.Activations?
        if tower.isTrained, !images.isEmpty { (features, savedTower) = tower.forward(features, images: images.count) }
        var savedProjector: TwoLayerNetwork<A>.Activations?
        if (tower.isTrained || projector.isTrained), !images.isEmpty {
            (features, savedProjector) = projector.forward(features)
        }
        let inputs = language.embed(layout)
        for place in layout.images {
            let count = place.rows.count
            inputs.rows(place.rows).copyElements(of: features.rows(place.image * count..<(place.image + 1) * count))
        }
        let (logProbabilities, savedLanguage) = language.forward(inputs, layout)
        let saved = Activations(
            layout: layout, tower: savedTower, projector: savedProjector, language: savedLanguage)
        return (logProbabilities, saved)
    }

    /// Adds the gradient of Σ coefficient·log-probability over the responses, and of the divergence from a reference
    /// where one is given. Consumes the activations and the reference's scores.
    public func backward(
        _ coefficients: [Double], _ saved: Activations, _ gradient: Gradient<A.Element>,
        divergence: Divergence<A>? = nil
    ) {
        let needsImages = saved.projector != nil
        let dInputs = language.backward(
            coefficients, saved.language, gradient, needsInput: needsImages || language.embedding.isTrained,
            divergence: divergence)
        guard let dInputs else { return }
        language.embedBackward(dInputs, saved.layout, gradient)
        guard let savedProjector = saved.projector, let place = saved.layout.images.first else { return }
        let images = (saved.layout.images.map(\.image).max() ?? 0) + 1
        let count = place.rows.count
        let dProjected = Matrix<A.Element>(zeros: images * count, dInputs.columns)
        for place in saved.layout.images {
            A.add(dInputs.rows(place.rows), to: dProjected.rows(place.image * count..<(place.image + 1) * count))
        }
        let dFeatures =
            tower.isTrained ? Matrix<A.Element>(uninitialized: dProjected.rows, projector.first.weight.columns) : nil
        projector.backward(dProjected, savedProjector, gradient, into: dFeatures)
        if let dFeatures, let savedTower = saved.tower { tower.backward(dFeatures, savedTower, gradient) }
    }

    private func stacked(_ images: [Matrix<A.Element>]) -> Matrix<A.Element> {
        let rows = images.reduce(0) { $0 + $1.rows }
        let result = Matrix<A.Element>(uninitialized: rows, images.first?.columns ?? 0)
        var start = 0
        for image in images {
            result.rows(start..<start + image.rows).copyElements(of: image)
            start += image.rows
        }
        return result
    }
}
