/// Bidirectional self-attention with biased projections. x: T × C.
public struct VisionAttention<S: Scalar>: Sendable {
    public let query: Linear<S>
    public let key: Linear<S>
    public let value: Linear<S>
    public let output: Linear<S>
    public let attention: SegmentAttention

    public struct Activations {
        let query, key, value, output: Linear<S>.Activations
        let attention: SegmentAttention.Activations<S>
    }

    public func forward(_ x: Matrix<S>, _ segments: [AttentionSegment]) -> (Matrix<S>, Activations) {
        let (q, savedQ) = query.forward(x)
        let (k, savedK) = key.forward(x)
        let (v, savedV) = value.forward(x)
        let (mixed, savedAttention) = attention.forward(q: q, k: k, v: v, segments)
        let (y, savedOutput) = output.forward(mixed)
        return (
            y,
            Activations(query: savedQ, key: savedK, value: savedV, output: savedOutput, attention: savedAttention)
        )
    }

    /// Returns dx.
    public func backward(
        _ dy: Matrix<S>, _ saved: Activations, _ segments: [AttentionSegment], _ gradient: Gradient<S>
    ) -> Matrix<S> {
        let dMixed = Matrix<S>(uninitialized: dy.rows, output.weight.columns)
        dMixed.setSum(output.backward(dy, saved.output, gradient))
        let (dq, dk, dv) = attention.backward(dMixed, saved.attention, segments)
        let dx = Matrix<S>(uninitialized: dy.rows, query.weight.columns)
        dx.setSum(
            query.backward(dq, saved.query, gradient) + key.backward(dk, saved.key, gradient)
                + value.backward(dv, saved.value, gradient))
        return dx
    }
}

/// second(f(first(x))): the feed-forward network of vision layers, and the projector of LLaVA. x: T × C.
public struct TwoLayerNetwork<S: Scalar>: Sendable {
    public let first: Linear<S>
    public let activation: Activation
    public let second: Linear<S>

    public struct Activations {
        let first: Linear<S>.Activations
        let hidden: Matrix<S>
        let second: Linear<S>.Activations
    }

    public var isTrained: Bool { first.isTrained || second.isTrained }

    public func forward(_ x: Matrix<S>) -> (Matrix<S>, Activations) {
        let (hidden, savedFirst) = first.forward(x)
        let active = Matrix<S>(uninitialized: hidden.rows, hidden.columns)
        S.activate(activation, hidden, into: active)
        let (y, savedSecond) = second.forward(active)
        return (y, Activations(first: savedFirst, hidden: hidden, second: savedSecond))
    }

    /// Overwrites `dx`; nil where nothing below is trained.
    public func backward(_ dy: Matrix<S>, _ saved: Activations, _ gradient: Gradient<S>, into dx: Matrix<S>?) {
        let dActive = Matrix<S>(uninitialized: dy.rows, second.weight.columns)
        dActive.setSum(second.backward(dy, saved.second, gradient))
        S.activateBackward(activation, dActive, x: saved.hidden, into: dActive)
        let terms = first.backward(dActive, saved.first, gradient)
        dx?.setSum(terms)
    }
}

/// y = x·λ with a factor per channel (LayerScale; Touvron et al., arXiv 2103.17239). x: T × C.
public struct LayerScale<S: Scalar>: Sendable {
    public let factors: Weight<S>

    public func forward(_ x: Matrix<S>) -> Matrix<S> {
        let y = Matrix<S>(uninitialized: x.rows, x.columns)
        S.scaleColumns(x, by: factors.vector, into: y)
        return y
    }

    /// Returns dx; adds Σ_t dy·x to the factors' gradient.
    public func backward(_ dy: Matrix<S>, input x: Matrix<S>, _ gradient: Gradient<S>) -> Matrix<S> {
        if let d = factors.gradient(in: gradient) { S.addColumnSums(ofProduct: dy, x, to: d.base) }
        return forward(dy)
    }
}

/// h = x + λ₁·attention(norm(x)); y = h + λ₂·network(norm(h)): a layer of a vision transformer; CLIP's has no λ.
public struct VisionLayer<S: Scalar>: Sendable {
    public let attentionNorm: LayerNorm<S>
    public let attention: VisionAttention<S>
    public let attentionScale: LayerScale<S>?
    public let networkNorm: LayerNorm<S>
    public let network: TwoLayerNetwork<S>
    public let networkScale: LayerScale<S>?

    public struct Activations {
        let attentionNorm: LayerNorm<S>.Activations
        let attention: (output: Matrix<S>, saved: VisionAttention<S>.Activations)
        let networkNorm: LayerNorm<S>.Activations
        let network: (output: Matrix<S>, saved: TwoLayerNetwork<S>.Activations)
    }

    public func forward(_ x: Matrix<S>, _ segments: [AttentionSegment]) -> (Matrix<S>, Activations) {
        let (normalX, savedNorm1) = attentionNorm.forward(x)
        let mixed = attention.forward(normalX, segments)
        let h = (attentionScale?.forward(mixed.0) ?? mixed.0) + x
        let (normalH, savedNorm2) = networkNorm.forward(h)
        let result = network.forward(normalH)
        let y = (networkScale?.forward(result.0) ?? result.0) + h
        return (
            y, Activations(attentionNorm: savedNorm1, attention: mixed, networkNorm: savedNorm2, network: result)
        )
    }

    /// Turns `dy` into dx, in place.
    public func backward(
        _ dy: Matrix<S>, _ saved: Activations, _ segments: [AttentionSegment], _ gradient: Gradient<S>
    ) {
        let dNetwork = networkScale?.backward(dy, input: saved.network.output, gradient) ?? dy
        let dNormalH = Matrix<S>(uninitialized: dy.rows, dy.columns)
        network.backward(dNetwork, saved.network.saved, gradient, into: dNormalH)
        networkNorm.backward(dNormalH, saved.networkNorm, gradient, to: dy)
        let dMixed = attentionScale?.backward(dy, input: saved.attention.output, gradient) ?? dy
        let dNormalX = attention.backward(dMixed, saved.attention.saved, segments, gradient)
        attentionNorm.backward(dNormalX, saved.attentionNorm, gradient, to: dy)
    }
}
