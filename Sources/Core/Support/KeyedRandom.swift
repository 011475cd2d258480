/// A random sequence that is a pure function of its keys, such as (seed, epoch, group id): SplitMix64 over their hash.
///
/// There is no global generator in the program, so order of work, number of ranks and resumption cannot change a draw.
public struct KeyedRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The same seed and keys, in the same order, give the same sequence.
    public init(_ seed: UInt64, _ keys: String...) {
        // FNV-1a over the keys, each closed by a byte that UTF-8 never contains.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ Self.mixed(seed &+ 0x9E37_79B9_7F4A_7C15)
        for key in keys {
            for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        state = Self.mixed(hash)
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    static func mixed(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in the open interval (0, 1), with 53 bits.
    public mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

    /// Uniform in 0..<bound. The bias is below bound / 2⁶⁴.
    public mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// Standard normal (Box–Muller).
    public mutating func normal() -> Double {
        let radius = (-2 * Double.naturalLogarithm(uniform())).squareRoot()
        return radius * Double.cosine(2 * .pi * uniform())
    }

    /// Standard Gumbel, −log(−log u).
    public mutating func gumbel() -> Double { -Double.naturalLogarithm(-Double.naturalLogarithm(uniform())) }

    /// Fisher–Yates.
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        guard count > 1 else { return order }
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, below(i + 1)) }
        return order
    }
}
