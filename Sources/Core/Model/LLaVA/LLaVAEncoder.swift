/// LLaVA's tower, whose rows at one layer or several are the features, and its projector.
package struct LLaVAEncoder<A: Arithmetic>: VisionEncoder {
    let family: LLaVA
    package let tower: VisionTower<A>
    package let projector: TwoLayerNetwork<A>

    package var isTowerTrained: Bool { tower.isTrained }
    package var isConnectorTrained: Bool { projector.isTrained }
    package var patchWidth: Int { tower.patch.weight.columns }
    package var featureWidth: Int { projector.first.weight.columns }
    package var rowWidth: Int { projector.second.weight.rows }

    package func rows(_ shape: PictureShape) -> VisionRows { family.rows(shape) }

    package func patches(_ picture: ProcessedPicture) -> Matrix<A.Element> {
        tower.patches(of: picture.values, height: picture.shape.height, width: picture.shape.width)
    }

    package func towerForward(
        _ patches: Matrix<A.Element>, _ shapes: [PictureShape], keeping: Keeping
    ) -> (Matrix<A.Element>, VisionTower<A>.Activations) {
        tower.forward(patches, images: shapes.count, keeping: keeping)
    }

    package func towerBackward(
        _ dFeatures: Matrix<A.Element>, _ saved: VisionTower<A>.Activations, _ gradient: Gradient<A.Element>
    ) {
        tower.backward(dFeatures, saved, gradient)
    }

    package func connectorForward(
        _ features: Matrix<A.Element>, _ shapes: [PictureShape]
    ) -> (Matrix<A.Element>, TwoLayerNetwork<A>.Activations) {
        projector.forward(features)
    }

    package func connectorBackward(
        _ dRows: Matrix<A.Element>, _ saved: TwoLayerNetwork<A>.Activations, _ gradient: Gradient<A.Element>,
        into dFeatures: Matrix<A.Element>?
    ) {
        projector.backward(dRows, saved, gradient, into: dFeatures)
    }
}
