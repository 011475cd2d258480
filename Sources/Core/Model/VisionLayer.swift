/// Bidirectional self-attention with biased projections. x: T × C.
public struct VisionAttention<A: Arithmetic>: Sendable {
    /// From C to H·D, which is C here.
    public let query: Linear<A>
    /// From C to H·D.
    public let key: Linear<A>
    /// From C to H·D.
    public let value: Linear<A>
    /// From H·D to C.
    public let output: Linear<A>
    /// Within each segment: an image, or a text in CLIP's text tower.
    public let attention: SegmentAttention<A>

    /// What `backward` needs.
    public struct Activations {
        let query, key, value, output: Linear<A>.Activations
        let attention: SegmentAttention<A>.Activations
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    public func forward(_ x: Matrix<A.Element>, _ segments: [AttentionSegment]) -> (Matrix<A.Element>, Activations) {
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
        _ dy: Matrix<A.Element>, _ saved: Activations, _ segments: [AttentionSegment], _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element> {
        let dMixed = Matrix<A.Element>(uninitialized: dy.rows, output.weight.columns)
        A.setSum(dMixed, output.backward(dy, saved.output, gradient))
        let (dq, dk, dv) = attention.backward(dMixed, saved.attention, segments)
        let dx = Matrix<A.Element>(uninitialized: dy.rows, query.weight.columns)
        A.setSum(
            dx,
            query.backward(dq, saved.query, gradient) + key.backward(dk, saved.key, gradient)
                + value.backward(dv, saved.value, gradient))
        return dx
    }
}

/// second(f(first(x))): the feed-forward network of vision layers, and the projector of LLaVA. x: T × C.
public struct TwoLayerNetwork<A: Arithmetic>: Sendable {
    /// Into the hidden layer.
    public let first: Linear<A>
    /// f
    public let activation: Activation
    /// Out of the hidden layer.
    public let second: Linear<A>

    /// What `backward` needs.
    public struct Activations {
        let first: Linear<A>.Activations
        let hidden: Matrix<A.Element>
        let second: Linear<A>.Activations
    }

    /// Whether `backward` has a gradient to add to.
    public var isTrained: Bool { first.isTrained || second.isTrained }

    /// x: T × inputs. Returns y: T × outputs and what `backward` needs.
    public func forward(_ x: Matrix<A.Element>) -> (Matrix<A.Element>, Activations) {
        let (hidden, savedFirst) = first.forward(x)
        let active = Matrix<A.Element>(uninitialized: hidden.rows, hidden.columns)
        A.activate(activation, hidden, into: active)
        let (y, savedSecond) = second.forward(active)
        return (y, Activations(first: savedFirst, hidden: hidden, second: savedSecond))
    }

    /// Overwrites `dx`; nil where nothing below is trained.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>, into dx: Matrix<A.Element>?
    ) {
        let dActive = Matrix<A.Element>(uninitialized: dy.rows, second.weight.columns)
        A.setSum(dActive, second.backward(dy, saved.second, gradient))
        A.activateBackward(activation, dActive, x: saved.hidden, into: dActive)
        let terms = first.backward(dActive, saved.first, gradient)
        if let dx { A.setSum(dx, terms) }
    }
}

/// y = x·λ with a factor per channel (LayerScale; Touvron et al., arXiv 2103.17239). x: T × C.
public struct LayerScale<A: Arithmetic>: Sendable {
    /// λ: 1 × C.
    public let factors: Weight<A.Element>

    /// x: T × C. Returns y: T × C; `backward` needs x alone.
    public func forward(_ x: Matrix<A.Element>) -> Matrix<A.Element> {
        let y = Matrix<A.Element>(uninitialized: x.rows, x.columns)
        A.scaleColumns(x, by: factors.vector, into: y)
        return y
    }

    /// Returns dx; adds Σ_t dy·x to the factors' gradient.
    public func backward(
        _ dy: Matrix<A.Element>, input x: Matrix<A.Element>, _ gradient: Gradient<A.Element>
    ) -> Matrix<A.Element> {
        if let d = factors.gradient(in: gradient) { A.addColumnSums(ofProduct: dy, x, to: d.base) }
        return forward(dy)
    }
}

/// h = x + λ₁·attention(norm(x)); y = h + λ₂·network(norm(h)): a layer of a vision transformer; CLIP's has no
/// λ.
public struct VisionLayer<A: Arithmetic>: Sendable {
    /// Before the attention.
    public let attentionNorm: LayerNorm<A>
    /// Its output, scaled, is added to x.
    public let attention: VisionAttention<A>
    /// λ₁; nil for none.
    public let attentionScale: LayerScale<A>?
    /// Before the network.
    public let networkNorm: LayerNorm<A>
    /// Its output, scaled, is added to h.
    public let network: TwoLayerNetwork<A>
    /// λ₂; nil for none.
    public let networkScale: LayerScale<A>?

    /// What `backward` needs.
    public struct Activations {
        let attentionNorm: LayerNorm<A>.Activations
        let attention: (output: Matrix<A.Element>, saved: VisionAttention<A>.Activations)
        let networkNorm: LayerNorm<A>.Activations
        let network: (output: Matrix<A.Element>, saved: TwoLayerNetwork<A>.Activations)
    }

    /// x: T × C. Returns y: T × C and what `backward` needs.
    public func forward(_ x: Matrix<A.Element>, _ segments: [AttentionSegment]) -> (Matrix<A.Element>, Activations) {
        let (normalX, savedNorm1) = attentionNorm.forward(x)
        let mixed = attention.forward(normalX, segments)
        let h = A.sum(attentionScale?.forward(mixed.0) ?? mixed.0, x)
        let (normalH, savedNorm2) = networkNorm.forward(h)
        let result = network.forward(normalH)
        let y = A.sum(networkScale?.forward(result.0) ?? result.0, h)
        return (
            y, Activations(attentionNorm: savedNorm1, attention: mixed, networkNorm: savedNorm2, network: result)
        )
    }

    /// Turns `dy` into dx, in place.
    public func backward(
        _ dy: Matrix<A.Element>, _ saved: Activations, _ segments: [AttentionSegment], _ gradient: Gradient<A.Element>
    ) {
        let dNetwork = networkScale?.backward(dy, input: saved.network.output, gradient) ?? dy
        let dNormalH = Matrix<A.Element>(uninitialized: dy.rows, dy.columns)
        network.backward(dNetwork, saved.network.saved, gradient, into: dNormalH)
        networkNorm.backward(dNormalH, saved.networkNorm, gradient, to: dy)
        let dMixed = attentionScale?.backward(dy, input: saved.attention.output, gradient) ?? dy
        let dNormalX = attention.backward(dMixed, saved.attention.saved, segments, gradient)
        attentionNorm.backward(dNormalX, saved.attentionNorm, gradient, to: dy)
    }
}
