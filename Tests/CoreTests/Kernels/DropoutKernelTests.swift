import Core
import Testing

@Suite struct DropoutKernelTests {
    private func keys(_ count: Int, seed: UInt64 = 5) -> [UInt64] {
        var random = KeyedRandom(seed, "keys")
        return (0..<count).map { _ in random.next() }
    }

    @Test(arguments: [0.05, 0.5, 0.999]) func theVectorKernelHasThePlainLoopsBits(rate: Double) throws {
        var numbers = SeededNumbers(state: 3)
        for (rows, columns) in shapes {
            let x = numbers.matrix(rows, columns)
            let mask = DropoutMask(rate: rate, keys: keys(rows))
            let (fast, plain) = (x.copied(), Matrix<Float>(uninitialized: rows, columns))
            Vector.dropOut(fast, mask, into: fast)
            Plain.dropOut(x, mask, into: plain)
            try #require(sameBits(fast, plain), "\(rows) × \(columns)")
        }
    }

    /// As many as there should be, over all and in every row and column, within five standard deviations.
    @Test(arguments: [0.05, 0.1, 0.5, 0.9]) func leavesOutTheirShare(rate: Double) {
        let (rows, columns) = (500, 400)
        let x = Matrix<Double>(rows, columns, [Double](repeating: 1, count: rows * columns))
        // Keys that differ in few bits are as good as others.
        let near = (0..<UInt64(rows)).map { $0 << ($0 % 2 == 0 ? 0 : 33) }
        for keys in [keys(rows), near] {
            DoublePrecision.dropOut(x, DropoutMask(rate: rate, keys: keys), into: x)
            let isKept = x.elements.map { $0 != 0 }
            #expect(zip(x.elements, isKept).allSatisfy { !$1 || abs($0 - 1 / (1 - rate)) < 1e-12 })
            func expectShare(_ kept: Int, of count: Int, _ comment: String) {
                let deviation = (rate * (1 - rate) * Double(count)).squareRoot()
                #expect(abs(Double(count - kept) - rate * Double(count)) < 5 * deviation, "\(comment)")
            }
            expectShare(isKept.count(where: \.self), of: isKept.count, "all")
            for t in 0..<rows {
                expectShare((0..<columns).count { isKept[t * columns + $0] }, of: columns, "row \(t)")
            }
            for c in 0..<columns {
                expectShare((0..<rows).count { isKept[$0 * columns + c] }, of: rows, "column \(c)")
            }
            // Neighbours in a row and in a column know nothing of each other.
            for step in [1, columns] {
                let pairs = (0..<isKept.count - step).count { !isKept[$0] && !isKept[$0 + step] }
                let expected = rate * rate * Double(isKept.count - step)
                #expect(abs(Double(pairs) - expected) < 6 * expected.squareRoot(), "neighbours at \(step)")
            }
            for i in 0..<x.count { x.base[i] = 1 }
        }
    }

    @Test func nothingIsLeftOutAtZero() {
        var numbers = SeededNumbers(state: 3)
        let (x, y) = (numbers.matrix(40, 50), Matrix<Float>(uninitialized: 40, 50))
        Vector.dropOut(x, DropoutMask(rate: 0, keys: keys(40)), into: y)
        #expect(sameBits(x, y))
    }
}
