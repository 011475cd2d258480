extension Precision {
    /// What decides about the last bits of its products, for whatever is kept by content.
    public var identity: String {
        switch self {
        case .float32: BLAS.arithmetic
        case .bfloat16: "\(rawValue) \(BFloat16.kernel) \(BLAS.arithmetic)"
        }
    }
}
