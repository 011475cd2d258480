import CVector

extension Float {
    public static func widen(_ source: UnsafeRawPointer, _ format: StoredFormat, into target: Pointer, count: Int) {
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
    _ load: (UnsafeRawPointer) -> Float8
) {
    forEachEight(count) { i, n in
        if n == 8 {
            load(source + 2 * i).store(target + i)
        } else {
            var rest = SIMD8<UInt16>()
            withUnsafeMutableBytes(of: &rest) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: source + 2 * i, count: 2 * n))
            }
            withUnsafeBytes(of: rest) { load($0.baseAddress.unsafelyUnwrapped) }.store(target + i, n)
        }
    }
}
