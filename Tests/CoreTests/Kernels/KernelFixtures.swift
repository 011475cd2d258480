import Core

/// splitmix64: the same data in every run.
struct SeededNumbers {
    var state: UInt64

    mutating func bits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [-size, size)
    mutating func next(_ size: Float = 1) -> Float { (Float(bits() >> 40) * 0x1p-23 - 1) * size }

    mutating func matrix(_ rows: Int, _ columns: Int, size: Float = 1) -> Matrix<Float> {
        let m = Matrix<Float>(uninitialized: rows, columns)
        for i in 0..<m.count { m.base[i] = next(size) }
        return m
    }
}

/// Row counts and widths: every tail, and those of models.
let shapes: [(rows: Int, columns: Int)] =
    (1...70).map { ([1, 2, 5, 33, 0][$0 % 5], $0) } + [(0, 8), (1, 576), (5, 576), (33, 576), (2, 1536), (5, 1536)]

func doubled(_ m: Matrix<Float>) -> Matrix<Double> {
    let d = Matrix<Double>(uninitialized: m.rows, m.columns)
    for i in 0..<m.count { d.base[i] = Double(m.base[i]) }
    return d
}

/// The largest |a − b| / max(1, |b|); infinite where one alone is NaN.
func difference<Element: Scalar>(_ a: Matrix<Float>, _ b: Matrix<Element>) -> Double {
    var worst = 0.0
    for i in 0..<a.count {
        let (x, y) = (Double(a.base[i]), Double(b.base[i]))
        if x == y || (x.isNaN && y.isNaN) { continue }
        let error = abs(x - y) / max(1, abs(y))
        worst = max(worst, error.isNaN ? .infinity : error)
    }
    return worst
}

func sameBits(_ a: Matrix<Float>, _ b: Matrix<Float>) -> Bool {
    (0..<a.count).allSatisfy { a.base[$0].bitPattern == b.base[$0].bitPattern }
}
