/// The tower of Qwen2-VL and Qwen2.5-VL, and its merger, which makes one row of the language model of each cell.
///
/// Legend: `N` patches of all pictures, `C` channels, `m` the merge side.
struct CellEncoder<A: Arithmetic, Norm: RowNorm<A>, Network: RowNetwork<A>>: VisionEncoder {
    let family: Qwen2VL
    /// The patch convolution as a matrix: C × (3·2·p·p).
    let patch: Linear<A>
    let layers: [CellLayer<A, Norm, Network>]
    /// On each patch, before the m² of a cell are joined.
    let mergerNorm: Norm
    /// From m²·C to the language model's width.
    let merger: TwoLayerNetwork<A>
    let isTowerTrained, isConnectorTrained: Bool

    /// What the tower's backward pass needs.
    struct TowerActivations {
        let batch: CellBatch<A.Element>
        let patch: Linear<A>.Activations
        let layers: [LayerPass<A.Element, CellLayer<A, Norm, Network>.Activations>]
    }

    /// What the merger's backward pass needs.
    struct ConnectorActivations {
        let cellOrder: [Int]
        let norm: Norm.Activations
        let merger: TwoLayerNetwork<A>.Activations
    }

    var featureWidth: Int { family.vision.width }
    var rowWidth: Int { family.vision.output }
    var patchWidth: Int { patch.weight.columns }

    func rows(_ shape: PictureShape) -> VisionRows {
        let grid = CellGrid(family, shape)
        let patches = grid.count * grid.patches
        return VisionRows(patches: patches, features: patches, language: grid.count)
    }

    /// N × (3·2·p·p): cells in raster order, the patches of a cell together; the two moments of a still picture are
    /// equal.
    func patches(_ picture: ProcessedPicture) -> Matrix<A.Element> {
        let (grid, side) = (CellGrid(family, picture.shape), family.vision.patchSide)
        let (height, width) = (picture.shape.height, picture.shape.width)
        let result = Matrix<A.Element>(uninitialized: grid.count * grid.patches, patchWidth)
        for row in 0..<result.rows {
            let place = grid.place(
                cell: row / grid.patches, patch: row % grid.patches, mergeSide: family.vision.mergeSide)
            var target = result.row(row)
            for channel in 0..<3 {
                let moment = target
                for y in 0..<side {
                    let source = (channel * height + place.y * side + y) * width + place.x * side
                    for x in 0..<side { target[x] = A.Element(picture.values[source + x]) }
                    target += side
                }
                target.update(from: moment, count: side * side)
                target += side * side
            }
        }
        return result
    }

    private func batch(_ shapes: [PictureShape]) -> CellBatch<A.Element> {
        CellBatch(
            shapes.map { CellGrid(family, $0) }, mergeSide: family.vision.mergeSide, headSize: family.vision.headSize)
    }

    /// N × C, in the order of the windows.
    func towerForward(
        _ patches: Matrix<A.Element>, _ shapes: [PictureShape], keeping: Keeping
    ) -> (Matrix<A.Element>, TowerActivations) {
        let batch = batch(shapes)
        var (x, savedPatch) = patch.forward(patches.gathered(batch.order))
        var saved: [LayerPass<A.Element, CellLayer<A, Norm, Network>.Activations>] = []
        for layer in layers {
            let pass = LayerPass.forward(x, keeping: keeping) { layer.forward($0, batch) }
            saved.append(pass.1)
            x = pass.0
        }
        return (x, TowerActivations(batch: batch, patch: savedPatch, layers: saved))
    }

    func towerBackward(
        _ dFeatures: Matrix<A.Element>, _ saved: TowerActivations, _ gradient: Gradient<A.Element>
    ) {
        for (layer, pass) in zip(layers, saved.layers).reversed() {
            let activations = pass.activations { layer.forward($0, saved.batch) }
            layer.backward(dFeatures, activations, saved.batch, gradient)
        }
        _ = patch.backward(dFeatures, saved.patch, gradient)
    }

    /// A row for each cell, in raster order.
    func connectorForward(
        _ features: Matrix<A.Element>, _ shapes: [PictureShape]
    ) -> (Matrix<A.Element>, ConnectorActivations) {
        let (normal, savedNorm) = mergerNorm.forward(features)
        let width = merger.first.weight.columns
        let (merged, savedMerger) = merger.forward(
            normal.reshaped(normal.count / width, width))
        let order = shapes.map { CellGrid(family, $0) }.cellOrder
        let rows = Matrix<A.Element>(uninitialized: merged.rows, merged.columns)
        for (from, to) in order.enumerated() {
            rows.row(to).update(from: merged.row(from), count: rows.columns)
        }
        return (rows, ConnectorActivations(cellOrder: order, norm: savedNorm, merger: savedMerger))
    }

    func connectorBackward(
        _ dRows: Matrix<A.Element>, _ saved: ConnectorActivations, _ gradient: Gradient<A.Element>,
        into dFeatures: Matrix<A.Element>?
    ) {
        let dJoined = merger.backward(dRows.gathered(saved.cellOrder), saved.merger, gradient)
        let dNormal = dJoined.reshaped(dJoined.count / featureWidth, featureWidth)
        let dx = dFeatures ?? Matrix(uninitialized: dNormal.rows, featureWidth)
        dx.setZero()
        mergerNorm.backward(dNormal, saved.norm, gradient, to: dx)
    }
}

extension Qwen2VL {
    /// ε of the tower's norms, whatever config.json says.
    private static let normEpsilon = 1e-6

    public func encoder<A: Arithmetic>(
        _ builder: ModelBuilder<A>, common: PictureShape?
    ) throws -> any VisionEncoder<A> {
        let (trainsTower, trainsMerger) = (builder.trainable.vision == .full, builder.trainable.projector == .full)
        func linear(_ name: String, out: Int, in inputs: Int) throws -> Linear<A> {
            try builder.adapted(name, out: out, in: inputs, bias: true, trained: trainsTower)
        }
        guard let activation = vision.activation else {
            let norm = try rmsNorm(builder, "visual.merger.ln_q", trained: trainsMerger)
            return try encoder(builder, mergerNorm: norm) { name in
                (
                    try rmsNorm(builder, "\(name).norm1", trained: trainsTower),
                    try rmsNorm(builder, "\(name).norm2", trained: trainsTower),
                    GatedNetwork(
                        gate: try linear("\(name).mlp.gate_proj", out: vision.inner, in: vision.width),
                        up: try linear("\(name).mlp.up_proj", out: vision.inner, in: vision.width),
                        down: try linear("\(name).mlp.down_proj", out: vision.width, in: vision.inner))
                )
            }
        }
        let norm = try layerNorm(builder, "visual.merger.ln_q", trained: trainsMerger)
        return try encoder(builder, mergerNorm: norm) { name in
            (
                try layerNorm(builder, "\(name).norm1", trained: trainsTower),
                try layerNorm(builder, "\(name).norm2", trained: trainsTower),
                TwoLayerNetwork(
                    first: try linear("\(name).mlp.fc1", out: vision.inner, in: vision.width),
                    activation: activation,
                    second: try linear("\(name).mlp.fc2", out: vision.width, in: vision.inner))
            )
        }
    }

    private func rmsNorm<A: Arithmetic>(
        _ builder: ModelBuilder<A>, _ name: String, trained: Bool
    ) throws -> RMSNorm<A> {
        RMSNorm(
            weight: try builder.weight("\(name).weight", [vision.width], trained: trained),
            epsilon: Self.normEpsilon)
    }

    private func layerNorm<A: Arithmetic>(
        _ builder: ModelBuilder<A>, _ name: String, trained: Bool
    ) throws -> LayerNorm<A> {
        try builder.layerNorm(name, vision.width, epsilon: Self.normEpsilon, trained: trained)
    }

    /// - Parameter parts: by a layer's name, its norms before attention and network, and the network.
    private func encoder<A: Arithmetic, Norm: RowNorm<A>, Network: RowNetwork<A>>(
        _ builder: ModelBuilder<A>, mergerNorm: Norm, parts: (String) throws -> (Norm, Norm, Network)
    ) throws -> CellEncoder<A, Norm, Network> {
        let (tower, connector) = (builder.trainable.vision, builder.trainable.projector == .full)
        let joined = vision.width * vision.mergeSide * vision.mergeSide
        let merger = TwoLayerNetwork(
            first: try builder.linear(
                "visual.merger.mlp.0", out: joined, in: joined, bias: true, trained: connector),
            activation: .gelu,
            second: try builder.linear(
                "visual.merger.mlp.2", out: vision.output, in: joined, bias: true, trained: connector))
        let side = vision.patchSide
        let patch = Linear<A>(
            weight: try builder.weight(
                "visual.patch_embed.proj.weight", [vision.width, 3, 2, side, side], trained: tower == .full))
        let layers = try (0..<vision.depth).map { index in
            let name = "visual.blocks.\(index)"
            let (norm1, norm2, network) = try parts(name)
            let attention = CellAttention(
                joint: try builder.adapted(
                    "\(name).attn.qkv", out: 3 * vision.width, in: vision.width, bias: true, trained: tower == .full),
                output: try builder.adapted(
                    "\(name).attn.proj", out: vision.width, in: vision.width, bias: true, trained: tower == .full),
                attention: SegmentAttention<A>(
                    heads: vision.heads, keyHeads: vision.heads, headSize: vision.headSize, isCausal: false))
            return CellLayer(
                attentionNorm: norm1, attention: attention, networkNorm: norm2, network: network,
                seesPictures: vision.windowSide == nil || vision.wholeLayers.contains(index))
        }
        return CellEncoder(
            family: self, patch: patch, layers: layers, mergerNorm: mergerNorm, merger: merger,
            isTowerTrained: tower != .frozen, isConnectorTrained: connector)
    }
}
