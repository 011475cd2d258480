/// A norm over each row, for layers that are built alike with one norm or another.
protocol RowNorm<A>: Sendable {
    associatedtype A: Arithmetic
    associatedtype Activations
    func forward(_ x: Matrix<A.Element>) -> (Matrix<A.Element>, Activations)
    /// Adds to `dx` and to the gradients of the norm's weights.
    func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>, to dx: Matrix<A.Element>)
}

extension RMSNorm: RowNorm {}
extension LayerNorm: RowNorm {}

/// A feed-forward network on each row, likewise.
protocol RowNetwork<A>: Sendable {
    associatedtype A: Arithmetic
    associatedtype Activations
    func forward(_ x: Matrix<A.Element>) -> (Matrix<A.Element>, Activations)
    /// Returns dx.
    func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element>
}

extension GatedNetwork: RowNetwork {}
extension TwoLayerNetwork: RowNetwork {
    func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element> {
        let dx = Matrix<A.Element>(uninitialized: dy.rows, first.weight.columns)
        backward(dy, saved, gradient, into: dx)
        return dx
    }
}
