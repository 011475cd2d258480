/// GPT-2's reversible spelling of bytes as printable scalars: printable bytes of Latin-1 stand for themselves, the
/// others, in order, for U+0100 and on.
enum ByteAlphabet {
    /// The UTF-8 of the scalar of every byte.
    static let spellings: [[UInt8]] = scalars.map { scalar in
        var bytes: [UInt8] = []
        bytes.append(scalar: scalar)
        return bytes
    }

    /// The byte of a scalar below U+0144; -1 where the scalar is in no spelling.
    static let bytes: [Int16] = {
        var bytes = Array(repeating: Int16(-1), count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
        return bytes
    }()

    private static let scalars: [UInt32] = {
        var next: UInt32 = 0x100
        return (0..<256).map { (byte: UInt32) in
            if 0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || 0xAE...0xFF ~= byte { return byte }
            defer { next += 1 }
            return next
        }
    }()
}
