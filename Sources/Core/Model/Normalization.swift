/// y = x / √(mean x² + ε) · w, a row at a time. x, y: T × C.
public struct RMSNorm<A: Arithmetic>: Sendable {
    /// w: 1 × C.
    public let weight: Weight<A.Element>
    /// ε, added to the mean of the squares.
    public let epsilon: Double

    /// weight: 1 × C.
    public init(weight: Weight<A.Element>, epsilon: Double) {
        self.weight = weight
        self.epsilon = epsilon
    }

    /// What `backward` needs: x, and 1/√(mean x² + ε) of each row.
    public struct Activations {
        let input: Matrix<A.Element>
        let inverseRMS: Matrix<A.Element>
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    public func forward(_ x: Matrix<A.Element>) -> (Matrix<A.Element>, Activations) {
        let y = Matrix<A.Element>(uninitialized: x.rows, x.columns)
        let inverseRMS = Matrix<A.Element>(uninitialized: x.rows, 1)
        A.rmsNorm(x, weight: weight.vector, epsilon: epsilon, into: y, inverseRMS: inverseRMS.base)
        return (y, Activations(input: x, inverseRMS: inverseRMS))
    }

    /// Adds to `dx` and to the weight's gradient.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>, to dx: Matrix<A.Element>
    ) {
        A.rmsNormBackward(
            dy, x: saved.input, weight: weight.vector, inverseRMS: saved.inverseRMS.base, to: dx,
            weightGradient: weight.gradient(in: gradient)?.base)
    }
}

/// y = (x − mean x) / √(var x + ε) · w + b, a row at a time. x, y: T × C.
public struct LayerNorm<A: Arithmetic>: Sendable {
    /// w: 1 × C.
    public let weight: Weight<A.Element>
    /// b: 1 × C.
    public let bias: Weight<A.Element>
    /// ε, added to the variance.
    public let epsilon: Double

    /// weight, bias: 1 × C.
    public init(weight: Weight<A.Element>, bias: Weight<A.Element>, epsilon: Double) {
        self.weight = weight
        self.bias = bias
        self.epsilon = epsilon
    }

    /// What `backward` needs: x, and the mean and 1/√(var x + ε) of each row.
    public struct Activations {
        let input: Matrix<A.Element>
        let mean: Matrix<A.Element>
        let inverseDeviation: Matrix<A.Element>
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    public func forward(_ x: Matrix<A.Element>) -> (Matrix<A.Element>, Activations) {
        let y = Matrix<A.Element>(uninitialized: x.rows, x.columns)
        let mean = Matrix<A.Element>(uninitialized: x.rows, 1)
        let inverseDeviation = Matrix<A.Element>(uninitialized: x.rows, 1)
        A.layerNorm(
            x, weight: weight.vector, bias: bias.vector, epsilon: epsilon, into: y, mean: mean.base,
            inverseDeviation: inverseDeviation.base)
        return (y, Activations(input: x, mean: mean, inverseDeviation: inverseDeviation))
    }

    /// Adds to `dx` and to the gradients of weight and bias.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>, to dx: Matrix<A.Element>
    ) {
        A.layerNormBackward(
            dy, x: saved.input, weight: weight.vector, mean: saved.mean.base,
            inverseDeviation: saved.inverseDeviation.base, to: dx,
            weightGradient: weight.gradient(in: gradient)?.base, biasGradient: bias.gradient(in: gradient)?.base)
    }
}
