extension VisionArchitecture {
    /// SigLIP's tower: no class token, no norm before the first layer (Zhai et al., arXiv 2303.15343).
    package static let siglip = VisionArchitecture(
        modelType: "siglip_vision_model",
        keys: KeyTable(
            read: ["intermediate_size"], harmless: ["vision_use_head"], fixed: ["attention_dropout": [0]]
        ).adding(.tower),
        defaults: Defaults(patchSide: 16, activation: .geluTanh, epsilon: 1e-6), width: ("intermediate_size", false),
        parts: Parts(
            hasClassToken: false, patchHasBias: true, hasLayerScale: false, hasLeadingDimension: false,
            resamplesPositions: false),
        names: Names(
            classToken: "", positions: "embeddings.position_embedding.weight", patch: "embeddings.patch_embedding",
            preNorm: nil, postNorm: "post_layernorm", layer: "encoder.layers", norms: ("layer_norm1", "layer_norm2"),
            attention: "self_attn", output: "out_proj"))
}
