extension Reference {
    package static func narrow<S: Scalar>(
        _ source: S.Pointer, _ format: StoredFormat, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        var fits = true
        for i in 0..<count {
            let value = Float(source[i])
            let isInfinite: Bool
            switch format {
            case .float32:
                target.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self)
                isInfinite = value.isInfinite
            case .float16:
                let bits = half(value)
                target.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
                isInfinite = bits & 0x7FFF == 0x7C00
            case .bfloat16:
                let bits = bfloat(value)
                target.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
                isInfinite = bits & 0x7FFF == 0x7F80
            }
            if isInfinite, source[i].isFinite { fits = false }
        }
        return fits
    }

    /// The upper half of the bits, rounded to nearest, ties to even.
    package static func bfloat(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }

    /// Single to IEEE half by its bits, to nearest, ties to even: Float16 does not exist in Swift on every platform.
    package static func half(_ value: Float) -> UInt16 {
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
        let magnitude = value.magnitude
        if value.isNaN { return sign | 0x7E00 }
        if magnitude >= 65520 { return sign | 0x7C00 }
        if magnitude < 0x1p-14 {  // zero and subnormals: multiples of 2⁻²⁴
            return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven))
        }
        let bits = magnitude.bitPattern - (112 << 23)
        return sign | UInt16(truncatingIfNeeded: (bits + 0xFFF + (bits >> 13 & 1)) >> 13)
    }
}
