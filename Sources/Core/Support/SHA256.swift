import CCrypto
import Foundation

/// SHA-256 (FIPS 180-4): names contents, so that what was computed from them is found again by any run. OpenSSL
/// computes it.
public struct SHA256 {
    private var state = State()

    /// Of nothing yet.
    public init() {}

    /// The digest of these bytes alone.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest {
        var hash = SHA256()
        hash.add(bytes)
        return hash.finish()
    }

    /// The digest of these bytes alone.
    public static func digest(_ bytes: some ContiguousBytes) -> Digest {
        bytes.withUnsafeBytes { digest($0) }
    }

    /// The digest of the text's UTF-8, without its length.
    public static func digest(_ text: String) -> Digest { digest(Array(text.utf8)) }

    /// Bytes without their length: two in a row count as their concatenation.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&state) { state = State(copying: state) }
        misp_sha256_add(state.hash, bytes.baseAddress, bytes.count)
    }

    /// Bytes without their length.
    public mutating func add(_ bytes: some ContiguousBytes) { bytes.withUnsafeBytes { add($0) } }

    /// A text with its length before it, so that no two lists of texts are the same bytes.
    public mutating func add(_ text: String) {
        let bytes = Array(text.utf8)
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { add($0) }
        add(bytes)
    }

    /// The 32 bytes of a digest.
    public mutating func add(_ digest: Digest) { add(digest.bytes) }

    /// The digest of all that was added. Nothing may be added afterwards.
    public mutating func finish() -> Digest {
        if !isKnownUniquelyReferenced(&state) { state = State(copying: state) }
        var bytes = [UInt8](repeating: 0, count: Digest.size)
        misp_sha256_finish(state.hash, &bytes)
        return Digest(bytes: bytes)
    }

    /// What OpenSSL keeps of a hash under way.
    private final class State {
        let hash: OpaquePointer

        init() { hash = Self.there(misp_sha256_new()) }

        init(copying other: State) { hash = Self.there(misp_sha256_copy(other.hash)) }

        deinit { misp_sha256_free(hash) }

        /// Some hundred bytes: where there is no memory for them, nothing goes on.
        private static func there(_ hash: OpaquePointer?) -> OpaquePointer {
            guard let hash else { preconditionFailure("no memory for a SHA-256") }
            return hash
        }
    }
}

/// The 32 bytes of a SHA-256.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Bytes of a digest.
    public static let size = 32

    /// - Precondition: 32 bytes.
    public init(bytes: some Collection<UInt8>) {
        precondition(bytes.count == Self.size, "a digest of \(bytes.count) bytes")
        var iterator = bytes.makeIterator()
        func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(iterator.next() ?? 0) } }
        words = (word(), word(), word(), word())
    }

    /// `size` bytes, in the order in which they are written.
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

    /// By bytes.
    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

    /// By bytes.
    public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }

    /// By the first eight bytes, which are as random as all.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
