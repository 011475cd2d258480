/// CLIP's text tower: a causal transformer whose hidden state at the end-of-text token stands for the text
/// (Radford et al., arXiv 2103.00020, §2.4).
///
/// Legend: `T` tokens, `C` channels, `V` vocabulary. Its layers are those of the image tower, but causal.
public struct ClipTextTower<S: Scalar>: Sendable {
    /// V × C
    let embedding: Weight<S>
    /// Longest text × C
    let positions: Weight<S>
    let layers: [VisionLayer<S>]
    let norm: LayerNorm<S>

    /// 1 × C: the hidden state of token `place`, normed.
    ///
    /// - Precondition: the tokens are in the vocabulary and no more than there are positions.
    func forward(_ tokens: [Int32], pooled place: Int) -> Matrix<S> {
        var x = Matrix<S>(uninitialized: tokens.count, embedding.columns)
        for (row, token) in tokens.enumerated() { embedding.copyRow(Int(token), into: x.row(row)) }
        x += positions.matrix.rows(0..<tokens.count)
        let segments = [AttentionSegment(rows: 0..<tokens.count)]
        for layer in layers { x = layer.forward(x, segments).0 }
        return norm.forward(x.rows(place..<place + 1).copied()).0
    }
}

extension ModelBuilder {
    func clipTextTower(_ shape: ClipTextConfiguration) throws -> ClipTextTower<S> {
        let (root, width) = ("text_model", shape.hiddenSize)
        return ClipTextTower(
            embedding: try weight(
                "\(root).embeddings.token_embedding.weight", [shape.vocabulary, width], trained: false),
            positions: try weight(
                "\(root).embeddings.position_embedding.weight", [shape.maximumLength, width], trained: false),
            layers: try (0..<shape.layers).map { try clipTextLayer("\(root).encoder.layers.\($0)", shape) },
            norm: try layerNorm("\(root).final_layer_norm", width, epsilon: shape.normEpsilon, trained: false))
    }

    private func clipTextLayer(_ name: String, _ shape: ClipTextConfiguration) throws -> VisionLayer<S> {
        let (width, inner) = (shape.hiddenSize, shape.intermediateSize)
        func linear(_ module: String, out: Int, in inputs: Int) throws -> Linear<S> {
            try self.linear("\(name).\(module)", out: out, in: inputs, bias: true, trained: false)
        }
        func norm(_ module: String) throws -> LayerNorm<S> {
            try layerNorm("\(name).\(module)", width, epsilon: shape.normEpsilon, trained: false)
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
