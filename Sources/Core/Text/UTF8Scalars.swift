/// Reading valid UTF-8 scalar by scalar, without `String`'s grapheme clusters.
extension UnsafeBufferPointer<UInt8> {
    /// The scalar that begins at `position`, and the position behind it.
    @inline(__always) func scalar(at position: Int) -> (value: UInt32, end: Int) {
        let lead = UInt32(self[position])
        if lead < 0x80 { return (lead, position + 1) }
        let second = UInt32(self[position + 1] & 0x3F)
        if lead < 0xE0 { return ((lead & 0x1F) << 6 | second, position + 2) }
        let third = UInt32(self[position + 2] & 0x3F)
        if lead < 0xF0 { return ((lead & 0x0F) << 12 | second << 6 | third, position + 3) }
        let fourth = UInt32(self[position + 3] & 0x3F)
        return ((lead & 0x07) << 18 | second << 12 | third << 6 | fourth, position + 4)
    }

    /// The start of the scalar that ends at `position`, which is greater than 0.
    @inline(__always) func start(before position: Int) -> Int {
        var start = position - 1
        while self[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }
}

extension [UInt8] {
    mutating func append(scalar value: UInt32) {
        guard let scalar = Unicode.Scalar(value), let encoded = UTF8.encode(scalar) else { return }
        append(contentsOf: encoded)
    }
}
