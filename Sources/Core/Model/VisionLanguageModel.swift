import Foundation

/// A vision-language model: a vision tower, a connector and a language model.
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
    /// From pictures to rows of the language model.
    public let encoder: any VisionEncoder<A>
    /// Canonical paths of the modules that can have an adapter.
    let projections: [String]
    /// Every tensor of the checkpoint with its values now; low-rank adapters stand apart.
    public let tensors: [NamedWeight<A>]
    /// Those of the adapters, by canonical name. In layers that are never run they stay as they are.
    let adapterTensors: [NamedWeight<A>]

    /// - Parameters:
    ///   - common: the shape of all preprocessed pictures, where there is one
    ///   - seed: of the adapters' initial values
    ///   - hasValues: false leaves the trained parameters without memory: names and shapes are checked and counted, and
    ///     nothing can be computed.
    public init(
        _ configuration: ModelConfiguration, from source: some TensorSource, common: PictureShape?,
        trainable: Trainable, seed: UInt64, hasValues: Bool = true
    ) throws {
        let builder = ModelBuilder<A>(source: source, trainable: trainable, seed: seed)
        self.configuration = configuration
        self.trainable = trainable
        language = try builder.languageModel(configuration.text)
        encoder = try configuration.family.encoder(builder, common: common)
        try (source as? TensorCatalog)?.checkAllUsed()
        if hasValues { try builder.store.seal() }
        parameters = builder.store
        (tensors, adapterTensors, projections) = (builder.tensors, builder.adapterTensors, builder.projections)
    }

    /// What the backward pass needs.
    public struct Activations {
        let layout: SequenceLayout
        let images: VisionPass<A>
        /// By image: its rows among all images' rows.
        let imageRows: [Range<Int>]
        let language: LanguageModel<A>.Activations
        let keeping: Keeping

        /// That the backward pass spent on running layers forward again.
        public var secondsAgain: Double {
            if case .layerInputs(let again) = keeping { return again.seconds }
            return 0
        }
        /// What the layout's responses were given, token by token.
        public var scores: ResponseScores<A> { language.scores }
    }

    /// Log-probabilities of the layout's responses, given what is fixed of the batch's images.
    ///
    /// - Parameters:
    ///   - keeping: what stays for `backward`, whose gradient is the same to the bit whether everything does or the
    ///     layers' inputs, unless these are rounded
    ///   - dropout: before the language model's adapters; nil: none
    public func forward(
        _ layout: SequenceLayout, images inputs: [VisionInput<A>], keeping: Keeping = .everything,
        dropout: Dropout? = nil
    ) -> ([Double], Activations) {
        let images = encoder.pass(inputs, keeping: keeping)
        let imageRows = Self.ranges(inputs.map { encoder.rows($0.shape).language })
        let rows = language.embed(layout)
        for place in layout.images {
            Self.forEachPart(of: place, imageRows) { own, features in
                rows.rows(own).copyElements(of: images.rows.rows(features))
            }
        }
        let (logProbabilities, savedLanguage) = language.forward(rows, layout, keeping: keeping, dropout: dropout)
        let saved = Activations(
            layout: layout, images: images, imageRows: imageRows, language: savedLanguage, keeping: keeping)
        return (logProbabilities, saved)
    }

    /// Adds the gradient of Σ coefficient·log-probability over the responses, and of the divergence from a reference
    /// where one is given. Consumes the activations, of which something must have been kept, and the reference's
    /// scores.
    public func backward(
        _ coefficients: [Double], _ saved: Activations, _ gradient: Gradient<A.Element>,
        divergence: Divergence<A>? = nil
    ) {
        let images = saved.images
        let dInputs = language.backward(
            coefficients, saved.language, gradient,
            needsInput: images.backward != nil || language.embedding.isTrained, divergence: divergence)
        guard let dInputs else { return }
        language.embedBackward(dInputs, saved.layout, gradient)
        guard let backward = images.backward, !saved.layout.images.isEmpty else { return }
        let dRows = Matrix<A.Element>(zeros: images.rows.rows, dInputs.columns)
        for place in saved.layout.images {
            Self.forEachPart(of: place, saved.imageRows) { own, features in
                A.add(dInputs.rows(own), to: dRows.rows(features))
            }
        }
        backward(dRows, gradient)
    }

    /// One behind the other.
    private static func ranges(_ counts: [Int]) -> [Range<Int>] {
        var end = 0
        return counts.map { count in
            end += count
            return end - count..<end
        }
    }

    /// The layout's rows that show an image, with the rows of its features that go there.
    private static func forEachPart(
        of place: SequenceLayout.ImagePlace, _ imageRows: [Range<Int>], _ work: (Range<Int>, Range<Int>) -> Void
    ) {
        var next = imageRows[place.image].lowerBound
        for rows in place.rows {
            work(rows, next..<next + rows.count)
            next += rows.count
        }
    }
}
