#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The element type of matrices: Float to train with, Double to check gradients with. What is computed with them is
/// asked of an `Arithmetic`.
public protocol Scalar: BinaryFloatingPoint, Sendable {
    static func exponential(_ x: Self) -> Self
    static func naturalLogarithm(_ x: Self) -> Self
    static func errorFunction(_ x: Self) -> Self
    static func hyperbolicTangent(_ x: Self) -> Self
    static func cosine(_ x: Self) -> Self

    /// Widens `count` stored numbers exactly: every 16-bit value is a Float.
    static func widen(
        _ source: UnsafeRawPointer, _ format: StoredFormat, into target: UnsafeMutablePointer<Self>, count: Int)
}

extension Double: Scalar {
    public static func exponential(_ x: Double) -> Double { exp(x) }
    public static func naturalLogarithm(_ x: Double) -> Double { log(x) }
    public static func errorFunction(_ x: Double) -> Double { erf(x) }
    public static func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }
    public static func cosine(_ x: Double) -> Double { cos(x) }
}

extension Float: Scalar {
    public static func exponential(_ x: Float) -> Float { expf(x) }
    public static func naturalLogarithm(_ x: Float) -> Float { logf(x) }
    public static func errorFunction(_ x: Float) -> Float { erff(x) }
    public static func hyperbolicTangent(_ x: Float) -> Float { tanhf(x) }
    public static func cosine(_ x: Float) -> Float { cosf(x) }
}
