extension Reference {
    /// x[t, c] ← σ(x[t, c] + bias[c])
    package static func sigmoid<S: Scalar>(_ x: Matrix<S>, bias: S.Pointer) {
        for t in 0..<x.rows {
            for c in 0..<x.columns { x[t, c] = 1 / (1 + S.exponential(-(x[t, c] + bias[c]))) }
        }
    }

    /// z ← scale·(x − y)
    package static func difference<S: Scalar>(_ x: S.Pointer, _ y: S.Pointer, scale: S, into z: S.Pointer, count: Int) {
        for i in 0..<count { z[i] = scale * (x[i] - y[i]) }
    }

    /// Σ x[i], in Double.
    package static func sum<S: Scalar>(_ x: S.Pointer, count: Int) -> Double {
        (0..<count).reduce(0) { $0 + Double(x[$1]) }
    }
}
