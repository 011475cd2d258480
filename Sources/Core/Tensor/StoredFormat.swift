import CVector

/// Number formats of stored weights.
public enum StoredFormat: String, Sendable, CaseIterable {
    /// IEEE single precision.
    case float32 = "F32"
    /// IEEE half precision.
    case float16 = "F16"
    /// The upper half of a float32.
    case bfloat16 = "BF16"

    /// Of one number.
    public var bytes: Int { self == .float32 ? 4 : 2 }

    /// As PyTorch and Hugging Face's configurations call it.
    public var configured: String {
        switch self {
        case .float32: "float32"
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        }
    }
}

extension StoredFormat {
    /// The number at an index of `source`, at any address.
    package func value(_ source: UnsafeRawPointer, _ index: Int) -> Float {
        switch self {
        case .float32: source.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
        case .float16: Self.float(half: source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        case .bfloat16:
            Float(bitPattern: UInt32(source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
        }
    }

    /// IEEE half to single by its bits: Float16 does not exist in Swift on every platform.
    package static func float(half bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1F
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0:  // zero and subnormals: fraction · 2⁻²⁴
            let magnitude = Float(fraction) * 0x1p-24
            return sign == 0 ? magnitude : -magnitude
        case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }

    /// Narrows `count` numbers to nearest, ties to even. Returns false where a finite value became infinite.
    package func narrow(
        _ source: UnsafePointer<Float>, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        guard self != .bfloat16 else { return Self.narrowToBFloat(source, into: target, count: count) }
        var fits = true
        for i in 0..<count {
            let value = source[i]
            let isInfinite: Bool
            switch self {
            case .float32:
                target.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self)
                isInfinite = value.isInfinite
            case .float16:
                let bits = Self.half(value)
                target.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
                isInfinite = bits & 0x7FFF == 0x7C00
            case .bfloat16: continue
            }
            if isInfinite, value.isFinite { fits = false }
        }
        return fits
    }

    /// As `bfloat`, without a branch, so that the compiler takes several at a time.
    private static func narrowToBFloat(
        _ source: UnsafePointer<Float>, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        var excess: UInt32 = 0
        for i in 0..<count {
            let bits = source[i].bitPattern
            let magnitude = bits & 0x7FFF_FFFF
            let rounded = (bits &+ 0x7FFF &+ (bits &>> 16 & 1)) &>> 16
            let narrow = magnitude > 0x7F80_0000 ? bits &>> 16 | 0x40 : rounded
            // From halfway between the largest bfloat16 and infinity up to infinity.
            excess |= magnitude &- 0x7F7F_8000 < 0x8000 ? 1 : 0
            target.storeBytes(of: UInt16(truncatingIfNeeded: narrow), toByteOffset: 2 &* i, as: UInt16.self)
        }
        return excess == 0
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

extension Scalar {
    /// One number at a time, for any type.
    public static func widen(
        _ source: UnsafeRawPointer, _ format: StoredFormat, into target: UnsafeMutablePointer<Self>, count: Int
    ) {
        for i in 0..<count { target[i] = Self(format.value(source, i)) }
    }

    /// One number at a time, for any type.
    @discardableResult
    public static func narrow(
        _ source: UnsafePointer<Self>, _ format: StoredFormat, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        (0..<count).reduce(true) { fits, i in
            var value = Float(source[i])
            return format.narrow(&value, into: target + i * format.bytes, count: 1) && fits
        }
    }
}

extension Float {
    /// Several at a time to bfloat16.
    @discardableResult
    public static func narrow(
        _ source: UnsafePointer<Float>, _ format: StoredFormat, into target: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        format.narrow(source, into: target, count: count)
    }

    /// Eight at a time.
    public static func widen(
        _ source: UnsafeRawPointer, _ format: StoredFormat, into target: UnsafeMutablePointer<Float>, count: Int
    ) {
        switch format {
        case .float32:
            UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * MemoryLayout<Float>.size)
        case .float16: widenHalves(source, into: target, count: count) { misp_half8($0) }
        case .bfloat16: widenHalves(source, into: target, count: count) { misp_bfloat8($0) }
        }
    }
}

@inline(__always)
private func widenHalves(
    _ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>, count: Int,
    _ load: (UnsafeRawPointer) -> SIMD8<Float>
) {
    var start = 0
    while start &+ 8 <= count {
        UnsafeMutableRawPointer(target + start).storeBytes(of: load(source + 2 &* start), as: SIMD8<Float>.self)
        start &+= 8
    }
    guard start < count else { return }
    var rest = SIMD8<UInt16>()
    withUnsafeMutableBytes(of: &rest) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: source + 2 * start, count: 2 * (count - start)))
    }
    let wide = withUnsafeBytes(of: rest) { load($0.baseAddress.unsafelyUnwrapped) }
    for i in start..<count { target[i] = wide[i - start] }
}
