#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The element type of matrices: Float to train with, Double to check gradients with. What is computed with them is
/// asked of an `Arithmetic`.
public protocol Scalar: BinaryFloatingPoint, Sendable {
    /// eˣ
    static func exponential(_ x: Self) -> Self
    /// ln x
    static func naturalLogarithm(_ x: Self) -> Self
    /// erf x = 2/√π · ∫₀ˣ e^(−t²) dt
    static func errorFunction(_ x: Self) -> Self
    /// tanh x
    static func hyperbolicTangent(_ x: Self) -> Self
    /// cos x, of an angle in radians.
    static func cosine(_ x: Self) -> Self

    /// Widens `count` stored numbers exactly: every 16-bit value is a Float.
    static func widen(
        _ source: UnsafeRawPointer, _ format: StoredFormat, into target: UnsafeMutablePointer<Self>, count: Int)
    /// Narrows `count` numbers, through Float, to nearest, ties to even. Returns false where a finite value became
    /// infinite.
    @discardableResult
    static func narrow(
        _ source: UnsafePointer<Self>, _ format: StoredFormat, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool
}

extension Double: Scalar {
    /// eˣ, by the C library, as the other functions here.
    public static func exponential(_ x: Double) -> Double { exp(x) }
    /// ln x
    public static func naturalLogarithm(_ x: Double) -> Double { log(x) }
    /// erf x
    public static func errorFunction(_ x: Double) -> Double { erf(x) }
    /// tanh x
    public static func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }
    /// cos x
    public static func cosine(_ x: Double) -> Double { cos(x) }
}

extension Float: Scalar {
    /// eˣ, by the C library, as the other functions here. Kernels have their own for many at once.
    public static func exponential(_ x: Float) -> Float { expf(x) }
    /// ln x
    public static func naturalLogarithm(_ x: Float) -> Float { logf(x) }
    /// erf x
    public static func errorFunction(_ x: Float) -> Float { erff(x) }
    /// tanh x
    public static func hyperbolicTangent(_ x: Float) -> Float { tanhf(x) }
    /// cos x
    public static func cosine(_ x: Float) -> Float { cosf(x) }
}
