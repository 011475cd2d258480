/// Activation functions by the names Hugging Face configurations use.
public enum Activation: String, Sendable, CaseIterable {
    /// x·Φ(x) with the exact normal distribution function
    case gelu
    /// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
    case geluTanh = "gelu_pytorch_tanh"
    /// x·σ(1.702·x), CLIP's
    case quickGelu = "quick_gelu"
    /// x·σ(x)
    case silu
    /// max(0, x)
    case relu

    /// Accepts Hugging Face's synonyms (`gelu_new`, `swish`).
    public init?(configured name: String) {
        switch name {
        case "gelu_new", "gelu_fast", "gelu_pytorch_tanh": self = .geluTanh
        case "swish": self = .silu
        default: self.init(rawValue: name)
        }
    }
}
