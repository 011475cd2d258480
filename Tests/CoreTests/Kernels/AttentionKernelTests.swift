import Core
import Testing

@Suite struct AttentionKernelTests {
    var numbers = SeededNumbers(state: 5)

    @Test mutating func softmax() throws {
        for (rows, columns) in shapes {
            for visible in [1, max(1, columns - rows), columns] {
                let s = numbers.matrix(rows, columns, size: 20)
                let (fast, again, exact) = (s.copied(), s.copied(), doubled(s))
                let (total, exactTotal) = (Matrix<Float>(zeros: 1, rows + 1), Matrix<Double>(zeros: 1, rows + 1))
                Vector.softmax(fast, scale: 0.37, visible: visible, window: nil, logSumExp: total.base)
                Plain.softmax(exact, scale: Double(Float(0.37)), visible: visible, logSumExp: exactTotal.base)
                Vector.softmaxAgain(again, scale: 0.37, visible: visible, window: nil, logSumExp: total.base)
                let name = "\(rows) × \(columns), \(visible) visible"
                try #require(difference(fast, exact) < 1e-6 && difference(total, exactTotal) < 3e-7, "\(name)")
                try #require(difference(again, exact) < 2e-6, "\(name)")
                for i in 0..<rows {
                    let hidden = min(visible + i, columns)..<columns
                    try #require(hidden.allSatisfy { fast[i, $0] == 0 && again[i, $0] == 0 }, "\(name)")
                }
            }
        }
    }

    @Test mutating func softmaxBackward() throws {
        for (rows, columns) in shapes {
            let (p, d, delta) = (
                numbers.matrix(rows, columns), numbers.matrix(rows, columns), numbers.matrix(1, rows + 1)
            )
            let plain = d.copied()
            Vector.softmaxBackward(p, dP: d, delta: delta.base, scale: 0.125)
            Plain.softmaxBackward(p, dP: plain, delta: delta.base, scale: 0.125)
            try #require(sameBits(d, plain), "\(rows) × \(columns)")
        }
    }

    @Test mutating func rowDotsOfStridedViews() throws {
        for (rows, columns) in shapes {
            let (x, y) = (numbers.matrix(rows, 3 * columns), numbers.matrix(rows, columns + 5))
            let (a, b) = (x.columns(columns..<2 * columns), y.columns(5..<columns + 5))
            let (dots, exact) = (Matrix<Float>(zeros: 1, rows), Matrix<Double>(zeros: 1, rows))
            Vector.rowDots(a, b, into: dots.base)
            Plain.rowDots(doubled(a.copied()), doubled(b.copied()), into: exact.base)
            try #require(difference(dots, exact) < 2e-6, "\(rows) × \(columns)")
        }
    }

    @Test func extremeScores() throws {
        let total = Matrix<Float>(zeros: 1, 1)
        for place in 0..<13 {
            // Masked by −∞; far below; far above
            for (value, expected) in [(-Float.infinity, Float(0)), (-1e4, 0), (1e4, 1)] {
                let s = Matrix<Float>(zeros: 1, 13)
                s.base[place] = value
                Vector.softmax(s, scale: 1, visible: 13, window: nil, logSumExp: total.base)
                try #require(s.base[place] == expected)
                let sum = s.elements.reduce(0, +)
                try #require(abs(sum - 1) < 1e-6)
            }
            let s = Matrix<Float>(zeros: 2, 13)
            s[0, place] = .nan
            let totals = Matrix<Float>(zeros: 1, 2)
            Vector.softmax(s, scale: 1, visible: 13, window: nil, logSumExp: totals.base)
            try #require(s.rows(0..<1).elements.allSatisfy(\.isNaN) && totals.base[0].isNaN)
            try #require(s.rows(1..<2).elements.allSatisfy { abs($0 - 1 / 13) < 1e-7 })
        }
    }

    @Test mutating func hiddenScoresDoNotMatter() throws {
        let s = numbers.matrix(5, 21)
        let (a, b, total) = (s.copied(), s.copied(), Matrix<Float>(zeros: 1, 5))
        for i in 0..<5 { for j in 6 + i..<21 { b[i, j] = .nan } }
        Vector.softmax(a, scale: 1, visible: 6, window: nil, logSumExp: total.base)
        Vector.softmax(b, scale: 1, visible: 6, window: nil, logSumExp: total.base)
        try #require(sameBits(a, b))
    }
}

@Suite struct TokenLogProbabilityKernelTests {
    var numbers = SeededNumbers(state: 6)

    @Test mutating func values() throws {
        for (rows, columns) in shapes + [(3, 511), (3, 513), (2, 49152)] {
            let x = numbers.matrix(rows, columns, size: 15)
            let targets = (0..<rows).map { Int32(($0 * 31) % columns) }
            var (fast, exact) = ([Double](repeating: 0, count: rows), [Double](repeating: 0, count: rows))
            let (total, exactTotal) = (Matrix<Float>(zeros: 1, rows + 1), Matrix<Double>(zeros: 1, rows + 1))
            let exactX = doubled(x)
            Vector.tokenLogProbability(x, targets: targets, into: &fast, logSumExp: total.base)
            Plain.tokenLogProbability(exactX, targets: targets, into: &exact, logSumExp: exactTotal.base)
            try #require(zip(fast, exact).allSatisfy { abs($0 - $1) < 5e-7 }, "\(rows) × \(columns)")
            try #require(difference(total, exactTotal) < 1e-6)
            let coefficients = (0..<rows).map { _ in Double(numbers.next()) }
            Vector.tokenLogProbabilityBackward(
                x, targets: targets, logSumExp: total.base, coefficients: coefficients)
            Plain.tokenLogProbabilityBackward(
                exactX, targets: targets, logSumExp: exactTotal.base, coefficients: coefficients)
            try #require(difference(x, exactX) < 2e-6, "\(rows) × \(columns)")
        }
    }

    @Test func extremeLogits() throws {
        let total = Matrix<Float>(zeros: 1, 1)
        var result = [0.0]
        for place in 0..<13 {
            let x = Matrix<Float>(zeros: 1, 13)
            x.base[place] = 1e4
            Vector.tokenLogProbability(x, targets: [Int32((place + 1) % 13)], into: &result, logSumExp: total.base)
            try #require(result[0] == -1e4)
            x.base[place] = -.infinity
            Vector.tokenLogProbability(x, targets: [Int32((place + 1) % 13)], into: &result, logSumExp: total.base)
            try #require(abs(result[0] + Double.naturalLogarithm(12)) < 1e-7)
            x.base[place] = .nan
            Vector.tokenLogProbability(x, targets: [Int32((place + 1) % 13)], into: &result, logSumExp: total.base)
            try #require(result[0].isNaN)
        }
    }
}
