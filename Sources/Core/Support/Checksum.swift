/// A 64-bit checksum against damage on the way to and from a disk, not against intent: FNV-1a over little-endian 64-bit
/// words, each step a bijection of the sum, so that no damage within one word goes unnoticed.
///
/// Any cut into parts gives the same sum.
package struct Checksum {
    private var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    /// Bytes that do not make a word yet, the earliest lowest.
    private var pending: UInt64 = 0
    private var count = 0

    package init() {}

    package static func of(_ file: MappedFile) -> String {
        var checksum = Checksum()
        checksum.add(.init(start: file.base, count: file.count))
        return checksum.hex
    }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        while count % 8 != 0, start < bytes.count {
            addByte(bytes[start])
            start += 1
        }
        while start + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)))
            count += 8
            start += 8
        }
        while start < bytes.count {
            addByte(bytes[start])
            start += 1
        }
    }

    private mutating func addByte(_ byte: UInt8) {
        pending |= UInt64(byte) << (8 * UInt64(count % 8))
        count += 1
        if count % 8 == 0 {
            mix(pending)
            pending = 0
        }
    }

    private mutating func mix(_ word: UInt64) {
        sum = (sum ^ word) &* 0x0000_0100_0000_01b3
        // Multiplication carries upwards only.
        sum ^= sum >> 32
    }

    /// The sum so far. The length counts as a last word.
    package var value: UInt64 {
        var last = self
        last.mix(pending)
        last.mix(UInt64(count))
        return last.sum
    }

    /// Sixteen hexadecimal digits.
    package var hex: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
