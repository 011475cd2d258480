/// The speed of this process's matrix products, the yardstick of `mfu`.
public enum MachineRate {
    /// Operations per second of an arithmetic's products of `side` × `side` matrices, measured for about `seconds`:
    /// the best of several rounds, since a neighbour on the machine can only slow one down.
    public static func measure<A: VectorArithmetic>(
        _ arithmetic: A.Type = Vector.self, side: Int = 512, seconds: Double = 0.15
    ) -> Double {
        measure(side, seconds) { A.setProduct($0, $1, $2, transposeB: true) }
    }

    /// The same by OpenBLAS, whatever the program's own products are computed by.
    public static func measureBLAS(side: Int = 512, seconds: Double = 0.15) -> Double {
        measure(side, seconds) { BLAS.setSum($0, [ProductTerm($1, $2, transposeB: true)], keep: 0) }
    }

    private static func measure(
        _ side: Int, _ seconds: Double, _ product: (Matrix<Float>, Matrix<Float>, Matrix<Float>) -> Void
    ) -> Double {
        let a = Matrix<Float>(zeros: side, side)
        let b = Matrix<Float>(zeros: side, side)
        let c = Matrix<Float>(zeros: side, side)
        for i in 0..<a.count {
            a.base[i] = Float(i % 7) - 3
            b.base[i] = Float(i % 5) - 2
        }
        let clock = ContinuousClock()
        let operations = 2 * Double(side * side * side)
        var best = 0.0
        let end = clock.now + .seconds(seconds)
        repeat {
            let time = clock.measure { product(c, a, b) }
            best = max(best, operations / (time / .seconds(1)))
        } while clock.now < end
        return best
    }
}
