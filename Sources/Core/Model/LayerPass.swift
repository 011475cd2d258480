/// What of a forward pass stays for the backward pass.
public enum Keeping: Sendable {
    /// All that the backward pass needs.
    case everything
    /// The input of each layer: the backward pass runs one layer after another forward again, from the top.
    case layerInputs(Recomputation)
    /// Nothing: the pass is run for its log-probabilities, and there is no way back.
    case nothing

    /// Of a layer whose backward pass comes next.
    var ofLastLayer: Keeping {
        if case .layerInputs = self { return .everything }
        return self
    }
}

/// A forward pass whose layers are run again on the way back, to the same bits where inputs are kept as they are.
///
/// It belongs to one pass, which one thread runs.
public final class Recomputation: @unchecked Sendable {
    /// Whether layer inputs are rounded to bfloat16, to nearest, ties to even: half the memory. The forward pass goes
    /// on from what was not rounded, so that log-probabilities stay as they are, and no rounding adds up over layers.
    let inBFloat16: Bool
    /// That layers took to be run forward again, so far.
    public private(set) var seconds = 0.0

    public init(inBFloat16: Bool = false) { self.inBFloat16 = inBFloat16 }

    fileprivate func timed<Result>(_ work: () -> Result) -> Result {
        let start = ContinuousClock.now
        defer { seconds += (ContinuousClock.now - start) / .seconds(1) }
        return work()
    }
}

/// The input of a layer, T × C, that is kept until its backward pass.
package struct LayerInput<Element: Scalar> {
    private enum Content {
        case whole(Matrix<Element>)
        /// Two numbers in the place of one Float.
        case narrow(Storage<Float>)
    }

    private let content: Content
    private let rows, columns: Int

    /// - Parameter x: not copied where it is not rounded; it must not change
    package init(_ x: Matrix<Element>, inBFloat16: Bool) {
        (rows, columns) = (x.rows, x.columns)
        guard inBFloat16 else {
            content = .whole(x)
            return
        }
        let storage = Storage<Float>(count: (x.count + 1) / 2)
        for row in 0..<rows {
            let target = UnsafeMutableRawPointer(storage.base) + 2 * row * columns
            Element.narrow(x.row(row), .bfloat16, into: target, count: columns)
        }
        content = .narrow(storage)
    }

    /// As it was, or as rounding left it.
    package var matrix: Matrix<Element> {
        switch content {
        case .whole(let x): return x
        case .narrow(let storage):
            let x = Matrix<Element>(uninitialized: rows, columns)
            Element.widen(storage.base, .bfloat16, into: x.base, count: x.count)
            return x
        }
    }
}

/// What a layer's forward pass leaves for its backward pass.
enum LayerPass<Element: Scalar, Activations> {
    case whole(Activations)
    case input(LayerInput<Element>, Recomputation)
    case nothing

    /// - Parameter layer: gives the layer's output, and what its backward pass needs
    static func forward(
        _ x: Matrix<Element>, keeping: Keeping, _ layer: (Matrix<Element>) -> (Matrix<Element>, Activations)
    ) -> (Matrix<Element>, LayerPass) {
        let (y, activations) = layer(x)
        switch keeping {
        case .everything: return (y, .whole(activations))
        case .layerInputs(let again): return (y, .input(LayerInput(x, inBFloat16: again.inBFloat16), again))
        case .nothing: return (y, .nothing)
        }
    }

    /// What the backward pass needs, made again where the input alone was kept.
    func activations(_ layer: (Matrix<Element>) -> (Matrix<Element>, Activations)) -> Activations {
        switch self {
        case .whole(let activations): return activations
        case .input(let input, let again): return again.timed { layer(input.matrix).1 }
        case .nothing: preconditionFailure("a backward pass of a forward pass that kept nothing")
        }
    }
}
