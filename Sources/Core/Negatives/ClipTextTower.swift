/// CLIP's text tower: a causal transformer whose hidden state at the end-of-text token stands for the text
/// (Radford et al., arXiv 2103.00020, §2.4).
///
/// Legend: `T` tokens, `C` channels, `V` vocabulary. Its layers are those of the image tower, but causal.
public struct ClipTextTower<A: Arithmetic>: Sendable {
    /// V × C
    let embedding: Weight<A.Element>
    /// Longest text × C
    let positions: Weight<A.Element>
    let layers: [VisionLayer<A>]
    let norm: LayerNorm<A>

    /// What `backward` needs.
    public struct Activations {
        let tokens: [Int32]
        let segments: [AttentionSegment]
        /// Rows of the pooled tokens.
        let places: [Int]
        let layers: [VisionLayer<A>.Activations]
        let norm: LayerNorm<A>.Activations
    }

    /// Texts × C: of each text the hidden state of its token `place`, normed.
    ///
    /// - Precondition: the tokens are in the vocabulary, and no text has more than there are positions.
    func forward(_ texts: [(tokens: [Int32], place: Int)]) -> (Matrix<A.Element>, Activations) {
        let tokens = texts.flatMap(\.tokens)
        var x = Matrix<A.Element>(uninitialized: tokens.count, embedding.columns)
        for (row, token) in tokens.enumerated() { embedding.copyRow(Int(token), into: x.row(row)) }
        var (segments, places) = ([AttentionSegment](), [Int]())
        for (text, place) in texts {
            let start = segments.last?.rows.upperBound ?? 0
            segments.append(AttentionSegment(rows: start..<start + text.count))
            places.append(start + place)
            A.add(positions.matrix.rows(0..<text.count), to: x.rows(start..<start + text.count))
        }
        var saved: [VisionLayer<A>.Activations] = []
        for layer in layers {
            let (y, activations) = layer.forward(x, segments)
            saved.append(activations)
            x = y
        }
        let (pooled, savedNorm) = norm.forward(x.gathered(places))
        return (
            pooled,
            Activations(tokens: tokens, segments: segments, places: places, layers: saved, norm: savedNorm)
        )
    }

    /// Adds the gradients of all the tower's weights.
    ///
    /// - Parameter dPooled: texts × C
    func backward(_ dPooled: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>) {
        let dNormed = Matrix<A.Element>(zeros: dPooled.rows, dPooled.columns)
        norm.backward(dPooled, saved.norm, gradient, to: dNormed)
        let d = Matrix<A.Element>(zeros: saved.tokens.count, dPooled.columns)
        A.addRows(dNormed, to: d, at: saved.places)
        for (layer, activations) in zip(layers, saved.layers).reversed() {
            layer.backward(d, activations, saved.segments, gradient)
        }
        if let dEmbedding = embedding.gradient(in: gradient) {
            A.addRows(d, to: dEmbedding, at: saved.tokens.map(Int.init))
        }
        guard let dPositions = positions.gradient(in: gradient) else { return }
        for segment in saved.segments {
            A.add(d.rows(segment.rows), to: dPositions.rows(0..<segment.rows.count))
        }
    }
}

extension ModelBuilder {
    func clipTextTower(_ shape: ClipTextConfiguration, trained: Bool) throws -> ClipTextTower<A> {
        let (root, width) = ("text_model", shape.hiddenSize)
        return ClipTextTower(
            embedding: try weight(
                "\(root).embeddings.token_embedding.weight", [shape.vocabulary, width], trained: trained),
            positions: try weight(
                "\(root).embeddings.position_embedding.weight", [shape.maximumLength, width], trained: trained),
            layers: try (0..<shape.layers).map { try clipTextLayer("\(root).encoder.layers.\($0)", shape, trained) },
            norm: try layerNorm("\(root).final_layer_norm", width, epsilon: shape.normEpsilon, trained: trained))
    }

    private func clipTextLayer(
        _ name: String, _ shape: ClipTextConfiguration, _ trained: Bool
    ) throws -> VisionLayer<A> {
        let (width, inner) = (shape.hiddenSize, shape.intermediateSize)
        func linear(_ module: String, out: Int, in inputs: Int) throws -> Linear<A> {
            try self.linear("\(name).\(module)", out: out, in: inputs, bias: true, trained: trained)
        }
        func norm(_ module: String) throws -> LayerNorm<A> {
            try layerNorm("\(name).\(module)", width, epsilon: shape.normEpsilon, trained: trained)
        }
        return VisionLayer(
            attentionNorm: try norm("layer_norm1"),
            attention: VisionAttention(
                query: try linear("self_attn.q_proj", out: width, in: width),
                key: try linear("self_attn.k_proj", out: width, in: width),
                value: try linear("self_attn.v_proj", out: width, in: width),
                output: try linear("self_attn.out_proj", out: width, in: width),
                attention: SegmentAttention(
                    heads: shape.heads, keyHeads: shape.heads, headSize: width / shape.heads, isCausal: true)),
            attentionScale: nil, networkNorm: try norm("layer_norm2"),
            network: TwoLayerNetwork(
                first: try linear("mlp.fc1", out: inner, in: width), activation: shape.activation,
                second: try linear("mlp.fc2", out: width, in: inner)),
            networkScale: nil)
    }
}
