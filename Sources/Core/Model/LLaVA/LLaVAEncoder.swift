/// LLaVA's tower, whose rows at one layer or several are the features, and its projector.
struct LLaVAEncoder<A: Arithmetic>: VisionEncoder {
    let family: LLaVA
    let tower: VisionTower<A>
    let projector: TwoLayerNetwork<A>

    var isTowerTrained: Bool { tower.isTrained }
    var isConnectorTrained: Bool { projector.isTrained }
    var patchWidth: Int { tower.patch.weight.columns }
    var featureWidth: Int { projector.first.weight.columns }
    var rowWidth: Int { projector.second.weight.rows }

    func rows(_ shape: PictureShape) -> VisionRows { family.rows(shape) }

    func patches(_ picture: ProcessedPicture) -> Matrix<A.Element> {
        tower.patches(of: picture.values, height: picture.shape.height, width: picture.shape.width)
    }

    func towerForward(
        _ patches: Matrix<A.Element>, _ shapes: [PictureShape]
    ) -> (Matrix<A.Element>, VisionTower<A>.Activations) {
        tower.forward(patches, images: shapes.count)
    }

    func towerFeatures(_ patches: Matrix<A.Element>, _ shapes: [PictureShape]) -> Matrix<A.Element> {
        tower.features(patches, images: shapes.count)
    }

    func towerBackward(
        _ dFeatures: Matrix<A.Element>, _ saved: VisionTower<A>.Activations, _ gradient: Gradient<A.Element>
    ) {
        tower.backward(dFeatures, saved, gradient)
    }

    func connectorForward(
        _ features: Matrix<A.Element>, _ shapes: [PictureShape]
    ) -> (Matrix<A.Element>, TwoLayerNetwork<A>.Activations) {
        projector.forward(features)
    }

    func connectorBackward(
        _ dRows: Matrix<A.Element>, _ saved: TwoLayerNetwork<A>.Activations, _ gradient: Gradient<A.Element>,
        into dFeatures: Matrix<A.Element>?
    ) {
        projector.backward(dRows, saved, gradient, into: dFeatures)
    }
}
