/// Which elements of a T × C matrix are left out: each by chance p, a pure function of its row's key and its column.
///
/// What stays is multiplied by 1/(1 − p), so that sums stay what they are on average (Srivastava et al., JMLR 15,
/// 2014).
public struct DropoutMask: Sendable {
    /// T
    let keys: [UInt64]
    /// p·2³²: an element is left out where its bits are below.
    let threshold: UInt32
    /// 1/(1 − p)
    let scale: Double

    /// - Parameters:
    ///   - rate: p, from 0 to below 1
    ///   - keys: T
    package init(rate: Double, keys: [UInt64]) {
        self.keys = keys
        threshold = UInt32(clamping: UInt64((rate * 0x1p32).rounded()))
        scale = 1 / (1 - rate)
    }

    /// 32 bits, all alike: the integer hash lowbias32 (Wellons, hash-prospector), with a key of 64 bits between.
    @inline(__always)
    static func bits(_ key: UInt64, column: Int) -> UInt32 {
        var x = UInt32(truncatingIfNeeded: column) &* 0x9E37_79B9 &+ UInt32(truncatingIfNeeded: key)
        x = (x ^ (x &>> 16)) &* 0x7FEB_352D
        x = (x ^ (x &>> 15) ^ UInt32(truncatingIfNeeded: key &>> 32)) &* 0x846C_A68B
        return x ^ (x &>> 16)
    }
}

extension Arithmetic {
    /// y[t, c] = m·x[t, c]/(1 − p), m being 0 or 1
    public static func dropOut(_ x: Matrix<Element>, _ mask: DropoutMask, into y: Matrix<Element>) {
        let scale = Element(mask.scale)
        for t in 0..<x.rows {
            for c in 0..<x.columns {
                y[t, c] = DropoutMask.bits(mask.keys[t], column: c) < mask.threshold ? 0 : x[t, c] * scale
            }
        }
    }
}

extension VectorArithmetic {
    /// The plain loop's bits, eight at a time.
    public static func dropOut(_ x: Matrix<Float>, _ mask: DropoutMask, into y: Matrix<Float>) {
        let (scale, threshold) = (Float(mask.scale), SIMD8(repeating: mask.threshold))
        forEachRow(x) { t in
            let (source, target, key) = (x.row(t), y.row(t), mask.keys[t])
            var columns = SIMD8<UInt32>(0, 1, 2, 3, 4, 5, 6, 7)
            forEachEight(x.columns) { i, n in
                let kept = Float8(source + i, n) * scale
                kept.replacing(with: 0, where: bits(key, columns: columns) .< threshold).store(target + i, n)
                columns &+= 8
            }
        }
    }

    /// As `DropoutMask.bits`.
    @inline(__always)
    private static func bits(_ key: UInt64, columns: SIMD8<UInt32>) -> SIMD8<UInt32> {
        var x = columns &* 0x9E37_79B9 &+ UInt32(truncatingIfNeeded: key)
        x = (x ^ (x &>> 16)) &* 0x7FEB_352D
        x = (x ^ (x &>> 15) ^ SIMD8(repeating: UInt32(truncatingIfNeeded: key &>> 32))) &* 0x846C_A68B
        return x ^ (x &>> 16)
    }
}
