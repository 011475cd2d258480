extension BFloat16 {
    /// How its products are computed on this processor, in a word.
    public static var kernel: String { "float32" }
    /// Whether the processor has instructions for them; without these they are slower than float32's.
    public static var isNative: Bool { false }
}
