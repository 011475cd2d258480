import Foundation

/// SHA-256 (FIPS 180-4, §6.2): names contents, so that what was computed from them is found again by any run.
public struct SHA256 {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Bytes that do not fill a block of 64 yet.
    private var pending: [UInt8] = []
    private var count: UInt64 = 0

    public init() {}

    public static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest {
        var hash = SHA256()
        hash.add(bytes)
        return hash.finish()
    }

    public static func digest(_ bytes: some ContiguousBytes) -> Digest {
        bytes.withUnsafeBytes { digest($0) }
    }

    public static func digest(_ text: String) -> Digest { digest(Array(text.utf8)) }

    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        count += UInt64(bytes.count)
        var rest = bytes[...]
        if !pending.isEmpty {
            let taken = rest.prefix(64 - pending.count)
            pending += taken
            rest = rest.dropFirst(taken.count)
            guard pending.count == 64 else { return }
            pending.withUnsafeBytes { compress($0) }
            pending.removeAll(keepingCapacity: true)
        }
        let whole = rest.count & ~63
        if whole > 0 { compress(UnsafeRawBufferPointer(rebasing: rest.prefix(whole))) }
        pending += rest.dropFirst(whole)
    }

    public mutating func add(_ bytes: some ContiguousBytes) { bytes.withUnsafeBytes { add($0) } }

    /// A text with its length before it, so that no two lists of texts are the same bytes.
    public mutating func add(_ text: String) {
        let bytes = Array(text.utf8)
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { add($0) }
        add(bytes)
    }

    public mutating func add(_ digest: Digest) { add(digest.bytes) }

    /// The digest of all that was added. Nothing may be added afterwards.
    public mutating func finish() -> Digest {
        let bits = count &* 8
        let zeros = (119 - Int(count % 64)) % 64
        add([0x80] + [UInt8](repeating: 0, count: zeros))
        withUnsafeBytes(of: bits.bigEndian) { add($0) }
        return Digest(bytes: state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } })
    }

    /// The compression function over each block of 64 bytes.
    private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
        let start = state
        state = withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 72) { memory in
            let (w, s) = (memory.extracting(0..<64), memory.extracting(64..<72))
            for i in 0..<8 { s[i] = start[i] }
            Self.constants.withUnsafeBufferPointer { constants in
                for offset in stride(from: 0, to: blocks.count, by: 64) {
                    for t in 0..<16 {
                        w[t] = UInt32(bigEndian: blocks.loadUnaligned(fromByteOffset: offset + 4 * t, as: UInt32.self))
                    }
                    for t in 16..<64 {
                        let (x, y) = (w[t - 15], w[t - 2])
                        let first = Self.rotated(x, 7) ^ Self.rotated(x, 18) ^ (x >> 3)
                        let second = Self.rotated(y, 17) ^ Self.rotated(y, 19) ^ (y >> 10)
                        w[t] = second &+ w[t - 7] &+ first &+ w[t - 16]
                    }
                    Self.rounds(w, s, constants)
                }
            }
            return (0..<8).map { s[$0] }
        }
    }

    /// Adds the 64 rounds over the message schedule `w` to the state `s`.
    @inline(__always)
    private static func rounds(
        _ w: UnsafeMutableBufferPointer<UInt32>, _ s: UnsafeMutableBufferPointer<UInt32>,
        _ k: UnsafeBufferPointer<UInt32>
    ) {
        var (a, b, c, d, e, f, g, h) = (s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
        for t in 0..<64 {
            let sumE = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
            let one = h &+ sumE &+ ((e & f) ^ (~e & g)) &+ k[t] &+ w[t]
            let sumA = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
            let two = sumA &+ ((a & b) ^ (a & c) ^ (b & c))
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ one, c, b, a, one &+ two)
        }
        s[0] &+= a
        s[1] &+= b
        s[2] &+= c
        s[3] &+= d
        s[4] &+= e
        s[5] &+= f
        s[6] &+= g
        s[7] &+= h
    }

    @inline(__always)
    private static func rotated(_ x: UInt32, _ n: UInt32) -> UInt32 { (x &>> n) | (x &<< (32 - n)) }

    /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes, by integer arithmetic.
    private static let constants: [UInt32] = {
        var primes: [UInt64] = []
        var candidate: UInt64 = 2
        while primes.count < 64 {
            if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
            candidate += 1
        }
        return primes.map { prime in
            // ⌊∛prime · 2³²⌋ by bisection in 128 bits: r³ ≤ prime · 2⁹⁶.
            var root: UInt64 = 0
            for bit in stride(from: 35, through: 0, by: -1) {
                let trial = root | (1 << UInt64(bit))
                let square = trial.multipliedFullWidth(by: trial)
                let low = square.low.multipliedFullWidth(by: trial)
                let high = square.high &* trial &+ low.high
                if high < prime << 32 || (high == prime << 32 && low.low == 0) { root = trial }
            }
            return UInt32(truncatingIfNeeded: root)
        }
    }()
}

/// The 32 bytes of a SHA-256.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public static let size = 32

    /// - Precondition: 32 bytes.
    public init(bytes: some Collection<UInt8>) {
        precondition(bytes.count == Self.size, "a digest of \(bytes.count) bytes")
        var iterator = bytes.makeIterator()
        func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(iterator.next() ?? 0) } }
        words = (word(), word(), word(), word())
    }

    public var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
    }

    /// 64 hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

    /// By bytes.
    public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }

    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
