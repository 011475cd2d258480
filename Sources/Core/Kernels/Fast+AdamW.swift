import CVector

extension Float {
    /// One pass over the four buffers, which memory bounds; the reference's operations in its order: the same bits.
    ///
    /// What is not finite gives NaN when multiplied by 0, and a sum of zeros keeps it: a check that memory hides.
    @discardableResult
    public static func adamW(
        _ parameters: Pointer, gradient: Pointer, firstMoment: Pointer, secondMoment: Pointer, count: Int,
        step: AdamWStep
    ) -> Bool {
        let decay = Float(1 - step.learningRate * step.weightDecay)
        let rate = Float(step.learningRate / step.firstCorrection)
        let rootCorrection = Float(step.secondCorrection.squareRoot())
        let (beta1, beta2, epsilon) = (Float(step.beta1), Float(step.beta2), Float(step.epsilon))
        let (rest1, rest2) = (Float(1 - step.beta1), Float(1 - step.beta2))
        let gradientScale = Float(step.gradientScale)
        var trace = Float8()
        forEachEight(count) { i, n in
            let g = Float8(gradient + i, n) * gradientScale
            let m = beta1 * Float8(firstMoment + i, n) + rest1 * g
            let v = beta2 * Float8(secondMoment + i, n) + rest2 * g * g
            let denominator = misp_sqrt8(v) / rootCorrection + epsilon
            m.store(firstMoment + i, n)
            v.store(secondMoment + i, n)
            let parameter = Float8(parameters + i, n) * decay - rate * m / denominator
            parameter.store(parameters + i, n)
            trace = fma(parameter, 0, fma(v, 0, trace))
        }
        return trace.total == 0
    }
}
