extension VisionArchitecture {
    /// DINOv2's tower: a class token, layer scales, and positions that are resampled to other grids (Oquab et al.,
    /// arXiv 2304.07193).
    package static let dinov2 = VisionArchitecture(
        modelType: "dinov2",
        keys: KeyTable(
            read: ["mlp_ratio"],
            harmless: [
                "apply_layernorm", "layerscale_value", "out_features", "out_indices", "reshape_hidden_states",
                "stage_names", "use_mask_token",
            ],
            fixed: [
                "attention_probs_dropout_prob": [0], "drop_path_rate": [0], "hidden_dropout_prob": [0],
                "qkv_bias": [true], "use_swiglu_ffn": [false],
            ]
        ).adding(.tower),
        defaults: Defaults(patchSide: 14, activation: .gelu, epsilon: 1e-6), width: ("mlp_ratio", true),
        parts: Parts(
            hasClassToken: true, patchHasBias: true, hasLayerScale: true, hasLeadingDimension: true,
            resamplesPositions: true),
        names: Names(
            classToken: "embeddings.cls_token", positions: "embeddings.position_embeddings",
            patch: "embeddings.patch_embeddings.projection", preNorm: nil, postNorm: "layernorm",
            layer: "encoder.layer", norms: ("norm1", "norm2"), attention: "attention", output: "o_proj"))
}
