/// The few loops over floats that adding gradients takes.
enum VectorSum {
    private typealias Lanes = SIMD8<Float>

    /// total += other
    static func add(_ other: UnsafeMutableBufferPointer<Float>, to total: UnsafeMutableBufferPointer<Float>) {
        guard let a = total.baseAddress, let b = other.baseAddress else { return }
        add(a, b, into: a, count: min(total.count, other.count))
    }

    /// sum = a + b; `sum` may be either of them.
    @inline(__always)
    static func add(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into sum: UnsafeMutablePointer<Float>, count: Int
    ) {
        let (a, b, sum) = (UnsafeRawPointer(a), UnsafeRawPointer(b), UnsafeMutableRawPointer(sum))
        let width = MemoryLayout<Lanes>.size
        let whole = count / 8 * width
        for offset in stride(from: 0, to: whole, by: width) {
            let lanes =
                a.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
                + b.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
            sum.storeBytes(of: lanes, toByteOffset: offset, as: Lanes.self)
        }
        for offset in stride(from: whole, to: count * 4, by: 4) {
            let element =
                a.load(fromByteOffset: offset, as: Float.self) + b.load(fromByteOffset: offset, as: Float.self)
            sum.storeBytes(of: element, toByteOffset: offset, as: Float.self)
        }
    }

    /// The sum of squares in double precision, always in the same order: eight running sums, then those by pairs.
    static func squares(_ values: UnsafeBufferPointer<Float>) -> Double {
        guard let base = values.baseAddress else { return 0 }
        let raw = UnsafeRawPointer(base)
        var sums = SIMD8<Double>(repeating: 0)
        let whole = values.count / 8 * 8
        for index in stride(from: 0, to: whole, by: 8) {
            let lanes = SIMD8<Double>(raw.loadUnaligned(fromByteOffset: index * 4, as: Lanes.self))
            sums += lanes * lanes
        }
        for index in whole..<values.count {
            let value = Double(values[index])
            sums[index - whole] += value * value
        }
        let four = sums.lowHalf + sums.highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }
}
