extension ModelBuilder {
    /// A tower of CLIP's, SigLIP's or DINOv2's shape.
    ///
    /// - Parameters:
    ///   - root: what stands before the tensors' names.
    ///   - pixels: height and width of the preprocessed pictures.
    ///   - trainsPostNorm: for whoever uses it: features are taken before it.
    func visionTower(
        _ shape: VisionConfiguration, root: String, featureLayers: [Int], dropsFirstRow: Bool,
        pixels: (height: Int, width: Int), trainsPostNorm: Bool = false
    ) throws -> VisionTower<A> {
        let (names, parts) = (shape.architecture.names, shape.architecture.parts)
        let (width, trained) = (shape.hiddenSize, trainable.vision == .full)
        let leading = parts.hasLeadingDimension ? [1] : []
        let tokens = (shape.hasClassToken ? 1 : 0) + shape.grid * shape.grid
        let positions = try weight(
            "\(root).\(names.positions)", leading + [tokens, width], rows: tokens, trained: trained)
        let classToken =
            shape.hasClassToken
            ? try weight("\(root).\(names.classToken)", leading + leading + [width], rows: 1, trained: trained)
            : nil
        let side = shape.patchSide
        let patch = Linear<A>(
            weight: try weight("\(root).\(names.patch).weight", [width, 3, side, side], trained: trained),
            bias: parts.patchHasBias ? try weight("\(root).\(names.patch).bias", [width], trained: trained) : nil)
        let epsilon = shape.normEpsilon
        let preNorm = try names.preNorm.map {
            try layerNorm("\(root).\($0)", width, epsilon: epsilon, trained: trained)
        }
        let layers = try (0..<shape.layers).map { index in
            try visionLayer(
                "\(root).\(names.layer).\(index)", names, shape, isReached: index < featureLayers.max() ?? 0)
        }
        let postNorm = try layerNorm(
            "\(root).\(names.postNorm)", width, epsilon: epsilon, trained: trainsPostNorm)
        return VisionTower(
            patch: patch, classToken: classToken, positions: positions, resampling: try resampling(shape, pixels),
            preNorm: preNorm, layers: layers, postNorm: postNorm, featureLayers: featureLayers,
            dropsFirstRow: dropsFirstRow, patchSide: side, isTrained: trainable.vision != .frozen)
    }

    /// Of a picture whose size is not that of the checkpoint's positions: a table of patches × positions is kept.
    private static var mostPatches: Int { 16_384 }

    private func resampling(
        _ shape: VisionConfiguration, _ pixels: (height: Int, width: Int)
    ) throws(MISPError) -> Matrix<A.Element>? {
        let (height, width) = (pixels.height / shape.patchSide, pixels.width / shape.patchSide)
        if height == shape.grid && width == shape.grid { return nil }
        guard shape.architecture.parts.resamplesPositions, height > 0, width > 0 else {
            throw MISPError(
                "pictures of \(pixels.width) × \(pixels.height) pixels do not fit the vision tower's "
                    + "\(shape.imageSide) × \(shape.imageSide)", at: "preprocessor_config.json",
                remedy: "set size and crop_size to \(shape.imageSide)")
        }
        guard height * width <= Self.mostPatches else {
            throw MISPError(
                "pictures of \(pixels.width) × \(pixels.height) pixels make \(height * width) patches; at most "
                    + "\(Self.mostPatches) can be", at: "preprocessor_config.json", remedy: "set a smaller crop_size")
        }
        return PositionResampling.bicubic(from: shape.grid, toHeight: height, width: width)
    }

    private func visionLayer(
        _ name: String, _ names: VisionArchitecture.Names, _ shape: VisionConfiguration, isReached: Bool
    ) throws -> VisionLayer<A> {
        let (width, epsilon) = (shape.hiddenSize, shape.normEpsilon)
        let trained = trainable.vision == .full && isReached
        func adapted(_ module: String, out: Int, in inputs: Int) throws -> Linear<A> {
            try self.adapted(
                "\(name).\(module)", out: out, in: inputs, bias: true, trained: trained, isReached: isReached)
        }
        func projection(_ module: String) throws -> Linear<A> {
            try adapted("\(names.attention).\(module)", out: width, in: width)
        }
        func scale(_ module: String) throws -> LayerScale<A>? {
            guard shape.architecture.parts.hasLayerScale else { return nil }
            return LayerScale(factors: try weight("\(name).\(module).lambda1", [width], trained: trained))
        }
        return VisionLayer(
            attentionNorm: try layerNorm("\(name).\(names.norms.0)", width, epsilon: epsilon, trained: trained),
            attention: VisionAttention(
                query: try projection("q_proj"), key: try projection("k_proj"), value: try projection("v_proj"),
                output: try projection(names.output),
                attention: SegmentAttention(
                    heads: shape.heads, keyHeads: shape.heads, headSize: width / shape.heads, isCausal: false)),
            attentionScale: try scale("layer_scale1"),
            networkNorm: try layerNorm("\(name).\(names.norms.1)", width, epsilon: epsilon, trained: trained),
            network: TwoLayerNetwork(
                first: try adapted("mlp.fc1", out: shape.intermediateSize, in: width),
                activation: shape.activation,
                second: try adapted("mlp.fc2", out: width, in: shape.intermediateSize)),
            networkScale: try scale("layer_scale2"))
    }
}
