#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A string as a dictionary key that is compared by its UTF-8 bytes.
///
/// `String` itself compares by canonical equivalence, so that "é" and "e\u{301}" would be one key; vocabularies and
/// JSON objects hold both.
public struct UTF8Key: Hashable, Sendable {
    /// As it was given.
    public let string: String

    /// Any string; it is not normalised.
    public init(_ string: String) {
        self.string = string
    }

    /// By bytes.
    public static func == (a: UTF8Key, b: UTF8Key) -> Bool {
        a.string.hasSameBytes(as: b.string)
    }

    /// Over the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) {
        var copy = string
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension String {
    /// Equality of the UTF-8 bytes, where `==` is canonical equivalence.
    public func hasSameBytes(as other: String) -> Bool {
        var a = self
        var b = other
        return a.withUTF8 { x in
            b.withUTF8 { y in
                guard x.count == y.count else { return false }
                guard let p = x.baseAddress, let q = y.baseAddress else { return true }
                return memcmp(p, q, x.count) == 0
            }
        }
    }
}
