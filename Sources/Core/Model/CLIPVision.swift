extension VisionArchitecture {
    /// CLIP's tower: a class token, and a norm before the first layer (Radford et al., arXiv 2103.00020).
    package static let clip = VisionArchitecture(
        modelType: "clip_vision_model",
        keys: KeyTable(
            read: ["intermediate_size"], harmless: ["vocab_size"], fixed: ["attention_dropout": [0], "dropout": [0]]
        ).adding(.tower),
        defaults: Defaults(patchSide: 32, activation: .quickGelu, epsilon: 1e-5), width: ("intermediate_size", false),
        parts: Parts(
            hasClassToken: true, patchHasBias: false, hasLayerScale: false, hasLeadingDimension: false,
            resamplesPositions: false),
        names: Names(
            classToken: "embeddings.class_embedding", positions: "embeddings.position_embedding.weight",
            patch: "embeddings.patch_embedding", preNorm: "pre_layrnorm", postNorm: "post_layernorm",
            layer: "encoder.layers", norms: ("layer_norm1", "layer_norm2"), attention: "self_attn",
            output: "out_proj"))
}
