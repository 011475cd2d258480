/// bfloat16 products: their inputs are rounded to bfloat16, their sums are float32; everything else is `Vector`'s.
public enum BFloat16: VectorArithmetic {
    /// float32, which products round.
    public typealias Element = Float
}

/// Of the products; sums, norms, softmax and the optimizer are float32 in either.
public enum Precision: String, Sendable, CaseIterable {
    /// float32 inputs.
    case float32
    /// Inputs rounded to bfloat16.
    case bfloat16

    /// What a model of that precision is computed with.
    public var arithmetic: any VectorArithmetic.Type {
        switch self {
        case .float32: Vector.self
        case .bfloat16: BFloat16.self
        }
    }
}
