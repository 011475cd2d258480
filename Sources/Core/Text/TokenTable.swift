#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The tokens of a vocabulary by their UTF-8 bytes: one flat buffer and an open-addressed hash table, since a
/// dictionary of strings takes several times as long to fill and compares by canonical equivalence.
struct TokenTable: Sendable {
    /// Ids stay below it, so that tables by id stay small.
    static let idLimit: Int32 = 1 << 24

    private var bytes: [UInt8] = []
    /// Entry i is `bytes[starts[i]..<starts[i + 1]]` with `ids[i]`.
    private var starts: [Int] = [0]
    private var ids: [Int32] = []
    /// Entry + 1, 0 where free; the count is a power of two.
    private var slots: [Int32]

    init(capacity: Int) {
        var count = 16
        while count < capacity * 2 { count *= 2 }
        slots = Array(repeating: 0, count: count)
        ids.reserveCapacity(capacity)
        starts.reserveCapacity(capacity + 1)
        bytes.reserveCapacity(capacity * 8)
    }

    var count: Int { ids.count }

    /// Adds a token, or gives the one that is there another id.
    mutating func insert(_ token: UnsafeBufferPointer<UInt8>, id: Int32) {
        if (ids.count + 1) * 2 > slots.count { grow() }
        let slot = slot(of: token)
        if slots[slot] > 0 {
            ids[Int(slots[slot] - 1)] = id
            return
        }
        bytes.append(contentsOf: token)
        starts.append(bytes.count)
        ids.append(id)
        slots[slot] = Int32(ids.count)
    }

    func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
        let entry = slots[slot(of: token)]
        return entry > 0 ? ids[Int(entry - 1)] : nil
    }

    func id(of token: String) -> Int32? {
        var copy = token
        return copy.withUTF8 { id(of: $0) }
    }

    /// Every token with its id.
    func forEach(_ body: (_ token: ArraySlice<UInt8>, _ id: Int32) -> Void) {
        for entry in ids.indices { body(bytes[starts[entry]..<starts[entry + 1]], ids[entry]) }
    }

    /// The slot that holds the token, else the free one where it belongs.
    private func slot(of token: UnsafeBufferPointer<UInt8>) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(token)) & mask
        while slots[slot] > 0, !isEqual(Int(slots[slot] - 1), token) { slot = (slot + 1) & mask }
        return slot
    }

    private func isEqual(_ entry: Int, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = starts[entry]
        guard starts[entry + 1] - start == token.count else { return false }
        guard let address = token.baseAddress, token.count > 0 else { return true }
        return bytes.withUnsafeBytes { stored in
            guard let base = stored.baseAddress else { return false }
            return memcmp(base + start, address, token.count) == 0
        }
    }

    /// FNV-1a with a final mix.
    private static func hash(_ token: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in token { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash ^ hash >> 29
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        bytes.withUnsafeBufferPointer { bytes in
            for entry in ids.indices {
                let token = UnsafeBufferPointer(rebasing: bytes[starts[entry]..<starts[entry + 1]])
                var slot = Int(truncatingIfNeeded: Self.hash(token)) & mask
                while slots[slot] > 0 { slot = (slot + 1) & mask }
                slots[slot] = Int32(entry + 1)
            }
        }
    }
}

/// What a pair of neighbouring tokens merges to.
struct Merge: Sendable {
    /// Its line in the list of merges: the lowest goes first.
    var rank: Int32
    var merged: Int32
}

/// The merges by their pair of tokens, open-addressed.
struct MergeTable: Sendable {
    private var keys: [UInt64]
    private var merges: [Merge]
    private static let free = UInt64.max

    init(capacity: Int) {
        var count = 16
        while count < capacity * 2 { count *= 2 }
        keys = Array(repeating: Self.free, count: count)
        merges = Array(repeating: Merge(rank: 0, merged: 0), count: count)
    }

    /// At most `capacity` pairs; a pair that is there gets the new merge.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let slot = slot(of: Self.key(left, right))
        keys[slot] = Self.key(left, right)
        merges[slot] = merge
    }

    @inline(__always) subscript(left: Int32, right: Int32) -> Merge? {
        let slot = slot(of: Self.key(left, right))
        return keys[slot] == Self.free ? nil : merges[slot]
    }

    @inline(__always) private func slot(of key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 20) & mask
        while keys[slot] != key, keys[slot] != Self.free { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always) private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
