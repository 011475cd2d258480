/// SigLIP's tower with its last norm on tiles, and one matrix on s × s neighbouring patches side by side.
///
/// Legend: `B` tiles of all pictures, `G` patches along a tile's side, `C` channels, `s` the scale.
struct TileEncoder<A: Arithmetic>: VisionEncoder {
    let family: SmolVLM
    let tower: VisionTower<A>
    /// From s²·C to the language model's width.
    let connector: Linear<A>

    /// What the tower's backward pass needs.
    struct TowerActivations {
        let tower: VisionTower<A>.Activations
        let norm: LayerNorm<A>.Activations
    }

    var isTowerTrained: Bool { tower.isTrained }
    var isConnectorTrained: Bool { connector.isTrained }
    var patchWidth: Int { tower.patch.weight.columns }
    var featureWidth: Int { family.vision.hiddenSize }
    var rowWidth: Int { connector.weight.rows }

    func rows(_ shape: PictureShape) -> VisionRows { family.rows(shape) }

    func patches(_ picture: ProcessedPicture) -> Matrix<A.Element> {
        let (height, width) = (picture.shape.height, picture.shape.width)
        let count = 3 * height * width
        return .stacked(
            (0..<picture.shape.tiles).map { tile in
                let values = Array(picture.values[tile * count..<(tile + 1) * count])
                return tower.patches(of: values, height: height, width: width)
            })
    }

    func towerForward(
        _ patches: Matrix<A.Element>, _ shapes: [PictureShape], keeping: Keeping
    ) -> (Matrix<A.Element>, TowerActivations) {
        let (states, saved) = tower.forward(patches, images: shapes.reduce(0) { $0 + $1.tiles }, keeping: keeping)
        let (features, savedNorm) = tower.postNorm.forward(states)
        return (features, TowerActivations(tower: saved, norm: savedNorm))
    }

    func towerBackward(
        _ dFeatures: Matrix<A.Element>, _ saved: TowerActivations, _ gradient: Gradient<A.Element>
    ) {
        let dStates = Matrix<A.Element>(zeros: dFeatures.rows, dFeatures.columns)
        tower.postNorm.backward(dFeatures, saved.norm, gradient, to: dStates)
        tower.backward(dStates, saved.tower, gradient)
    }

    func connectorForward(
        _ features: Matrix<A.Element>, _ shapes: [PictureShape]
    ) -> (Matrix<A.Element>, Linear<A>.Activations) {
        connector.forward(joined(features))
    }

    func connectorBackward(
        _ dRows: Matrix<A.Element>, _ saved: Linear<A>.Activations, _ gradient: Gradient<A.Element>,
        into dFeatures: Matrix<A.Element>?
    ) {
        let terms = connector.backward(dRows, saved, gradient)
        guard let dFeatures else { return }
        let dJoined = Matrix<A.Element>(uninitialized: dRows.rows, connector.weight.columns)
        A.setSum(dJoined, terms)
        let order = order(patches: dFeatures.rows)
        let parts = dJoined.reshaped(dFeatures.rows, featureWidth)
        for (from, to) in order.enumerated() { dFeatures.row(to).update(from: parts.row(from), count: featureWidth) }
    }

    /// (B·(G/s)²) × (s²·C): neighbours side by side, rows first.
    private func joined(_ features: Matrix<A.Element>) -> Matrix<A.Element> {
        let scale = family.scale * family.scale
        return features.gathered(order(patches: features.rows))
            .reshaped(features.rows / scale, scale * features.columns)
    }

    /// Of each patch in the order of the joined rows, its place in raster order.
    private func order(patches: Int) -> [Int] {
        let (grid, scale) = (family.vision.grid, family.scale)
        let tile = (0..<grid / scale).flatMap { row in
            (0..<grid / scale).flatMap { column in
                (0..<scale).flatMap { y in
                    (0..<scale).map { (row * scale + y) * grid + column * scale + $0 }
                }
            }
        }
        return stride(from: 0, to: patches, by: grid * grid).flatMap { first in tile.map { first + $0 } }
    }
}
