/// y = x / √(mean x² + ε) · w, a row at a time. x, y: T × C.
public struct RMSNorm<S: Scalar>: Sendable {
    public let weight: Weight<S>
    public let epsilon: Double

    public init(weight: Weight<S>, epsilon: Double) {
        self.weight = weight
        self.epsilon = epsilon
    }

    public struct Activations {
        let input: Matrix<S>
        let inverseRMS: Matrix<S>
    }

    public func forward(_ x: Matrix<S>) -> (Matrix<S>, Activations) {
        let y = Matrix<S>(uninitialized: x.rows, x.columns)
        let inverseRMS = Matrix<S>(uninitialized: x.rows, 1)
        S.rmsNorm(x, weight: weight.vector, epsilon: epsilon, into: y, inverseRMS: inverseRMS.base)
        return (y, Activations(input: x, inverseRMS: inverseRMS))
    }

    /// Adds to `dx` and to the weight's gradient.
    public func backward(_ dy: Matrix<S>, _ saved: Activations, _ gradient: Gradient<S>, to dx: Matrix<S>) {
        S.rmsNormBackward(
            dy, x: saved.input, weight: weight.vector, inverseRMS: saved.inverseRMS.base, to: dx,
            weightGradient: weight.gradient(in: gradient)?.base)
    }
}

/// y = (x − mean x) / √(var x + ε) · w + b, a row at a time. x, y: T × C.
public struct LayerNorm<S: Scalar>: Sendable {
    public let weight: Weight<S>
    public let bias: Weight<S>
    public let epsilon: Double

    public init(weight: Weight<S>, bias: Weight<S>, epsilon: Double) {
        self.weight = weight
        self.bias = bias
        self.epsilon = epsilon
    }

    public struct Activations {
        let input: Matrix<S>
        let mean: Matrix<S>
        let inverseDeviation: Matrix<S>
    }

    public func forward(_ x: Matrix<S>) -> (Matrix<S>, Activations) {
        let y = Matrix<S>(uninitialized: x.rows, x.columns)
        let mean = Matrix<S>(uninitialized: x.rows, 1)
        let inverseDeviation = Matrix<S>(uninitialized: x.rows, 1)
        S.layerNorm(
            x, weight: weight.vector, bias: bias.vector, epsilon: epsilon, into: y, mean: mean.base,
            inverseDeviation: inverseDeviation.base)
        return (y, Activations(input: x, mean: mean, inverseDeviation: inverseDeviation))
    }

    /// Adds to `dx` and to the gradients of weight and bias.
    public func backward(_ dy: Matrix<S>, _ saved: Activations, _ gradient: Gradient<S>, to dx: Matrix<S>) {
        S.layerNormBackward(
            dy, x: saved.input, weight: weight.vector, mean: saved.mean.base,
            inverseDeviation: saved.inverseDeviation.base, to: dx,
            weightGradient: weight.gradient(in: gradient)?.base, biasGradient: bias.gradient(in: gradient)?.base)
    }
}
